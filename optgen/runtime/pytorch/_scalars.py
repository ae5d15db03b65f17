"""Functions of host scalars: of Python numbers, or of 0-d tensors where no value may be read."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ._hypers import Scalar


def _either(of_number: Callable[[float], float], of_tensor: Callable[[Tensor], Tensor]) -> Callable[[Scalar], Scalar]:
    def function(x: Scalar) -> Scalar:
        return of_tensor(x) if isinstance(x, Tensor) else of_number(x)

    return function


sqrt = _either(math.sqrt, torch.sqrt)
exp = _either(math.exp, torch.exp)
log = _either(math.log, torch.log)
sin = _either(math.sin, torch.sin)
cos = _either(math.cos, torch.cos)
tanh = _either(math.tanh, torch.tanh)
floor = _either(math.floor, torch.floor)
sign = _either(lambda x: x if x == 0 or x != x else math.copysign(1.0, x), torch.sign)


def choose(condition: bool | Tensor, yes: Callable[[], Any], no: Callable[[], Any]) -> Any:
    """What one of two functions returns; both are called where the condition is a tensor whose value is not read."""
    if not isinstance(condition, Tensor):
        return yes() if condition else no()
    a, b = yes(), no()
    if not (isinstance(a, Tensor) or isinstance(b, Tensor)):
        a = torch.tensor(a, dtype=torch.float64, device=condition.device)
    return torch.where(condition, a, b)


def negated(condition: bool | Tensor) -> bool | Tensor:
    """Not; Python's own would read a tensor, and ~ makes -2 of True."""
    return ~condition if isinstance(condition, Tensor) else not condition


def maximum(a: Scalar, b: Scalar) -> Scalar:
    """The larger of two; a NaN in either is kept."""
    if isinstance(a, Tensor) or isinstance(b, Tensor):
        return torch.maximum(*_tensors(a, b))
    return a if a >= b or a != a else b


def minimum(a: Scalar, b: Scalar) -> Scalar:
    """The smaller of two; a NaN in either is kept."""
    if isinstance(a, Tensor) or isinstance(b, Tensor):
        return torch.minimum(*_tensors(a, b))
    return a if a <= b or a != a else b


def _tensors(a: Scalar, b: Scalar) -> tuple[Tensor, Tensor]:
    like = a if isinstance(a, Tensor) else b
    assert isinstance(like, Tensor)
    a, b = (torch.as_tensor(x, dtype=like.dtype, device=like.device) for x in (a, b))
    return a, b
