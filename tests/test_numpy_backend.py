"""The NumPy reference: what it keeps is its own, and its arrays keep their shapes and dtypes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from optgen.build import compile
from optgen.dsl import Eq, Max, Piecewise, Rule, cols, hyper, mean, sqrt, t, tensors, total
from optgen.dsl.symbols import elems

theta, g, r, u, s = tensors("theta g r u s")
lr = hyper("lr", 0.5)


def rule() -> Rule:
    """One until the third step, then the gradient; the root and the sum need an array, of float32 where all is."""
    return Rule(
        param=theta,
        grad=g,
        equations=[
            Eq(r[t], Piecewise((mean(g[t] ** 2, cols), t > 2), (4, True))),
            Eq(u[t], Piecewise((g[t] ** 2, t > 2), (1, True))),
            Eq(s[t], total(u[t], elems)),
            Eq(theta[t], theta[t - 1] - lr * (sqrt(Max(u[t], 0.25)) + sqrt(r[t]) + s[t])),
        ],
        name="Settling",
    )


@pytest.mark.parametrize(("name", "hypers"), [("sgd", {"momentum": 0.9}), ("adan", {})])
def test_numpy_keeps_no_gradient_that_the_caller_may_overwrite(name: str, hypers: dict[str, float]) -> None:
    module = compile(name, "numpy")
    buffer, params = np.ones(3, np.float32), [np.zeros(3, np.float32)]
    _, (kept,) = module.step(params, [buffer], module.init(params, **hypers), 1, **hypers)
    before = {key: value.copy() for key, value in kept.items()}
    buffer[...] = 7
    for key, value in kept.items():
        np.testing.assert_array_equal(value, before[key])


@pytest.mark.parametrize(("step", "change"), [(1, 0.5 * (1 + 2 + 6)), (3, 0.5 * (3 + 3 + 54))])
def test_numpy_and_torch_give_it_the_shape_of_the_other_branch(step: int, change: float) -> None:
    start, grad = np.zeros((2, 3), np.float32), np.full((2, 3), 3, np.float32)
    (moved,), _ = compile(rule(), "numpy").step([start], [grad], [{}], step)
    assert moved.dtype == np.float32
    np.testing.assert_array_equal(moved, np.full((2, 3), -change, np.float32))
    param = torch.zeros(2, 3, requires_grad=True)
    optimizer = compile(rule(), "torch").Settling([param])
    for _ in range(step):
        with torch.no_grad():
            param.zero_()
        param.grad = torch.full((2, 3), 3.0)
        optimizer.step()
    torch.testing.assert_close(param.detach(), torch.full((2, 3), -change))
