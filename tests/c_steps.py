"""Steps in C and their eager twins: parameters, gradients, and how near their results must come."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.optim import Optimizer


def set_grads(params: list[Tensor], seed: int) -> None:
    make = torch.Generator().manual_seed(seed)
    for param in params:
        values = torch.randn(param.shape, generator=make, dtype=torch.float64)
        param.grad = torch.empty_like(param, memory_format=torch.contiguous_format).copy_(values)


def stepped(params: list[Tensor], optimizer: Optimizer, steps: int = 3) -> None:
    for step in range(steps):
        set_grads(params, 100 + step)
        optimizer.step()


def some(*shapes: tuple[int, ...], dtype: torch.dtype = torch.float32) -> list[Tensor]:
    make = torch.Generator().manual_seed(0)
    return [torch.randn(shape, generator=make).to(dtype).requires_grad_() for shape in shapes]


def twin(params: list[Tensor]) -> list[Tensor]:
    """The same values, strides included."""
    return [p.detach().clone(memory_format=torch.preserve_format).requires_grad_() for p in params]


def assert_agree(a: Any, b: Any, places: float = 8) -> None:
    """max|a - b| / max|b| is a few units in the last place; numbers below 1 count as parts of 1."""
    few = places * torch.finfo(a.dtype).eps
    largest = max(1.0, float(b.detach().abs().max())) if b.numel() else 1.0
    torch.testing.assert_close(a.double(), b.double(), rtol=few, atol=few * largest)


def eagerly_stepped(package: str, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of the parameters that the classes of a package step eagerly from now on."""
    calls: list[int] = []
    module = import_module(f"{package}._run")
    own = module.run

    def run(ones: list[Any]) -> None:
        calls.extend(one.param.numel() for one in ones if one.param.numel())
        own(ones)

    monkeypatch.setattr(module, "run", run)
    return calls
