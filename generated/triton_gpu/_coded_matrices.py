"""Device functions of rules over rows or columns with states in codes, of which some elements in a row make a block.

Blocks do not end where rows do. A tile can read codes, for it needs no more than the number that their block has in
common. They are written by a program that goes straight through the rows of a matrix, block by block, and looks at the
place of each element for what there is one of per row or column.
"""

# mypy: disable-error-code="untyped-decorator"
# (Triton has no type hints.)

from __future__ import annotations

import triton
import triton.language as tl

from ._codes import rows_of
from ._matrix_tiles import elements_of, load_tile


@triton.jit
def load_tile_codes(
    codes: tl.tensor,
    absmax: tl.tensor,
    numbers: tl.tensor,
    start: tl.tensor,
    at: tl.tensor,
    height: tl.tensor,
    width: tl.tensor,
    cols: tl.tensor,
    tail: tl.constexpr,
    ROWS: tl.constexpr,
    COLS: tl.constexpr,
    VEC: tl.constexpr,
    SIZE: tl.constexpr,
    HALVES: tl.constexpr,
    COMPUTE: tl.constexpr,
) -> tl.tensor:
    """What codes stand for, of some rows of a tile from row `at` on. HALVES: whether two share a byte, the first in the
    lower half. codes: from element `start` on, of halves all that the tensor has."""
    if not HALVES:
        code = load_tile(codes, at, height, width, cols, tail, ROWS, COLS, VEC, tl.int32)
    elif tail:
        i = elements_of(start + at * cols, cols, True, ROWS // 2, COLS, VEC)
        row, col = tl.arange(0, ROWS // 2)[:, None], tl.arange(0, COLS)[None, :]
        both = tl.load(codes + i // 2, mask=(at + row < height) & (col < width)).to(tl.int32)
        code = (both >> (i % 2 * 4).to(tl.int32)) & 15
    else:
        both = load_tile(codes + start // 2, at, height, width, cols // 2, False, ROWS, COLS // 2, VEC // 2, tl.int32)
        code = tl.reshape(tl.join(both & 15, both >> 4), (ROWS, COLS))
    largest = of_blocks(absmax, start, at, height, width, cols, tail, ROWS, COLS, VEC, SIZE)
    return (tl.load(numbers + code) * largest).to(COMPUTE)


@triton.jit
def of_blocks(
    absmax: tl.tensor,
    start: tl.tensor,
    at: tl.tensor,
    height: tl.tensor,
    width: tl.tensor,
    cols: tl.tensor,
    tail: tl.constexpr,
    ROWS: tl.constexpr,
    COLS: tl.constexpr,
    VEC: tl.constexpr,
    SIZE: tl.constexpr,
) -> tl.tensor:
    """What each SIZE elements of a tensor have in common, for some rows of a tile."""
    first = start + at * cols
    if tail:
        row, col = tl.arange(0, ROWS // 2)[:, None], tl.arange(0, COLS)[None, :]
        i = elements_of(first, cols, True, ROWS // 2, COLS, VEC)
        value = tl.load(absmax + i // SIZE, mask=(at + row < height) & (col < width))
    else:  # VEC elements lie in one block
        i = first + tl.arange(0, ROWS)[:, None] * cols + tl.arange(0, COLS // VEC)[None, :] * VEC
        value = tl.load(absmax + i // SIZE)
        value = tl.reshape(tl.broadcast_to(value[:, :, None], (ROWS, COLS // VEC, VEC)), (ROWS, COLS))
    return value


@triton.jit
def of_rows(
    base: tl.tensor,
    first: tl.tensor,
    cols: tl.tensor,
    at: tl.tensor,
    left: tl.tensor,
    tail: tl.constexpr,
    BLOCK: tl.constexpr,
    VEC: tl.constexpr,
    COMPUTE: tl.constexpr,
) -> tl.tensor:
    """The number of its row for each element of a turn. base: that of the row in which a program begins, in column
    `first`."""
    first, cols = first.to(tl.int32), cols.to(tl.int32)
    if tail:
        i = at + rows_of(BLOCK, 32)
        value = tl.load(base + (first + i) // cols, mask=i < left, other=0.0)
    else:  # rows are whole numbers of VEC elements
        i = (first + at) // VEC + tl.arange(0, BLOCK // VEC)
        value = tl.load(base + i // (cols // VEC))
        value = tl.reshape(tl.broadcast_to(value[:, None], (BLOCK // VEC, VEC)), (BLOCK,))
    return value.to(COMPUTE)


@triton.jit
def of_cols(
    base: tl.tensor,
    first: tl.tensor,
    cols: tl.tensor,
    at: tl.tensor,
    left: tl.tensor,
    tail: tl.constexpr,
    BLOCK: tl.constexpr,
    VEC: tl.constexpr,
    ALIGNED: tl.constexpr,
    COMPUTE: tl.constexpr,
) -> tl.tensor:
    """The number of its column for each element of a turn. base: that of the first column; what is there of a multiple
    of VEC columns lies at a multiple of ALIGNED numbers."""
    first, cols = first.to(tl.int32), cols.to(tl.int32)
    if tail:
        i = at + rows_of(BLOCK, 32)
        value = tl.load(base + (first + i) % cols, mask=i < left, other=0.0)
    else:
        i = tl.arange(0, BLOCK)
        col = ((first + at) // VEC + i // VEC) % (cols // VEC) * VEC + i % VEC
        aligned = tl.multiple_of(base + col, ALIGNED * (base.dtype.element_ty.primitive_bitwidth // 8))
        value = tl.load(tl.max_contiguous(aligned, VEC))
    return value.to(COMPUTE)
