"""Random expressions in C, compiled in double, give what the author's order gives, bit for bit."""

from __future__ import annotations

import ctypes
import itertools
import math
import operator
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import needs
import numpy as np
import pytest
import sympy
from drawn_expressions import EXACT, FLAGS, ROUNDED, SCALARS, TENSORS, Library, Tree, build, trees, value
from hypothesis import Phase, given, settings
from needs import C_COMPILER

from optgen.backends.c import RUNTIME
from optgen.dsl import Max, Piecewise
from optgen.dsl.load import literal
from optgen.errors import RuleError
from optgen.ir import symbol
from optgen.languages import MULTIPLIED_OUT, C
from optgen.printers import to_text

NAMES = (*TENSORS, *SCALARS)
POINTS = 24
MANY = 400
WRONG = (ZeroDivisionError, OverflowError, ValueError)  # where Python has no value and C has an infinity or a NaN
pytestmark = needs.a_c_compiler
FUNCTION = """
double f{}(const double *given, const int *flags)
{{
    double x = given[0], y = given[1], z = given[2], a = given[3], b = given[4];
    int p = flags[0], q = flags[1];
    return {};
}}
"""


def larger(x: float, y: float) -> float:
    return x if x > y or x != x else y


def smaller(x: float, y: float) -> float:
    return x if x < y or x != x else y


LIBRARY = Library(
    {"sqrt": math.sqrt, "exp": math.exp, "log": math.log, "abs": abs, "sign": lambda x: float((x > 0) - (x < 0)),
     "floor": lambda x: float(math.floor(x)), "tanh": math.tanh, "cos": math.cos, "sin": math.sin, "max": larger,
     "min": smaller, "eq": operator.eq, "ne": operator.ne, "not": operator.not_, "and": lambda x, y: x and y,
     "or": lambda x, y: x or y, "power": math.pow}, lambda condition, x, y: x if condition else y,
    multiplied_out=MULTIPLIED_OUT)


def points() -> list[dict[str, Any]]:
    """Values of every name: several magnitudes, equal ones, zeros."""
    random = np.random.default_rng(0)
    made = [dict(zip(NAMES, map(float, random.standard_normal(5) * 10.0 ** random.integers(-3, 3, 5)), strict=True))
            for _ in range(POINTS)]
    for point in made[:4]:
        point["y"] = point["x"]
    for point in made[3:5]:
        point["z"] = 0.0
    return [{**point, "p": True, "q": bool(i % 2)} for i, point in enumerate(made)]


def drawn() -> dict[Tree, str]:
    """Different trees and their lines of C, the same ones at each run."""
    found: dict[Tree, str] = {}

    @given(trees(TENSORS, (*EXACT, *ROUNDED, "power")))
    @settings(max_examples=MANY, phases=[Phase.generate], derandomize=True, database=None)
    def draw(tree: Tree) -> None:
        with literal():
            found[tree] = to_text(build(tree), C)

    draw()
    return found


def compiled(lines: list[str], folder: Path) -> Callable[[int, dict[str, Any]], float]:
    """A function that computes one of the lines from values of the names."""
    source, library = folder / "lines.c", folder / "lines.so"
    text = "".join(FUNCTION.format(k, line) for k, line in enumerate(lines))
    source.write_text(f'#include "_numbers.h"\n{text}')
    # No folding of calls at compile time, whose results are rounded otherwise than those of the library.
    flags = ["-O0", "-fno-builtin", "-ffp-contract=off", "-Wno-unused", "-shared", "-fPIC", "-std=c99", "-Dreal=double"]
    subprocess.run([C_COMPILER, *flags, f"-I{RUNTIME}", "-o", str(library), str(source), "-lm"], check=True)
    loaded = ctypes.CDLL(str(library))

    def compute(k: int, point: dict[str, Any]) -> float:
        function = getattr(loaded, f"f{k}")
        function.restype = ctypes.c_double
        values, flags = [point[n] for n in NAMES], [int(point[n]) for n in FLAGS]
        return float(function((ctypes.c_double * len(values))(*values), (ctypes.c_int * len(flags))(*flags)))

    return compute


