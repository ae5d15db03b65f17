"""Device functions of rules with reductions: what a program sums of its chunk, and what is made of these parts.

No sum depends on the order in which programs run: each leaves its part in a place of its own, and parts are added up in
an order that depends on their number only.
"""

# mypy: disable-error-code="untyped-decorator"
# (Triton has no type hints.)

from __future__ import annotations

import triton
import triton.language as tl

from ._device import maximum

PARTS = tl.constexpr(512)  # that are added up in one turn


@triton.jit
def inside(
    value: tl.tensor,
    empty: tl.constexpr,
    at: tl.tensor,
    left: tl.tensor,
    tail: tl.constexpr,
    BLOCK: tl.constexpr,
) -> tl.tensor:
    """A block of values; in the masked loop those past the end are `empty`, which changes no sum."""
    if tail:
        value = tl.where(at + tl.arange(0, BLOCK // 2) < left, value, empty)
    return value


@triton.jit
def highest(values: tl.tensor) -> tl.tensor:
    """The largest of a block; a NaN is kept, which tl.max drops."""
    lost = tl.max((values != values).to(tl.int32)) != 0
    return tl.where(lost, float("nan"), tl.max(values))


@triton.jit
def summed(parts: tl.tensor, count: tl.tensor, STRIDE: tl.constexpr) -> tl.tensor:
    """The sum of a column of parts."""
    sums = tl.full((PARTS,), 0.0, parts.dtype.element_ty)
    for first in tl.range(0, count, PARTS, num_stages=1):
        i = first + tl.arange(0, PARTS)
        sums += tl.load(parts + i.to(tl.int64) * STRIDE, mask=i < count, other=0.0)
    return tl.sum(sums)


@triton.jit
def largest(parts: tl.tensor, count: tl.tensor, STRIDE: tl.constexpr) -> tl.tensor:
    """The largest of a column of parts; a NaN is kept."""
    found = tl.full((PARTS,), -float("inf"), parts.dtype.element_ty)
    for first in tl.range(0, count, PARTS, num_stages=1):
        i = first + tl.arange(0, PARTS)
        found = maximum(found, tl.load(parts + i.to(tl.int64) * STRIDE, mask=i < count, other=-float("inf")))
    return highest(found)


@triton.jit(do_not_specialize=["count"])
def combine(
    parts: tl.tensor,
    common: tl.tensor,
    count: tl.tensor,
    COLUMN: tl.constexpr,
    STRIDE: tl.constexpr,
    PLACE: tl.constexpr,
    LARGEST: tl.constexpr,
) -> None:
    """One program: the sum or the largest of all parts, for all tensors."""
    if LARGEST:
        tl.store(common + PLACE, largest(parts + COLUMN, count, STRIDE))
    else:
        tl.store(common + PLACE, summed(parts + COLUMN, count, STRIDE))
