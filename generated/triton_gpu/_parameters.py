"""Device functions of parameters in bfloat16, with what keeps small updates from being rounded away.

Each format makes float32 numbers of a parameter and of what is stored beside it, if anything is, and parts them again:
the bits of NumPy, but for what stands in a NaN where a GPU rounds to nearest.
"""

# mypy: disable-error-code="untyped-decorator"
# (Triton has no type hints.)

from __future__ import annotations

import triton
import triton.language as tl

from ._device import put
from ._matrix_tiles import elements_of


@triton.jit
def whole_at(pointer: tl.tensor) -> tl.tensor:
    """A whole number of 32 bits, whose halves stand in a row, which float32 could not hold together."""
    return tl.load(pointer).to(tl.uint32) | (tl.load(pointer + 1).to(tl.uint32) << 16)


@triton.jit
def put_halves(pointer: tl.tensor, value: tl.tensor, mask: tl.tensor) -> None:
    """Write the halves of whole numbers of 32 bits, the lower one first."""
    upper = tl.floor(value * 2.0**-16)
    put(pointer, value - 2.0**16 * upper, mask)
    put(pointer + 1, upper, mask)


@triton.jit
def places_like(x: tl.tensor) -> tl.tensor:
    """The place of each element of a block, in rows if it is in rows."""
    if len(x.shape) == 1:
        i = tl.arange(0, x.shape[0])
    else:
        i = tl.arange(0, x.shape[0])[:, None] * x.shape[1] + tl.arange(0, x.shape[1])[None, :]
    return i


@triton.jit
def random_bits(i: tl.tensor, seed: tl.tensor, count: tl.tensor, place: tl.tensor, first: tl.tensor) -> tl.tensor:
    """16 random bits for each element. i: its place from element `first` on, which is a multiple of what i spans."""
    eight = (first >> 3).to(tl.uint32) + (i >> 3).to(tl.uint32)
    return drawn(i, eight, (first >> 35).to(tl.uint32), seed, count, place)


@triton.jit
def drawn(
    i: tl.tensor, a: tl.tensor, b: tl.tensor, seed: tl.tensor, count: tl.tensor, place: tl.tensor
) -> tl.tensor:
    """16 random bits for each element. i: its place; a, b: the halves of the number of its eight.

    Salmon, Moraes, Dror & Shaw, Parallel Random Numbers: As Easy as 1, 2, 3, SC 2011: Philox 4x32 of 7 rounds, with the
    key (seed, count) and the counter (element // 8, its upper half, place, 0). It gives eight elements their bits: what
    a thread computes of those that it holds is the same, so that the compiler leaves it once.
    """
    c = place
    d = 0
    for n in tl.static_range(7):
        left = a.to(tl.uint64) * 0xD2511F53
        right = c.to(tl.uint64) * 0xCD9E8D57
        a = (right >> 32).to(tl.uint32) ^ b ^ (seed + (n * 0x9E3779B9 & 0xFFFFFFFF))
        b = right.to(tl.uint32)
        c = (left >> 32).to(tl.uint32) ^ d ^ (count + (n * 0xBB67AE85 & 0xFFFFFFFF))
        d = left.to(tl.uint32)
    word = tl.where((i & 4) == 0, tl.where((i & 2) == 0, a, b), tl.where((i & 2) == 0, c, d))
    return tl.where((i & 1) == 0, word & 0xFFFF, word >> 16)


@triton.jit
def bits_of(x: tl.tensor) -> tl.tensor:
    """The bits of numbers, with nothing in the lower half of a NaN."""
    return tl.where(x == x, x.to(tl.int32, bitcast=True), 0x7FC00000)


@triton.jit
def upper_half(bits: tl.tensor) -> tl.tensor:
    """The bfloat16 numbers that are the upper halves of some bits."""
    return (bits >> 16).to(tl.int16).to(tl.bfloat16, bitcast=True)


@triton.jit
def by_chance(x: tl.tensor, seed: tl.tensor, count: tl.tensor, place: tl.tensor, first: tl.tensor) -> tl.tensor:
    """Numbers rounded up with a chance that is the part of a step that was lost, else down.

    An infinity has nothing below its upper half to be rounded up.
    """
    random = random_bits(places_like(x), seed, count, place, first)
    return upper_half(bits_of(x) + random.to(tl.int32))


@triton.jit
def tile_by_chance(
    x: tl.tensor,
    seed: tl.tensor,
    count: tl.tensor,
    place: tl.tensor,
    first: tl.tensor,
    cols: tl.tensor,
    tail: tl.constexpr,
    VEC: tl.constexpr,
) -> tl.tensor:
    """The same of some rows of a tile, (rows, cols), from element `first` on."""
    i = elements_of(first, cols, tail, x.shape[0], x.shape[1], VEC)
    random = drawn(i, (i >> 3).to(tl.uint32), (i >> 35).to(tl.uint32), seed, count, place)
    return upper_half(bits_of(x) + random.to(tl.int32))


@triton.jit
def kahan_rest(x: tl.tensor) -> tl.tensor:
    """What rounding to nearest loses of numbers; nothing of what is infinite, or has become so."""
    lost = x - x.to(tl.bfloat16).to(tl.float32)
    return tl.where(tl.abs(lost) < float("inf"), lost, 0.0)


@triton.jit
def joined(param: tl.tensor, rest: tl.tensor, BITS: tl.constexpr) -> tl.tensor:
    """Numbers of their upper halves and of so many bits by which their lower halves differ from zero."""
    return (param.to(tl.int32, bitcast=True) + (rest << (16 - BITS))).to(tl.float32, bitcast=True)


@triton.jit
def half_up(x: tl.tensor) -> tl.tensor:
    """Numbers rounded half up, for then what is lost is never too large for a signed half."""
    return upper_half(bits_of(x) + 0x8000)


@triton.jit
def lower_half(x: tl.tensor, BITS: tl.constexpr) -> tl.tensor:
    """What that loses, in so many bits, which are too few for one number."""
    lost = bits_of(x).to(tl.int16).to(tl.int32)
    near = (lost + ((1 << (16 - BITS)) >> 1)) >> (16 - BITS)
    return tl.minimum(near, (1 << (BITS - 1)) - 1)


@triton.jit
def own(param: tl.tensor, master: tl.tensor) -> tl.tensor:
    """The master weights. Where a parameter is no longer theirs, rounded, it was changed by others, and counts."""
    near = master.to(tl.bfloat16).to(tl.float32)
    return tl.where(near.to(tl.int32, bitcast=True) == param.to(tl.int32, bitcast=True), master, param)
