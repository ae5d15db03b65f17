"""Rounding to bfloat16: NumPy's and the oracle's are torch's, in float32 and float64, and every backend has it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import optgen
from optgen.bounds import EXACT, FLOAT, FP32, FP64, MULTI, Machine
from optgen.bounds.rounding import to_bfloat16 as bounded_bfloat16
from optgen.dsl import Eq, Rule, hyper, literal, matmul, rounded, t, tensors, transpose
from optgen.errors import RuleError
from optgen.runtime.numpy_ref._rounding import to_bfloat16
from optgen.verify import passed, verify_rule

theta, g, m = tensors("theta g m")
lr = hyper("lr", 0.1, at_least=0)


def numbers() -> Any:
    """Of all magnitudes, with ties, both zeros, subnormals, what overflows, and what is no number."""
    draw = np.random.default_rng(0)
    wild = draw.normal(size=20_000) * 10.0 ** draw.uniform(-45, 38, 20_000)
    bits = draw.integers(0, 2**16, 20_000).astype(np.uint32) << 16
    ties = (bits | 0x8000).astype(np.uint32).view(np.float32)
    beside = np.nextafter(ties, np.float32(0))
    odd = [0.0, -0.0, np.inf, -np.inf, np.nan, 3.3895314e38, 3.4e38, -3.4e38, 1e-40, 2.0**-134, 3 * 2.0**-134]
    with np.errstate(all="ignore"):
        return np.concatenate([wild, ties, beside, odd]).astype(np.float32)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_numpy_rounds_as_torch(dtype: Any) -> None:
    x = numbers().astype(dtype)
    made = to_bfloat16(x)
    assert made.dtype == dtype
    assert np.array_equal(made, torch.from_numpy(x).bfloat16().double().numpy(), equal_nan=True)
    assert np.array_equal(np.signbit(made[x == 0]), np.signbit(x[x == 0]))


@pytest.mark.parametrize("reals", [FLOAT, MULTI])
def test_the_oracle_rounds_as_torch(reals: Any) -> None:
    x = numbers()[::20 if reals is MULTI else 1].astype(np.float64)
    with np.errstate(all="ignore"):
        exact = Machine(EXACT, EXACT, EXACT, reals=reals)
        made = bounded_bfloat16(exact, exact.tensor(x)).value
    assert np.array_equal(np.asarray(made, float), torch.from_numpy(x).bfloat16().double().numpy(), equal_nan=True)


def test_a_bound_reaches_to_the_other_neighbour_only_where_it_may_be_the_nearest() -> None:
    machine = Machine(FP32, FP32, FP32)
    tie, step = 1 + 2.0**-8, 2.0**-7
    x = machine.multiply(machine.tensor(np.asarray([tie * 3, 3.0])), machine.tensor(np.asarray(1 / 3)))
    made = bounded_bfloat16(machine, x)
    assert made.error[0] == step
    assert made.error[1] == 0
    assert not made.edge.any()
    assert Machine(FP64, FP64, FP64, reals=MULTI).compute is FP64


@pytest.mark.parametrize("product", [False, True])
def test_every_backend_rounds_within_the_bound(product: bool) -> None:
    with literal():
        square = rounded(matmul(m[t], transpose(m[t])), "bfloat16")
        update = matmul(rounded(square, "bfloat16"), m[t]) if product else rounded(m[t] / (1 + m[t] ** 2), "bfloat16")
        rule = Rule(param=theta, grad=g, name="Coarse", equations=[
            Eq(m[t], rounded(0.9 * m[t - 1] + g[t], "bfloat16")), Eq(theta[t], theta[t - 1] - lr * update)])
    backends = ("numpy", "torch") if product else ("numpy", "torch", "c")
    rows = verify_rule(rule, {name: optgen.compile(rule, "torch" if name == "c" else name) for name in backends})
    assert passed(rows), [row.reason for row in rows if row.reason]


def test_none_leaves_a_number_as_it_is_and_another_format_is_refused() -> None:
    assert rounded(g[t], None) == g[t]
    with pytest.raises(RuleError, match="rounded is given the format 'fp4'"):
        rounded(g[t], "fp4")
