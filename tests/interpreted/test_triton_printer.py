"""Random expressions in Triton's language, run by the interpreter in float64, give what the author's order gives."""

from __future__ import annotations

import importlib.util
import itertools
import operator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import triton
from drawn_expressions import EXACT, FLAGS, SCALARS, TENSORS, Library, Tree, build, trees, value
from hypothesis import HealthCheck, given, settings

from optgen.dsl import literal
from optgen.languages import TRITON
from optgen.printers import to_text

POINTS = 16
KERNEL = """
import triton
import triton.language as tl
from optgen.runtime.triton_gpu._device import div, maximum, minimum, power, sign, sqrt, tanh, truth


@triton.jit
def kernel(x_at, y_at, z_at, out, row, STRICT: tl.constexpr, COMPUTE: tl.constexpr):
    at = tl.arange(0, 16)
    x = tl.load(x_at + at)
    y = tl.load(y_at + at)
    z = tl.load(z_at + at)
    a = tl.load(row + 0)
    b = tl.load(row + 1)
    p = truth(row + 2)
    q = truth(row + 3)
    tl.store(out + at, {})
"""
LIBRARY = Library(
    {"sqrt": np.sqrt, "abs": np.abs, "sign": np.sign, "floor": np.floor, "exp": np.exp, "log": np.log, "cos": np.cos,
     "sin": np.sin, "max": np.maximum, "min": np.minimum, "eq": operator.eq, "ne": operator.ne,
     "not": np.logical_not, "and": operator.and_, "or": operator.or_}, np.where, multiplied_out=16)
ULP = 2.0**-52


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A folder, and the numbers of the files in it: Triton reads a kernel from its file."""
    return tmp_path_factory.mktemp("kernels"), itertools.count()


def values() -> dict[str, Any]:
    random = np.random.default_rng(0)
    made: dict[str, Any] = {n: random.standard_normal(POINTS) * 10.0 ** random.integers(-3, 3, POINTS) for n in TENSORS}
    made["y"][:4] = made["x"][:4]
    made["z"][3:5] = 0.0
    return made | dict(zip((*SCALARS, *FLAGS), (0.3, 1.7, True, False), strict=True))


def computed(folder: Any, tree: Tree, given: dict[str, Any]) -> np.ndarray[Any, Any]:
    """What the printed tree computes."""
    place, numbers = folder
    name = f"kernel_{next(numbers)}"
    with literal():
        line = to_text(build(tree), TRITON)
    path: Path = place / f"{name}.py"
    path.write_text(KERNEL.format(line))
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    row = torch.tensor([float(given[n]) for n in (*SCALARS, *FLAGS)], dtype=torch.float64)
    out = torch.empty(POINTS, dtype=torch.float64)
    module.kernel[(1,)](*(torch.tensor(given[n]) for n in TENSORS), out, row, STRICT=True,
                        COMPUTE=triton.language.float64)
    return out.numpy()


@given(tree=trees(TENSORS, (*EXACT, "exp", "log", "cos", "sin")))
@settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_kernel_computes_in_the_author_s_order(folder: Any, tree: Tree) -> None:
    points = values()
    with np.errstate(all="ignore"):
        wanted = np.broadcast_to(value(tree, LIBRARY, points), (POINTS,)).astype(np.float64)
        got = computed(folder, tree, points)
    assert np.array_equal(got.view(np.int64)[~np.isnan(wanted)], wanted.view(np.int64)[~np.isnan(wanted)])
    assert np.array_equal(np.isnan(got), np.isnan(wanted))


@pytest.mark.parametrize("exponent", [0.5, 2.0, 1.7, 3.0])
def test_a_power_is_within_the_error_of_its_exponential(folder: Any, exponent: float) -> None:
    """exp2(y * log2(x)): the product carries |y log2 x| u, the exponential ln 2 of it, each function a few u more."""
    points = values() | {"a": exponent}
    got = computed(folder, ("power", ("abs", ("name", "x")), ("name", "a")), points)
    size = np.abs(points["x"])
    bound = (4 + 2 * np.abs(exponent * np.log2(size))) * ULP * size**exponent
    assert np.all(np.abs(got - size**exponent) <= bound)


def test_a_hyperbolic_tangent_is_within_eight_units_of_the_last_place(folder: Any) -> None:
    points = values()
    got = computed(folder, ("tanh", ("name", "x")), points)
    assert np.all(np.abs(got - np.tanh(points["x"])) <= 8 * ULP * np.abs(np.tanh(points["x"])))