def test_c_computes_in_the_author_s_order(tmp_path: Path) -> None:
    every = drawn()
    compute = compiled([*every.values()], tmp_path)
    compared = 0
    for k, (tree, line) in enumerate(every.items()):
        for point in points():
            try:
                wanted = float(value(tree, LIBRARY, point))
            except WRONG:
                continue
            got = compute(k, point)
            assert struct.pack("d", got) == struct.pack("d", wanted) or (got != got and wanted != wanted), (
                f"{line} at {point} is {got!r}, not {wanted!r}")
            compared += 1
    assert len(every) > MANY / 2
    assert compared > 0.6 * len(every) * POINTS


def test_the_larger_and_the_smaller_of_two_numbers_keep_a_nan_of_either(tmp_path: Path) -> None:
    compute = compiled(["maximum(x, y)", "minimum(x, y)"], tmp_path)
    values = (math.nan, -math.inf, -1.5, 0.0, 2.0, math.inf)
    for x, y in itertools.product(values, repeat=2):
        point = {**points()[0], "x": x, "y": y}
        for k, function in enumerate((np.maximum, np.minimum)):
            assert np.array_equal(compute(k, point), function(x, y), equal_nan=True), (function, x, y)


def test_the_exponential_of_a_float_is_within_half_a_place_and_a_hundredth(tmp_path: Path) -> None:
    """Of every 4099th float, from NaN to infinity, and of those next to where it becomes 0 or infinite."""
    source, library = tmp_path / "exponential.c", tmp_path / "exponential.so"
    source.write_text('#include "_numbers.h"\nvoid all(float *x, int64_t n)\n'
                      "{\n    for (int64_t i = 0; i < n; i++)\n        x[i] = exponential(x[i]);\n}\n")
    flags = ["-O2", "-ffp-contract=off", "-Wno-unused", "-shared", "-fPIC", "-std=c99", "-Dreal=float"]
    subprocess.run([C_COMPILER, *flags, f"-I{RUNTIME}", "-o", str(library), str(source), "-lm"], check=True)
    edges = np.array([88.72283, 88.72284, -103.97207, -103.97208, -87.33654, 0.0, -0.0], np.float32)
    given = np.concatenate([np.arange(0, 2**32, 4099, dtype=np.uint32).view(np.float32), edges])
    got = given.copy()
    ctypes.CDLL(str(library)).all(got.ctypes.data_as(ctypes.c_void_p), ctypes.c_int64(got.size))
    with np.errstate(all="ignore"):
        exact = np.exp(given.astype(np.float64))
        nearest = exact.astype(np.float32)
        off = np.abs(got - exact) / np.spacing(nearest).astype(np.float64)
    is_plain = np.isfinite(nearest) & np.isfinite(got)
    assert np.array_equal(got[~is_plain], nearest[~is_plain], equal_nan=True)
    assert off[is_plain].max() < 0.51
    assert is_plain.sum() > got.size / 3


x, y, a, flag = symbol("x"), symbol("y"), symbol("a"), symbol("flag", True)


@pytest.mark.parametrize(("make", "text"), [
    (lambda: x * sympy.Rational(1, 3), "x * ((real)1 / 3)"), (lambda: 0.5 * x + 2, "(real)0.5 * x + 2"),
    (lambda: x**2 / y, "x * x / y"), (lambda: x**5, "power(x, 5)"), (lambda: x / (y * a), "x / (y * a)"),
    (lambda: -((-x) / y), "-(-x / y)"), (lambda: Max(x, 1), "maximum(x, (real)1)"),
    (lambda: Piecewise((x, (x > y) & ~flag), (1, True)), "(x > y && !flag ? x : (real)1)"),
])
def test_the_text_is_what_one_would_write(make: Callable[[], Any], text: str) -> None:
    with literal():
        assert to_text(make(), C) == text


def test_a_function_that_c_lacks_is_refused() -> None:
    with pytest.raises(RuleError, match="gamma has no form in C"):
        to_text(sympy.gamma(x), C)
