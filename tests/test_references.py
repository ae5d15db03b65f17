"""Agreement with published packages for the rules that torch has not, in float64 over 50 steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import lion_pytorch
import pytest
import pytorch_optimizer
import torch
from torch import Tensor
from torch.optim import Optimizer

from optgen import optim

STEPS = 50
CLOSE = 1e-12


@dataclass(frozen=True)
class Reference:
    """A published class; what it is given besides the settings; whether it counts steps for each parameter."""

    make: Callable[..., Optimizer]
    given: dict[str, Any] = field(default_factory=dict)
    counts: bool = False


LOOP = {"foreach": False}
REFERENCES = {
    "Adan": Reference(pytorch_optimizer.Adan, LOOP),
    "ADOPT": Reference(pytorch_optimizer.ADOPT, {**LOOP, "clip_lambda": lambda step: (step - 1) ** 0.25}),
    "AdEMAMix": Reference(pytorch_optimizer.AdEMAMix, {**LOOP, "weight_decouple": True}),
    "Lion": Reference(lion_pytorch.Lion, counts=True),
    "Signum": Reference(pytorch_optimizer.SignSGD, LOOP, counts=True),
    "Tiger": Reference(pytorch_optimizer.Tiger, LOOP, counts=True),
}
SETTINGS: dict[str, list[dict[str, Any]]] = {
    "Adan": [{}, {"weight_decay": 0.1}, {"lr": 0.05, "betas": (0.9, 0.8, 0.95), "eps": 1e-4}],
    "ADOPT": [{}, {"weight_decay": 0.1}, {"lr": 0.05, "betas": (0.8, 0.9), "eps": 1e-2}],
    "AdEMAMix": [{}, {"weight_decay": 0.1, "alpha": 2.0}, {"t_alpha_beta3": 20, "betas": (0.8, 0.9, 0.99)}],
    "Lion": [{}, {"weight_decay": 0.1}, {"lr": 0.01, "betas": (0.8, 0.9)}],
    "Signum": [{}, {"weight_decay": 0.1}, {"momentum": 0.0}],
    "Tiger": [{}, {"weight_decay": 0.1}, {"beta": 0.5, "lr": 0.01}],
}
CASES = [(name, settings) for name, several in SETTINGS.items() for settings in several]


def trained(make: Callable[..., Optimizer], settings: dict[str, Any], missing: bool) -> list[Tensor]:
    """Parameters after all steps. A group comes late; gradients are missing if the reference admits it."""
    random = torch.Generator().manual_seed(0)
    params = [
        torch.randn(shape, generator=random, dtype=torch.float64).requires_grad_()
        for shape in [(5, 3), (7,), (1,), (2, 3, 4)]
    ]
    optimizer = make(params[:-1], **settings)
    for step in range(STEPS):
        if step == STEPS // 2:
            optimizer.add_param_group({"params": params[-1:]})
        for at, param in enumerate(params):
            grad = torch.randn(param.shape, generator=random, dtype=torch.float64)
            param.grad = None if missing and step % 4 == 1 and at == step % 3 else grad
        optimizer.step()
    return [param.detach() for param in params]


@pytest.mark.parametrize(("name", "settings"), CASES, ids=[f"{name}-{settings}" for name, settings in CASES])
def test_it_computes_what_the_published_package_computes(name: str, settings: dict[str, Any]) -> None:
    reference = REFERENCES[name]
    theirs = trained(reference.make, {**settings, **reference.given}, reference.counts)
    for mine, wanted in zip(trained(getattr(optim, name), settings, reference.counts), theirs, strict=True):
        assert (mine - wanted).abs().max() <= CLOSE * wanted.abs().max()


def test_every_rule_that_torch_has_not_has_a_reference() -> None:
    assert {name for name in optim.__all__ if not hasattr(torch.optim, name)} == REFERENCES.keys()


def test_betas_in_the_wrong_order_would_be_seen() -> None:
    (mine, *_), (theirs, *_) = (
        trained(make, {"betas": betas}, False)
        for make, betas in ((optim.Lion, (0.9, 0.99)), (lion_pytorch.Lion, (0.99, 0.9)))
    )
    assert (mine - theirs).abs().max() > CLOSE
