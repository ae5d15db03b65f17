"""Agreement with published packages for the rules that torch has not, in float64 over 50 steps.

`python tests/test_references.py` prints how far each rule is from its reference, at worst and relative.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import lion_pytorch
import pytest
import torch
from every_class import stored_in
from references import REFERENCES, Kwargs, Reference
from torch import Tensor
from torch.optim import Optimizer

from optgen import optim

STEPS = 50
CASES = [(name, settings) for name, reference in REFERENCES.items() for settings in reference.settings]


@contextmanager
def in_double() -> Iterator[None]:
    """Everything in float64, the scalars that a package keeps in tensors too."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def refreshed(optimizer: Any, params: list[Tensor], random: torch.Generator, now: bool) -> dict[str, Any]:
    """What the step is given besides: every so often the squares of other gradients, which a reference that has
    `update_hessian` takes from where gradients are, before the step."""
    if not now:
        return {}
    samples = [None if p.grad is None else torch.randn(p.shape, generator=random) for p in params]
    if not hasattr(optimizer, "update_hessian"):
        held = sum(len(group["params"]) for group in optimizer.param_groups)
        return {"hessian": [None if s is None else s * s for s in samples[:held]]}
    grads = [p.grad for p in params]
    for of in (samples, grads):
        for p, grad in zip(params, of, strict=True):
            p.grad = grad
        if of is samples:
            optimizer.update_hessian()
    return {}


def trained(make: Callable[..., Optimizer], settings: Kwargs, reference: Reference) -> list[Tensor]:
    """Parameters after all steps. A group comes late and gradients are missing, if the reference admits it."""
    random, admits = torch.Generator().manual_seed(0), not settings.get(reference.unless)
    late, counts = reference.late and admits, reference.counts and admits
    with in_double():
        params = [torch.randn(shape, generator=random).requires_grad_() for shape in reference.shapes]
        optimizer = make(params[:-1] if late else params, **settings)
        for step in range(STEPS):
            if late and step == STEPS // 2:
                optimizer.add_param_group({"params": params[-1:]})
            for at, param in enumerate(params):
                grad = torch.randn(param.shape, generator=random)
                param.grad = None if counts and step % 4 == 1 and at % 3 == step % 3 else grad
            optimizer.step(**refreshed(optimizer, params, random, reference.every and step % reference.every == 0))
    return [param.detach() for param in params]


def difference(name: str, reference: Reference, settings: dict[str, Any]) -> float:
    """The largest difference in any parameter, relative to the largest value of that parameter."""
    both = [
        trained(make, given, reference)
        for make, given in ((getattr(optim, name), settings), (reference.make, {**settings, **reference.given}))
    ]
    return max(((a - b).abs().max() / b.abs().max()).item() for a, b in zip(*both, strict=True))


@pytest.mark.parametrize(("name", "settings"), CASES, ids=[f"{name}-{settings}" for name, settings in CASES])
def test_it_computes_what_the_published_package_computes(name: str, settings: dict[str, Any]) -> None:
    assert difference(name, REFERENCES[name], settings) <= REFERENCES[name].close


def test_every_rule_that_torch_has_not_has_a_reference() -> None:
    """One with storage formats is another's rule, whose numbers test_storage_torch.py compares with its own."""
    alone = {name for name in optim.__all__ if not stored_in(getattr(optim, name))}
    assert {name for name in alone if not hasattr(torch.optim, name)} == REFERENCES.keys()


def test_betas_in_the_wrong_order_would_be_seen() -> None:
    (mine, *_), (theirs, *_) = (
        trained(make, {"betas": betas}, REFERENCES["Lion"])
        for make, betas in ((optim.Lion, (0.9, 0.99)), (lion_pytorch.Lion, (0.99, 0.9)))
    )
    assert (mine - theirs).abs().max() > REFERENCES["Lion"].close


if __name__ == "__main__":
    for name, reference in REFERENCES.items():
        worst = max(difference(name, reference, settings) for settings in reference.settings)
        print(f"{name:15} {worst:.1e} over {STEPS} steps, {len(reference.settings)} settings")
