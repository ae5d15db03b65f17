"""Emitted kernels under Triton's interpreter, through the torch class that launches them, against NumPy."""

from __future__ import annotations

import itertools
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import triton
import triton.language as tl

from optgen.build import compile

DEVICE = sys.modules[f"{compile('adamw', 'triton').__package__}._device"]
CHOICES: dict[str, dict[str, tuple[Any, ...]]] = {
    "adagrad": {"weight_decay": (0, 0.1), "lr_decay": (0, 0.01)},
    "adam": {"weight_decay": (0, 0.1), "amsgrad": (False, True)},
    "adamw": {"weight_decay": (0, 0.1), "amsgrad": (False, True)},
    "lion": {"weight_decay": (0, 0.1)},
    "rmsprop": {"weight_decay": (0, 0.1), "momentum": (0, 0.9), "centered": (False, True)},
    "sgd": {"weight_decay": (0, 0.1), "momentum": (0, 0.9), "nesterov": (False, True), "dampening": (0, 0.5)},
}


def settings(rule: str) -> list[dict[str, Any]]:
    """Every combination of the choices that the rule admits."""
    chosen = [dict(zip(CHOICES[rule], values, strict=True)) for values in itertools.product(*CHOICES[rule].values())]
    return [c for c in chosen if not c.get("nesterov") or (c["momentum"] and not c["dampening"])]


CASES = [(rule, hypers) for rule in CHOICES for hypers in settings(rule)]


def run(rule: str | Path, hypers: dict[str, Any], dtype: torch.dtype, steps: int = 3) -> tuple[Any, Any]:
    """Parameters after some steps of the launched kernels, and of the NumPy reference."""
    torch.manual_seed(0)
    params = [torch.nn.Parameter(torch.randn(shape, dtype=dtype)) for shape in [(40, 31), (), (1100,)]]
    arrays = [p.detach().numpy().copy() for p in params]
    torch_module, numpy_module = compile(rule, "torch"), compile(rule, "numpy")
    made = next(v for v in vars(torch_module).values() if isinstance(v, type) and v.__module__ == torch_module.__name__)
    optimizer = (
        made(params, **hypers, fused=True) if "fused" in made.__init__.__code__.co_varnames else made(params, **hypers)
    )
    for group in optimizer.param_groups:
        group["fused"] = True
    state = numpy_module.init(arrays, **hypers)
    for t in range(1, steps + 1):
        grads = [torch.randn_like(p) for p in params]
        for p, g in zip(params, grads, strict=True):
            p.grad = g
        optimizer.step()
        arrays, state = numpy_module.step(arrays, [g.numpy() for g in grads], state, t, **hypers)
    return [p.detach().numpy() for p in params], arrays


@pytest.mark.parametrize(("rule", "hypers"), CASES, ids=lambda x: str(x))
def test_every_variant_of_every_rule_equals_numpy_to_the_last_bit(rule: str, hypers: dict[str, Any]) -> None:
    got, want = run(rule, hypers, torch.float32)
    for one, other in zip(got, want, strict=True):
        assert np.array_equal(one, other), np.abs(one - other).max()


@pytest.mark.parametrize("rule", CHOICES)
def test_float64_is_computed_in_float64(rule: str) -> None:
    got, want = run(rule, settings(rule)[-1], torch.float64)
    for one, other in zip(got, want, strict=True):
        assert np.array_equal(one, other), np.abs(one - other).max()


RULE = '''"""Odd. Whatever a kernel can print."""
from optgen import (Abs, Eq, Max, Min, Piecewise, Rule, cos, exp, first, floor, hyper, log, sign, sin, t, tanh, tensors)

theta, g, m, u = tensors("theta g m u")
lr = hyper("lr", 0.01, at_least=0)
beta = hyper("beta", 0.9, at_least=0)
rule = Rule(
    param=theta, grad=g, state_keys={{m: "buffer"}},
    equations=[
        Eq(m[t], Piecewise((g[t], first), (beta * m[t - 1] + (1 - beta) * g[t], True))),
        Eq(u[t], {expression}),
        Eq(theta[t], theta[t - 1] - lr * u[t]),
    ],
)
'''

EXPRESSIONS = {
    "numbers as branches": "Piecewise((0.1, g[t] > 0.3), (m[t], g[t] < -0.3), (0.7, True))",
    "numbers as arguments": "Max(m[t], 0.1) + Min(g[t], 0.3)",
    "a condition of the host and one of elements": "Piecewise((g[t], (t > 1) & (g[t] > 0)), (0.1, True))",
    "a negated condition": "Piecewise((g[t], ~(g[t] > m[t]) | (t > 2)), (m[t] / 3, True))",
    "the reciprocal of a number": "1 / (m[t] ** 2 + 0.1)",
    "a power of a half": "(m[t] ** 2 + 0.1) ** -0.5",
    "powers": "(Abs(m[t]) + 0.1) ** 0.3 + m[t] ** 5",
    "a large power of a negative number": "(m[t] / 2) ** 17",
    "a power of a number": "2 ** m[t]",
    "exponentials": "exp(-Abs(m[t])) + log(1 + g[t] ** 2)",
    "circular functions": "sin(m[t]) + cos(g[t])",
    "hyperbolic tangents": "tanh(m[t]) + tanh(g[t] / 10000) + tanh(100 * g[t])",
    "signs and steps": "sign(m[t]) * floor(3 * g[t])",
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("name", EXPRESSIONS)
def test_whatever_can_be_printed_is_computed_as_numpy_does(name: str, dtype: torch.dtype, tmp_path: Path) -> None:
    path = tmp_path / "odd.py"
    path.write_text(RULE.format(expression=EXPRESSIONS[name]))
    got, want = run(path, {}, dtype)
    for one, other in zip(got, want, strict=True):
        np.testing.assert_allclose(one, other, rtol=32 * np.finfo(one.dtype).eps, atol=0.01 * np.finfo(one.dtype).eps)


@triton.jit
def _tanh(out, x, n: tl.constexpr):  # type: ignore[no-untyped-def]
    i = tl.arange(0, n)
    tl.store(out + i, DEVICE.tanh(tl.load(x + i)))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_hyperbolic_tangents_are_right_to_a_few_units_from_tiny_to_infinite(dtype: torch.dtype) -> None:
    x = torch.cat([torch.logspace(-37, 3, 1020, dtype=dtype), torch.tensor([0, -0.5, math.inf, math.nan], dtype=dtype)])
    out = torch.empty_like(x)
    _tanh[(1,)](out, x, 1024)
    np.testing.assert_allclose(out.numpy(), np.tanh(x.double().numpy()), rtol=4 * torch.finfo(dtype).eps)
