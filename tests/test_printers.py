"""Printers: a random expression, printed in any language and run, gives what the author's own order gives, bit for bit.

Triton's printer is tested under the interpreter, in tests/interpreted.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import sympy
import torch
from drawn_expressions import (
    EXACT,
    FLAGS,
    ROUNDED,
    SCALARS,
    TENSORS,
    Library,
    Tree,
    build,
    names_of,
    operations,
    trees,
    value,
)
from drawn_rules import rules
from hypothesis import assume, given, settings

from optgen import dsl
from optgen.backends.torch import OFFERED
from optgen.dsl import Eq, Max, Min, Ne, Piecewise, Rule, literal
from optgen.dsl.symbols import Hyper
from optgen.equations import text as equation_texts
from optgen.errors import RuleError
from optgen.ir import symbol
from optgen.languages import HOST, NUMPY, SCALAR, TEXT, TORCH, TRITON, Language
from optgen.printers import to_text
from optgen.runtime.pytorch import _runtime, _scalars

FUNCTIONS = (*EXACT, *ROUNDED, "power")
POINTS = 24
WRONG = (ZeroDivisionError, OverflowError, ValueError)


def signed(x: float) -> float:
    return float((x > 0) - (x < 0))


def of_math(sign: Callable[[float], float], maximum: Any, minimum: Any) -> dict[str, Callable[..., Any]]:
    """Functions of Python's floats."""
    return {"sqrt": math.sqrt, "exp": math.exp, "log": math.log, "abs": abs, "sign": sign, "floor": math.floor,
            "tanh": math.tanh, "cos": math.cos, "sin": math.sin, "max": maximum, "min": minimum, "eq": operator.eq,
            "ne": operator.ne, "not": operator.not_, "and": lambda a, b: a and b, "or": lambda a, b: a or b,
            "power": operator.pow}


def of_arrays(module: Any, full: Callable[[Any], Any]) -> dict[str, Callable[..., Any]]:
    """Functions of NumPy's or PyTorch's arrays. full: a number as an array."""
    names = ("sqrt", "exp", "log", "abs", "sign", "floor", "tanh", "cos", "sin")
    return {**{name: getattr(module, name) for name in names},
            "max": lambda a, b: module.maximum(full(a), full(b)), "min": lambda a, b: module.minimum(full(a), full(b)),
            "eq": operator.eq, "ne": operator.ne, "not": operator.invert, "and": operator.and_, "or": operator.or_,
            "power": operator.pow}


def lazily(condition: bool, then: Any, otherwise: Any) -> Any:
    return then if condition else otherwise


def run(text: str, names: Mapping[str, Any]) -> Any:
    """What a line of Python computes."""
    return eval(text, {"math": math, "np": np, "torch": torch, **names})


def same(a: Any, b: Any) -> bool:
    """Whether two results are the same bits, or both a NaN."""
    a, b = np.broadcast_arrays(np.asarray(a, np.float64), np.asarray(b, np.float64))
    return bool(np.all((a.view(np.int64) == b.view(np.int64)) | (np.isnan(a) & np.isnan(b))))


def points(seed: int = 0) -> dict[str, Any]:
    """Values of every name: tensors with zeros, equal elements and several magnitudes; scalars; flags."""
    random = np.random.default_rng(seed)
    made: dict[str, Any] = {n: random.standard_normal(POINTS) * 10.0 ** random.integers(-3, 3, POINTS) for n in TENSORS}
    made["y"][:4] = made["x"][:4]
    made["z"][3:5] = 0.0
    made |= {n: float(v) for n, v in zip(SCALARS, random.uniform(0.1, 3, 2), strict=True)}
    return made | dict(zip(FLAGS, (True, False), strict=True))


