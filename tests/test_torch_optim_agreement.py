"""Agreement of the generated classes with torch.optim, over 200 steps and every flag."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.optim import Optimizer

from optgen import optim

STEPS = 200
# Both sides compute in float64 with some ten roundings a step, which a contraction never amplifies past a thousandfold.
FLOAT64 = 1e-12
# Float32 is judged by torch's own distance from its float64 run: no more than a few times as far.
FLOAT32_RATIO = 8.0
LOOP = {"foreach": False, "differentiable": False}

ADAM = [
    {},
    {"lr": 0.05, "betas": (0.8, 0.95), "eps": 1e-6},
    {"weight_decay": 0.1},
    {"amsgrad": True},
    {"maximize": True},
    {"weight_decay": 0.1, "amsgrad": True, "maximize": True},
    {"foreach": True},
    {"differentiable": True},
    {"betas": (0.0, 0.0)},
    {"lr": torch.tensor(0.01, dtype=torch.float64)},
    {"lr": 0.0},
]
COMMON: list[dict[str, Any]] = [
    {},
    {"lr": 0.003},
    {"weight_decay": 0.1},
    {"weight_decay": 0.1, "maximize": True},
    {"foreach": True},
    {"differentiable": True},
    {"lr": torch.tensor(0.01, dtype=torch.float64)},
]
BETAS = [*COMMON, {"lr": 0.05, "betas": (0.8, 0.95), "eps": 1e-6}]
CASES: dict[str, list[dict[str, Any]]] = {
    "Adam": [*ADAM, {"weight_decay": 0.1, "decoupled_weight_decay": True}],
    "AdamW": ADAM,
    "SGD": [
        {},
        {"weight_decay": 0.1},
        {"momentum": 0.9},
        {"momentum": 0.9, "dampening": 0.5},
        {"momentum": 0.9, "nesterov": True},
        {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1, "maximize": True},
        {"maximize": True},
        {"foreach": True},
        {"momentum": 0.9, "differentiable": True},
        {"lr": torch.tensor(0.01, dtype=torch.float64)},
        {"dampening": 0.5},
    ],
    "RMSprop": [
        {},
        {"weight_decay": 0.1},
        {"momentum": 0.9},
        {"centered": True},
        {"momentum": 0.9, "centered": True, "weight_decay": 0.1},
        {"maximize": True, "momentum": 0.5},
        {"foreach": True},
        {"differentiable": True},
        {"alpha": 0.5, "eps": 1e-4},
        {"lr": torch.tensor(0.01, dtype=torch.float64)},
    ],
    "Adagrad": [
        {},
        {"weight_decay": 0.1},
        {"lr_decay": 0.01},
        {"initial_accumulator_value": 0.5, "lr_decay": 0.1},
        {"maximize": True},
        {"foreach": True},
        {"differentiable": True},
        {"lr": torch.tensor(0.01, dtype=torch.float64), "eps": 1e-6},
    ],
    "NAdam": [*BETAS, {"weight_decay": 0.1, "decoupled_weight_decay": True}, {"momentum_decay": 0.1}],
    "RAdam": [*BETAS, {"weight_decay": 0.1, "decoupled_weight_decay": True}, {"betas": (0.9, 0.5)}],
    "Adamax": BETAS,
    "Adadelta": [*COMMON, {"rho": 0.5, "eps": 1e-3}, {"rho": 1.0}],
    "ASGD": [*COMMON, {"lambd": 0.1, "alpha": 0.5}, {"t0": 20.0}, {"t0": 20.0, "weight_decay": 0.1}],
    "Adafactor": [
        {}, {"weight_decay": 0.1, "lr": 0.05}, {"maximize": True}, {"foreach": True}, {"beta2_decay": -0.5},
        {"d": 1.5, "eps": (1e-3, 0.1)}, {"lr": torch.tensor(0.01, dtype=torch.float64)},
    ],
    "Rprop": [
        *(case for case in COMMON if "weight_decay" not in case),
        {"etas": (0.3, 1.5)},
        {"step_sizes": (1e-3, 0.02), "maximize": True},
    ],
}
PAIRS = [(name, case) for name, cases in CASES.items() for case in cases]


def named(pair: tuple[str, dict[str, Any]]) -> str:
    return pair[0] + "".join(f"-{key}={float(v) if isinstance(v, Tensor) else v}" for key, v in pair[1].items())


def parameters(dtype: torch.dtype) -> list[Tensor]:
    """Parameters of every kind of shape and layout, from one seed."""
    make = torch.Generator().manual_seed(1)
    shapes = [(3, 4), (5,), (), (0,), (2, 3, 4, 5), (33, 7)]
    found = [torch.randn(shape, generator=make, dtype=torch.float64).to(dtype) for shape in shapes]
    found[4] = found[4].contiguous(memory_format=torch.channels_last)
    found[5] = found[5].t()
    return found


def gradients(params: list[Tensor], steps: int) -> Iterator[None]:
    """Sets the same gradients at each call with the same shapes; every third step one parameter has none."""
    make = torch.Generator().manual_seed(2)
    for step in range(steps):
        for position, param in enumerate(params):
            grad = torch.randn(param.shape, generator=make, dtype=torch.float64).to(param.dtype)
            param.grad = None if step % 3 == 1 and position == step % len(params) else grad
        yield


def trained(make: Callable[..., Optimizer], case: dict[str, Any], dtype: torch.dtype) -> list[Tensor]:
    """The parameters after all steps. A differentiable step writes in place, which autograd allows for no leaf."""
    params = [p.requires_grad_(not case.get("differentiable")) for p in parameters(dtype)]
    if make.__name__ == "Adafactor":  # torch's divides by the number of elements
        params = [p for p in params if p.numel()]
    optimizer = make(
        params, **{key: value.clone() if isinstance(value, Tensor) else value for key, value in case.items()}
    )
    for _ in gradients(params, STEPS):
        optimizer.step()
    return [p.detach() for p in params]


def difference(got: list[Tensor], wanted: list[Tensor]) -> float:
    """The largest max|a - b| / max|b| of a tensor."""
    pairs = [(a.double(), b.double()) for a, b in zip(got, wanted, strict=True) if b.numel()]
    return max(((a - b).abs().max() / b.abs().max()).item() for a, b in pairs)


def reference(name: str, case: dict[str, Any], dtype: torch.dtype) -> list[Tensor]:
    """What the for-loop of torch computes. Its differentiable step raises betas to a power in float32.

    NAdam and ASGD keep scalars (mu_product, eta, mu) in the default dtype, whatever that of the parameter is.
    """
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        made = getattr(torch.optim, name)
        loop = {flag: value for flag, value in LOOP.items() if flag in inspect.signature(made).parameters}
        return trained(made, {**case, **loop}, dtype)
    finally:
        torch.set_default_dtype(before)


@pytest.mark.parametrize(("name", "case"), PAIRS, ids=[named(pair) for pair in PAIRS])
def test_float64_agrees_with_torch(name: str, case: dict[str, Any]) -> None:
    got = trained(getattr(optim, name), case, torch.float64)
    assert difference(got, reference(name, case, torch.float64)) <= FLOAT64


@pytest.mark.parametrize(("name", "case"), PAIRS, ids=[named(pair) for pair in PAIRS])
def test_float32_is_about_as_exact_as_torch(name: str, case: dict[str, Any]) -> None:
    exact = reference(name, case, torch.float64)
    theirs = difference(reference(name, case, torch.float32), exact)
    ours = difference(trained(getattr(optim, name), case, torch.float32), exact)
    assert ours <= FLOAT32_RATIO * theirs + torch.finfo(torch.float32).eps
