"""Device functions of rules that sum over rows or columns: tiles of a matrix, and its lines, which are rows or columns.

A program goes over one tile, ROWS rows at a time. Of each line that crosses it, and of the whole, it leaves what it has
summed, its part. A later launch adds the parts of each line up, in order, so that no sum depends on which program was
first. Parts and values of lines lie one plane after the other, each plane with a number for each line of the tensor.
"""

# mypy: disable-error-code="untyped-decorator"
# (Triton has no type hints.)

from __future__ import annotations

import triton
import triton.language as tl

from ._device import maximum

LINE = tl.constexpr(128)  # lines that a program finishes
TURN = tl.constexpr(16)  # parts of each that it adds in one turn


@triton.jit
def whole_rows(
    word: tl.tensor, height: tl.tensor, width: tl.tensor, ROWS: tl.constexpr, COLS: tl.constexpr
) -> tl.tensor:
    """How many rows of a tile the unmasked loop takes: whole turns, none of a slow tile or of one that is less wide."""
    return tl.where((word < 0) | (width < COLS), 0, height // ROWS * ROWS)


# As with blocks of elements, the masked loop takes half as much at a time, so that it has a layout of its own, and the
# promise of alignment stands on addresses that only the main loop computes.


@triton.jit
def load_tile(
    base: tl.tensor,
    at: tl.tensor,
    height: tl.tensor,
    width: tl.tensor,
    cols: tl.tensor,
    tail: tl.constexpr,
    ROWS: tl.constexpr,
    COLS: tl.constexpr,
    VEC: tl.constexpr,
    COMPUTE: tl.constexpr,
) -> tl.tensor:
    """Some rows of a tile from row `at` on, (rows, cols), in the compute dtype."""
    first = base + at * cols
    if tail:
        row, col = tl.arange(0, ROWS // 2)[:, None], tl.arange(0, COLS)[None, :]
        value = tl.load(first + row * cols.to(tl.int32) + col, mask=(at + row < height) & (col < width))
    else:
        size: tl.constexpr = base.dtype.element_ty.primitive_bitwidth // 8
        lines = first + tl.arange(0, ROWS)[:, None] * cols.to(tl.int32)
        value = tl.load(tl.multiple_of(lines, (VEC * size, VEC * size)) + tl.arange(0, COLS)[None, :])
    return value.to(COMPUTE)


@triton.jit
def store_tile(
    base: tl.tensor,
    value: tl.tensor,
    at: tl.tensor,
    height: tl.tensor,
    width: tl.tensor,
    cols: tl.tensor,
    tail: tl.constexpr,
    ROWS: tl.constexpr,
    COLS: tl.constexpr,
    VEC: tl.constexpr,
) -> None:
    """Write some rows of a tile from row `at` on, rounded to the stream's dtype."""
    first, value = base + at * cols, value.to(base.dtype.element_ty)
    if tail:
        row, col = tl.arange(0, ROWS // 2)[:, None], tl.arange(0, COLS)[None, :]
        tl.store(first + row * cols.to(tl.int32) + col, value, mask=(at + row < height) & (col < width))
    else:
        size: tl.constexpr = base.dtype.element_ty.primitive_bitwidth // 8
        lines = first + tl.arange(0, ROWS)[:, None] * cols.to(tl.int32)
        tl.store(tl.multiple_of(lines, (VEC * size, VEC * size)) + tl.arange(0, COLS)[None, :], value)


@triton.jit
def elements_of(
    first: tl.tensor, cols: tl.tensor, tail: tl.constexpr, HEIGHT: tl.constexpr, COLS: tl.constexpr, VEC: tl.constexpr
) -> tl.tensor:
    """The places in a tensor of some rows of a tile, from element `first` on, (rows, cols) int64.

    In the main loop rows begin at a multiple of VEC, and what stands before the last bits of a place is computed
    without these, so that the compiler sees it to be the same for VEC elements.
    """
    row, col = tl.arange(0, HEIGHT)[:, None], tl.arange(0, COLS)[None, :]
    line = first + row * cols
    return line + col if tail else ((line & -VEC) + (col & -VEC)) | (col & (VEC - 1))


@triton.jit
def inside(
    value: tl.tensor,
    empty: tl.constexpr,
    at: tl.tensor,
    height: tl.tensor,
    width: tl.tensor,
    tail: tl.constexpr,
    ROWS: tl.constexpr,
    COLS: tl.constexpr,
) -> tl.tensor:
    """Values of a turn; in the masked loop those beyond the tile are `empty`, which changes no sum."""
    if tail:
        row, col = tl.arange(0, ROWS // 2)[:, None], tl.arange(0, COLS)[None, :]
        value = tl.where((at + row < height) & (col < width), value, empty)
    return value


@triton.jit
def load_rows(
    base: tl.tensor, at: tl.tensor, height: tl.tensor, tail: tl.constexpr, ROWS: tl.constexpr, COMPUTE: tl.constexpr
) -> tl.tensor:
    """A number for each row of a turn, (rows, 1)."""
    if tail:
        row = at + tl.arange(0, ROWS // 2)
        value = tl.load(base + row, mask=row < height, other=0.0)
    else:
        value = tl.load(base + at + tl.arange(0, ROWS))
    return value.to(COMPUTE)[:, None]


@triton.jit
def load_cols(base: tl.tensor, width: tl.tensor, COLS: tl.constexpr, COMPUTE: tl.constexpr) -> tl.tensor:
    """A number for each column of a tile, (1, cols)."""
    col = tl.arange(0, COLS)
    return tl.load(base + col, mask=col < width, other=0.0).to(COMPUTE)[None, :]


@triton.jit
def put_rows(
    base: tl.tensor, value: tl.tensor, at: tl.tensor, height: tl.tensor, tail: tl.constexpr, ROWS: tl.constexpr
) -> None:
    """Write a number for each row of a turn."""
    if tail:
        row = at + tl.arange(0, ROWS // 2)
        tl.store(base + row, value, mask=row < height)
    else:
        tl.store(base + at + tl.arange(0, ROWS), value)


@triton.jit
def put_cols(base: tl.tensor, value: tl.tensor, width: tl.tensor, COLS: tl.constexpr) -> None:
    """Write a number for each column of a tile."""
    col = tl.arange(0, COLS)
    tl.store(base + col, value, mask=col < width)


@triton.jit
def highest_along(values: tl.tensor, axis: tl.constexpr) -> tl.tensor:
    """The largest along an axis; a NaN is kept, which tl.max drops."""
    lost = tl.max((values != values).to(tl.int32), axis) != 0
    return tl.where(lost, float("nan"), tl.max(values, axis))


@triton.jit
def lines_summed(
    parts: tl.tensor, line: tl.tensor, there: tl.tensor, count: tl.tensor, stride: tl.tensor
) -> tl.tensor:
    """The sum of the parts of each line, one in each of `count` planes."""
    sums = tl.full((TURN, LINE), 0.0, parts.dtype.element_ty)
    for first in tl.range(0, count, TURN, num_stages=1):
        plane = first + tl.arange(0, TURN)[:, None]
        sums += tl.load(parts + plane * stride + line[None, :], mask=(plane < count) & there[None, :], other=0.0)
    return tl.sum(sums, 0)


@triton.jit
def lines_largest(
    parts: tl.tensor, line: tl.tensor, there: tl.tensor, count: tl.tensor, stride: tl.tensor
) -> tl.tensor:
    """The largest of the parts of each line; a NaN is kept."""
    found = tl.full((TURN, LINE), -float("inf"), parts.dtype.element_ty)
    for first in tl.range(0, count, TURN, num_stages=1):
        plane = first + tl.arange(0, TURN)[:, None]
        mask = (plane < count) & there[None, :]
        found = maximum(found, tl.load(parts + plane * stride + line[None, :], mask=mask, other=-float("inf")))
    return highest_along(found, 0)


@triton.jit
def load_lines(base: tl.tensor, line: tl.tensor, there: tl.tensor, COMPUTE: tl.constexpr) -> tl.tensor:
    """A number for each line of a program."""
    return tl.load(base + line, mask=there, other=0.0).to(COMPUTE)


@triton.jit
def put_lines(base: tl.tensor, line: tl.tensor, value: tl.tensor, there: tl.tensor) -> None:
    """Write a number for each line of a program, rounded to the pointer's dtype."""
    tl.store(base + line, tl.where(there, value, value).to(base.dtype.element_ty), mask=there)