def elements(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The same values, one point at a time, as Python's numbers."""
    return [{n: float(v[i]) if n in TENSORS else v for n, v in values.items()} for i in range(POINTS)]


def written(tree: Tree, language: Language, host: frozenset[str] = frozenset()) -> str:
    """The tree as a line of a language."""
    with literal():
        return to_text(build(tree), language, host)


def assert_scalars_agree(tree: Tree, language: Language, library: Library, names: Mapping[str, Any]) -> None:
    """Asserts that a language of scalars computes the tree at every point where the author's order has a value."""
    line = written(tree, language, frozenset((*TENSORS, *SCALARS, *FLAGS)))
    for point in elements(points()):
        try:
            wanted = value(tree, library, point)
        except WRONG:
            continue
        assert same(run(line, {**names, **point}), wanted), f"{line} at {point}"


EAGER = Library(of_math(signed, max, min), lazily)
BY_NAME = {**{n: getattr(math, n) for n in ("sqrt", "exp", "log", "tanh", "cos", "sin", "floor")}, "sign": signed}
IN_TEXT = replace(TEXT, functions={**TEXT.functions, "Abs": "abs({})"}, name="text that Python reads")
OF_TORCH = {n: getattr(_scalars, n) for n in ("sqrt", "exp", "log", "sin", "cos", "tanh", "floor", "sign", "maximum",
                                              "minimum", "choose", "negated")}
SCALAR_LIBRARY = Library(of_math(_scalars.sign, _scalars.maximum, _scalars.minimum), lazily)


@given(trees(TENSORS, FUNCTIONS))
@settings(max_examples=250)
def test_the_host_s_python_computes_in_the_author_s_order(tree: Tree) -> None:
    assert_scalars_agree(tree, HOST, EAGER, {})


@given(trees(TENSORS, FUNCTIONS))
@settings(max_examples=150)
def test_text_read_as_python_computes_in_the_author_s_order(tree: Tree) -> None:
    assert_scalars_agree(tree, IN_TEXT, EAGER, BY_NAME)


@given(trees(TENSORS, FUNCTIONS))
@settings(max_examples=250)
def test_pytorch_s_scalars_compute_in_the_author_s_order_as_numbers(tree: Tree) -> None:
    assert_scalars_agree(tree, SCALAR, SCALAR_LIBRARY, OF_TORCH)


@given(trees(TENSORS, FUNCTIONS))
@settings(max_examples=100)
def test_pytorch_s_scalars_compute_in_the_author_s_order_as_tensors(tree: Tree) -> None:
    """A learning rate may be a tensor, whose value is never read."""
    line = written(tree, SCALAR, frozenset((*TENSORS, *SCALARS, *FLAGS)))
    values = {n: torch.tensor(v, dtype=torch.float64) if n in TENSORS else v for n, v in points().items()}
    for i in (0, 3, 7):
        point = {n: v[i] if n in TENSORS else v for n, v in values.items()}
        try:
            wanted = value(tree, of_zero_dimensions(), point)
        except WRONG:
            continue
        assert same(run(line, {**OF_TORCH, **point}), wanted), f"{line} at {point}"


def of_zero_dimensions() -> Library:
    """The runtime's own functions; a branch on a tensor's value is a choice between tensors."""
    functions = {**SCALAR_LIBRARY.functions, **{n: getattr(_scalars, n) for n in ("sqrt", "floor", *ROUNDED)},
                 "and": operator.and_, "or": operator.or_, "not": lambda a: ~a if torch.is_tensor(a) else not a}
    return Library(functions, lambda c, a, b: _scalars.choose(c, lambda: a, lambda: b))


def numpy_where(condition: Any, then: Any, otherwise: Any) -> Any:
    return lazily(condition, then, otherwise) if isinstance(condition, bool) else np.where(condition, then, otherwise)


def filled(x: Any) -> torch.Tensor:
    return x if isinstance(x, torch.Tensor) else torch.full((POINTS,), x, dtype=torch.float64)


def divided(a: Any, b: Any) -> Any:
    return torch.div(a, b) if isinstance(b, torch.Tensor) else a / b  # the operator multiplies a reciprocal


def torch_where(condition: Any, then: Any, otherwise: Any) -> Any:
    if isinstance(condition, bool):
        return lazily(condition, then, otherwise)
    return torch.where(condition, filled(then), filled(otherwise))


NUMPY_LIBRARY = Library(of_arrays(np, lambda x: x), numpy_where, multiplied_out=4)
TORCH_LIBRARY = Library({**of_arrays(torch, filled), "div": divided}, torch_where, multiplied_out=4)


@given(trees(TENSORS, FUNCTIONS))
@settings(max_examples=250)
def test_numpy_computes_in_the_author_s_order(tree: Tree) -> None:
    line = written(tree, NUMPY, frozenset((*SCALARS, *FLAGS)))
    with np.errstate(all="ignore"):
        assert same(run(line, points()), value(tree, NUMPY_LIBRARY, points())), line


@given(trees(TENSORS, FUNCTIONS))
@settings(max_examples=250)
def test_pytorch_computes_in_the_author_s_order(tree: Tree) -> None:
    line = written(tree, TORCH, frozenset((*SCALARS, *FLAGS)))
    values = {n: torch.tensor(v) if n in TENSORS else v for n, v in points().items()}
    got = run(line, {**OF_TORCH, **values})
    assert not isinstance(got, torch.Tensor) or got.dtype == torch.float64, line
    assert same(got, value(tree, TORCH_LIBRARY, values)), line


@given(trees(TENSORS, FUNCTIONS))
@settings(max_examples=150)
def test_names_stand_in_the_order_in_which_the_author_wrote_them(tree: Tree) -> None:
    assume(not {"where"} & set(operations(tree)))
    words = re.findall(r"\b[abxyz]\b", written(tree, TEXT))
    assert words == list(names_of(tree))


x, y, a, b, t = (symbol(name) for name in "xyabt")
first, flag = symbol("first", True), symbol("flag", True)


@pytest.mark.parametrize(("make", "text"), [
    (lambda: (x + y) + a, "x + y + a"), (lambda: x + (y + a), "x + (y + a)"), (lambda: x - (y - a), "x - (y - a)"),
    (lambda: x - y - a, "x - y - a"), (lambda: x * (y * a), "x * (y * a)"), (lambda: x * y * a, "x * y * a"),
    (lambda: x / y / a, "x / y / a"), (lambda: x / (y / a), "x / (y / a)"), (lambda: x / (y * a), "x / (y * a)"),
    (lambda: x * (y / a), "x * (y / a)"), (lambda: x * y / a, "x * y / a"), (lambda: 1 / (x * y), "1 / (x * y)"),
    (lambda: -x, "-x"), (lambda: -x * y, "-x * y"), (lambda: -(x + y), "-(x + y)"), (lambda: x - 2 * y, "x - 2 * y"),
    (lambda: -(-x * y), "-(-x * y)"), (lambda: -((-x) / y), "-(-x / y)"),
    (lambda: x + -2 * y, "x - 2 * y"), (lambda: x * -y, "x * -y"), (lambda: x - -y, "x + y"),
    (lambda: (x + y) * a, "(x + y) * a"), (lambda: x**2, "x**2"), (lambda: (-x) ** 2, "(-x)**2"),
    (lambda: (x + y) ** a, "(x + y)**a"), (lambda: x**-a, "x**(-a)"), (lambda: x ** (y**a), "x**y**a"),
    (lambda: (x**y) ** a, "(x**y)**a"), (lambda: -(x**2), "-x**2"), (lambda: x**-2, "1 / x**2"),
    (lambda: x ** sympy.Rational(1, 2), "sqrt(x)"), (lambda: 2 * x ** sympy.Rational(-1, 2), "2 * (1 / sqrt(x))"),
    (lambda: x * sympy.Rational(1, 3), "x * (1 / 3)"), (lambda: sympy.Rational(1, 3) * x, "1 / 3 * x"),
    (lambda: 1 - x, "1 - x"), (lambda: 0.5 * x + 2, "0.5 * x + 2"), (lambda: x + -2, "x - 2"),
    (lambda: Max(y, x) - Min(x, 1), "max(y, x) - min(x, 1)"), (lambda: sympy.Abs(x - y), "|x - y|"),
    (lambda: Piecewise((x, x > y), (y, True)), "x if x > y else y"),
    (lambda: Piecewise((x, x > y), (y, True)) + a, "(x if x > y else y) + a"),
    (lambda: Piecewise((x + y, (x > y) & flag), (a, ~flag | (x >= 2)), (y, True)),
     "x + y if flag and x > y else a if x >= 2 or not flag else y"),
    (lambda: Piecewise((Piecewise((x, flag), (y, True)), first), (a, True)), "(x if flag else y) if first else a"),
    (lambda: Piecewise((x, sympy.Not(sympy.And(flag, first))), (y, True)), "x if not (first and flag) else y"),
    (lambda: Piecewise((x, ~Ne(x, y)), (y, True)), "x if x == y else y"),
    (lambda: Piecewise((x, Ne(x, y) & sympy.Or(flag, first)), (y, True)), "x if x != y and (first or flag) else y"),
    (lambda: sympy.pi * x, "pi * x"), (lambda: 1e-30 * x, "1e-30 * x"), (lambda: 0.1 * x, "0.1 * x"),
])
def test_the_text_is_what_one_would_write(make: Callable[[], Any], text: str) -> None:
    with literal():
        assert to_text(make(), TEXT) == text


@pytest.mark.parametrize(("make", "language", "text"), [
    (lambda: x**2, NUMPY, "x * x"), (lambda: x**4, TORCH, "x * x * x * x"), (lambda: x**5, NUMPY, "x**5"),
    (lambda: (x + y) ** 2, TORCH, "(x + y) * (x + y)"), (lambda: y / x**2, NUMPY, "y / (x * x)"),
    (lambda: y * x**2, NUMPY, "y * (x * x)"), (lambda: x**2, HOST, "x**2"), (lambda: x**5, TRITON, "x * x * x * x * x"),
    (lambda: x / y, TRITON, "div(x, y, STRICT)"),
    (lambda: x * y / a / b, TRITON, "div(div(x * y, a, STRICT), b, STRICT)"),
    (lambda: Piecewise((x, ~flag & (a > b)), (y, True)), SCALAR,
     "choose((a > b) & negated(flag), lambda: x, lambda: y)"),
    (lambda: 1 / (x + y), TRITON, "div(1, x + y, STRICT)"),
    (lambda: (x - a / b) / y, TRITON, "div(x - div(a, b, STRICT), y, STRICT)"),
    (lambda: Max(x, 0.5), TRITON, "maximum(x, tl.full((), 0.5, COMPUTE))"), (lambda: x * 0.5, TRITON, "x * 0.5"),
    (lambda: a**x, TRITON, "power(a, x)"), (lambda: sympy.pi * x, TRITON, "3.141592653589793 * x"),
    (lambda: a / x, TORCH, "torch.div(a, x)"), (lambda: 3 / x * y, TORCH, "torch.div(3, x) * y"),
    (lambda: 1 / x, TORCH, "1 / x"), (lambda: a * b / x, TORCH, "torch.div(a * b, x)"),
    (lambda: a / b, TORCH, "a / b"), (lambda: a * x / y, TORCH, "a * x / y"), (lambda: x / a, TORCH, "x / a"),
    (lambda: Max(a, x), TORCH, "torch.clamp(x, min=a)"), (lambda: Min(x, 2), TORCH, "torch.clamp(x, max=2)"),
    (lambda: Max(x, y), TORCH, "torch.maximum(x, y)"), (lambda: sympy.pi * x, NUMPY, "math.pi * x"),
    (lambda: Piecewise((x, (x > y) & (y > 0)), (y, True)), NUMPY, "np.where((x > y) & (y > 0), x, y)"),
    (lambda: Piecewise((x, ~(x > y)), (y, True)), TORCH, "torch.where(~(x > y), x, y)"),
    (lambda: Piecewise((1, x > y), (0, True)), TORCH, "torch.where(x > y, 1, torch.full_like(x, 0))"),
    (lambda: Piecewise((x, x > 3), (1, x > 0), (a, True)), NUMPY,
     "np.where(x > 3, x, np.where(x > 0, 1, np.full_like(x, a)))"),
    (lambda: Piecewise((x, flag), (1, True)), TORCH, "choose(flag, lambda: x, lambda: torch.full_like(x, 1))"),
    (lambda: Piecewise((x, flag), (y, x > y), (a, True)), NUMPY,
     "x if flag else np.where(x > y, y, np.full_like(x, a))"),
    (lambda: Piecewise((x, x > y), (y, flag), (a, True)), NUMPY,
     "np.where(x > y, x, y if flag else np.full_like(x, a))"),
    (lambda: Piecewise((x, flag), (y, True)) * 2, NUMPY, "(x if flag else y) * 2"),
])
def test_each_language_spells_it_its_own_way(make: Callable[[], Any], language: Language, text: str) -> None:
    with literal():
        assert to_text(make(), language, frozenset(("a", "b", "flag"))) == text


def test_a_rule_is_shown_where_sympy_evaluates_as_well() -> None:
    rate = dsl.hyper("rate", 1.0)
    assert str(1 / rate) == "1/rate"
    assert repr(rate**2 / rate) == "rate"
    with literal(), pytest.raises(RuleError, match="Python cannot decide whether rate holds"):
        bool(rate)


def test_the_runtime_offers_every_function_of_pytorch_s_scalars() -> None:
    spelled = " ".join((*SCALAR.functions.values(), SCALAR.choose, SCALAR.not_))
    named = set(re.findall(r"[a-z]+(?=\()", spelled)) - {"abs"}
    assert named <= set(_runtime.__all__) & OFFERED, named
    assert set(_runtime.__all__) - {"per_element"} == OFFERED


def test_names_may_be_spelled_otherwise() -> None:
    with literal():
        assert to_text(x + Max(y, x), TEXT, names={"x": "new"}) == "new + max(y, new)"


def test_a_float_is_printed_so_that_python_reads_the_same_float() -> None:
    random = np.random.default_rng(0)
    for number in [*random.standard_normal(50), 5e-324, 1.7976931348623157e308, 0.1, 1 / 3]:
        assert float(to_text(sympy.Float(float(number)), HOST)) == float(number)


@pytest.mark.parametrize("language", [HOST, SCALAR, NUMPY, TORCH, TRITON])
def test_a_function_that_a_language_lacks_is_refused(language: Language) -> None:
    with pytest.raises(RuleError, match=f"gamma has no form in {language.name}"):
        to_text(sympy.gamma(x), language)


@given(rules())
@settings(max_examples=40)
def test_the_equations_of_a_drawn_rule_read_as_python_are_the_rule(made: Rule) -> None:
    atoms = {atom for e in made.expressions() for atom in e.atoms(sympy.IndexedBase, Hyper)}
    names = {name: getattr(dsl, name) for name in dsl.__all__} | {str(atom): atom for atom in atoms}
    for line, equation in zip(equation_texts(made), made.equations, strict=True):
        left, right = line.split(" = ", 1)
        with literal():
            read = Eq(eval(left, names), eval(right, names))
            assert sympy.srepr(from_left(read.rhs)) == sympy.srepr(from_left(equation.rhs)), line
        assert read.lhs == equation.lhs


def from_left(expr: Any) -> Any:
    """The expression without parentheses around what is computed first anyway; a sign binds nothing."""
    if not expr.args or isinstance(expr, sympy.Indexed):
        return expr
    args = [from_left(arg) for arg in expr.args]
    if isinstance(expr, (sympy.Add, sympy.Mul)):
        sign = [args.pop(0)] if expr.args[0] == -1 and isinstance(expr, sympy.Mul) else []
        if isinstance(args[0], expr.func):
            args = [*args.pop(0).args, *args]
        sign, args = ([], args[1:]) if [*sign, args[0]] == [-1, -1] else (sign, args)
        args = [*sign, *args]
    return expr.func(*args, evaluate=False) if isinstance(expr, sympy.Piecewise) else expr.func(*args)
