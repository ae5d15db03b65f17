"""Stretches: the views as which a large parameter is stepped, so that what a step makes on its way stays in cache."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

# Of each tensor, in the compute dtype: a step holds some ten at a time. With half of it the calls take longer than is
# gained; twice as much leaves the cache, and is more than the allocator keeps from one operation to the next.
_BYTES = 2**18


def length(dtype: torch.dtype) -> int:
    """How many elements a stretch has that is computed in this dtype."""
    return _BYTES // dtype.itemsize


def in_stretches(tensors: Sequence[Tensor], length: int) -> Iterator[tuple[Tensor, ...]] | None:
    """Views of all tensors, the same `length` elements of each at a time. None if they are not dense in the memory of
    a CPU, do not lie alike, or if autograd or a compiler looks on.
    """
    if torch.compiler.is_compiling() or torch.is_grad_enabled() or not all(map(_is_plain, tensors)):
        return None
    strides = tensors[0].stride()
    order = sorted(range(len(strides)), key=strides.__getitem__, reverse=True)
    if any(x.shape != tensors[0].shape or not x.permute(order).is_contiguous() for x in tensors):
        return None
    return zip(*(torch.split(x.permute(order).view(-1), length) for x in tensors), strict=True)


def _is_plain(x: Tensor) -> bool:
    return type(x) in (Tensor, torch.nn.Parameter) and x.device.type == "cpu"
