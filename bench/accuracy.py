"""Accuracy: how far a class ends from its reference, in float64, and how far a fused step is from its bound."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from bench.references import Kwargs, Reference
from bench.workloads import optimizer_rule
from optgen import compile, optim
from optgen.bounds import FP32
from optgen.verify import cases
from optgen.verify.lockstep import FEW, Tally, run
from optgen.verify.runners import Storage, torch_runner

STEPS = 50
MOST_VARIANTS = 9  # of one rule


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


def judged(name: str) -> Iterator[Tally]:
    """Steps in float32 as a user takes them on a CPU, in C where that is there, against their bounds.

    One tally for each class of shapes and each of a few variants.
    """
    rule, module, storage = optimizer_rule(name), compile(name, "torch"), Storage(FP32, FP32)
    variants = cases.variants(rule)
    for variant in variants[:: -(-len(variants) // MOST_VARIANTS)]:
        for shapes in cases.shapes_for(rule):
            values = cases.parameters(shapes, FP32, 1)
            runner = torch_runner(module, values, variant.hypers, shapes.layout, storage, fused=None)
            yield run(rule, runner, variant.hypers, shapes, storage, 1, FEW)
