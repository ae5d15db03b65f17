"""Stretches: the views as which a large parameter is stepped, so that what a step makes on its way stays in cache."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache

import torch
from torch import Tensor

# Of each tensor, in the compute dtype: a step holds some ten at a time. With a quarter of it the calls and the meetings
# of threads take longer than is gained; twice as much leaves the cache.
_BYTES = 2**20


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
    _keep_pages()
    return zip(*(torch.split(x.permute(order).view(-1), length) for x in tensors), strict=True)


@cache
def _keep_pages() -> None:
    """Has the allocator keep memory that stretches give back, for the next ones: glibc's returns it to the system, and
    pays for new pages each time, until it has seen a larger piece come back."""
    torch.empty(16 * _BYTES, dtype=torch.uint8)


def _is_plain(x: Tensor) -> bool:
    return type(x) in (Tensor, torch.nn.Parameter) and x.device.type == "cpu"
