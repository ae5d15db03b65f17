"""Stretches: the views as which a large parameter is stepped, so that what a step makes on its way stays in cache."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import cache

import torch
from torch import Tensor

from ._storage import in_memory

# Of each tensor, in the compute dtype, for each thread: a step holds some six at a time, which its cache holds. With a
# half of it the calls and the meetings of threads take longer than is gained.
_BYTES = 2**18


def length(dtype: torch.dtype, blocks: Sequence[int] = ()) -> int:
    """How many elements a stretch has that is computed in this dtype: whole blocks of each of these lengths."""
    threads = 1 if torch.compiler.is_compiling() else torch.get_num_threads()
    most, least = _BYTES * threads // dtype.itemsize, math.lcm(*blocks)
    return max(most // least, 1) * least


def in_stretches(
    tensors: Sequence[Tensor], length: int, elements: Sequence[int] | None = None
) -> Iterator[tuple[Tensor, ...]] | None:
    """Views of all tensors, the same `length` elements of each at a time. None if they are not dense in the memory of
    a CPU, do not lie alike, or if autograd or a compiler looks on.

    elements: for so many elements of the first tensor each has one, those with one for several in one row.
    """
    if torch.compiler.is_compiling() or torch.is_grad_enabled() or not all(map(_is_plain, tensors)):
        return None
    order, shape = in_memory(tensors[0]), tensors[0].shape
    shares = elements or [1] * len(tensors)
    alike = [x for x, share in zip(tensors, shares, strict=True) if share == 1]
    rows = [x for x, share in zip(tensors, shares, strict=True) if share > 1]
    if any(x.shape != shape or not x.permute(order).is_contiguous() for x in alike):
        return None
    if not all(x.is_contiguous() for x in rows):
        return None
    _keep_pages()
    flat = [x.permute(order).view(-1) if share == 1 else x for x, share in zip(tensors, shares, strict=True)]
    return zip(*(torch.split(x, length // share) for x, share in zip(flat, shares, strict=True)), strict=True)


@cache
def _keep_pages() -> None:
    """Has the allocator keep memory that stretches give back, for the next ones: glibc's returns it to the system, and
    pays for new pages each time, until it has seen a larger piece come back."""
    torch.empty(2**24, dtype=torch.uint8)


def _is_plain(x: Tensor) -> bool:
    return type(x) in (Tensor, torch.nn.Parameter) and x.device.type == "cpu"
