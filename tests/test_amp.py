"""Mixed precision: under a GradScaler every class steps as without one, and skips a step that overflows altogether."""

from __future__ import annotations

import copy
import math
from typing import Any

import needs
import pytest
import torch
from every_class import CLASSES, INTERPRETED, equal
from torch import Tensor
from torch.optim import Optimizer

from optgen import optim

# Whether a step unscales and skips by itself, as fused ones do, or leaves it to the scaler.
FUSED, WANTED = ("cuda", ()) if INTERPRETED else ("cpu", needs.a_c_compiler)  # whose fused steps are made here
STEPPED = [
    *(pytest.param(cls, False, id=f"{cls.__name__}-eager") for cls in CLASSES),
    *(pytest.param(cls, True, id=f"{cls.__name__}-fused", marks=WANTED) for cls in CLASSES if FUSED in cls.rule.fused),
]
either = pytest.mark.parametrize(("cls", "supports"), STEPPED)
EAGER = [cls for cls in CLASSES if "cpu" not in cls.rule.fused]
OVERFLOWS = {2, 5}
STEPS = 8


def made(cls: type[Optimizer], supports: bool | None) -> tuple[Optimizer, list[Tensor]]:
    make = torch.Generator().manual_seed(0)
    params = [torch.randn(shape, generator=make).requires_grad_() for shape in ((3, 4), (5,), ())]
    kwargs = {"momentum": 0.9} if cls is optim.SGD else {}
    groups = [{"params": params[:1]}, {"params": params[1:], "lr": 0.05}]
    return cls([{**group, "fused": supports} for group in groups], **kwargs), params


def loss_of(params: list[Tensor], step: int) -> Tensor:
    make = torch.Generator().manual_seed(100 + step)
    return sum((p * torch.randn(p.shape, generator=make)).sum() for p in params)  # type: ignore[return-value]


def all_of(optimizer: Optimizer, params: list[Tensor]) -> Any:
    return copy.deepcopy([[p.detach() for p in params], optimizer.state_dict()["state"]])


@either
@pytest.mark.parametrize("unscaled_first", [False, True])
def test_a_scaled_run_is_the_plain_run_without_the_steps_that_overflow(
    cls: type[Optimizer], supports: bool, unscaled_first: bool
) -> None:
    """The scale is a power of two, so that unscaling is exact and equality is to the bit."""
    optimizer, params = made(cls, supports)
    plain, others = made(cls, supports)
    assert optimizer._step_supports_amp_scaling is supports  # type: ignore[attr-defined]
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10, growth_interval=2)
    for step in range(STEPS):
        optimizer.zero_grad()
        plain.zero_grad()
        scaler.scale(loss_of(params, step)).backward()
        before = all_of(optimizer, params)
        if step in OVERFLOWS:
            assert params[step % 3].grad is not None
            params[step % 3].grad.fill_(math.inf if step == 2 else math.nan)  # type: ignore[union-attr]
        else:
            loss_of(others, step).backward()
            plain.step()
        if unscaled_first:
            scaler.unscale_(optimizer)
        scaler.step(optimizer)
        scaler.update()
        if step in OVERFLOWS:
            assert equal(all_of(optimizer, params), before)
        assert equal(all_of(optimizer, params), all_of(plain, others))
    assert scaler.get_scale() == 2.0 ** (10 + 1 - 1 + 1 - 1 + 1)  # grown after two good steps, halved by a bad one
    counts = [state["step"].item() for state in optimizer.state.values() if "step" in state]
    assert set(counts) <= {STEPS - len(OVERFLOWS)}


@either
def test_an_overflow_in_the_first_step_leaves_no_state_that_counts(cls: type[Optimizer], supports: bool) -> None:
    optimizer, params = made(cls, supports)
    before = [p.detach().clone() for p in params]
    scaler = torch.amp.GradScaler("cpu")
    scaler.scale(loss_of(params, 0)).backward()
    params[0].grad.fill_(math.inf)  # type: ignore[union-attr]
    scaler.step(optimizer)
    scaler.update()
    assert equal([p.detach() for p in params], before)
    assert all(state["step"] == 0 for state in optimizer.state.values() if "step" in state)
    fresh, others = made(cls, supports)
    for one, its in ((optimizer, params), (fresh, others)):
        one.zero_grad()
        loss_of(its, 1).backward()
        one.step()
    assert equal(all_of(optimizer, params), all_of(fresh, others))


@either
def test_gradients_are_left_as_they_were_scaled(cls: type[Optimizer], supports: bool) -> None:
    """A step that unscales does so in a copy: accumulation may go on from the scaled gradient."""
    optimizer, params = made(cls, supports)
    scaler = torch.amp.GradScaler("cpu", init_scale=8.0)
    scaler.scale(loss_of(params, 0)).backward()
    if not supports:
        scaler.unscale_(optimizer)
    grads = [p.grad.clone() for p in params if p.grad is not None]
    scaler.step(optimizer)
    assert equal([p.grad for p in params], grads)
    assert not hasattr(optimizer, "grad_scale")
    assert not hasattr(optimizer, "found_inf")


@pytest.mark.parametrize("cls", EAGER, ids=lambda cls: cls.__name__)
def test_a_class_without_a_fused_step_refuses_to_be_fused_and_steps_without(cls: type[Optimizer]) -> None:
    asked, params = made(cls, True)
    before = all_of(asked, params)
    loss_of(params, 0).backward()
    with pytest.raises(RuntimeError, match="`fused=True` is not possible: this rule has no fused step"):
        asked.step()
    assert equal(all_of(asked, params), before)
    free, others = made(cls, None)
    plain, wanted = made(cls, False)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10)
    scaler.scale(loss_of(others, 0)).backward()
    scaler.step(free)
    loss_of(wanted, 0).backward()
    plain.step()
    assert equal(all_of(free, others), all_of(plain, wanted))


def test_the_classes_without_a_fused_step_are_those_with_products() -> None:
    assert [cls.__name__ for cls in EAGER] == ["Muon"]
