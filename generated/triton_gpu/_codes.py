"""Device functions of kernels with states in codes, of which SIZE share one largest absolute value that divides them.

One warp takes BLOCK elements, a whole number of such blocks, so that the largest value is found without memory. The
masked loop takes as many, but in rows of 32: Triton gives accesses of equal shape one layout, which would be that of
the main loop, and cost the masked loop shared memory.
"""

# mypy: disable-error-code="untyped-decorator"
# (Triton has no type hints.)

from __future__ import annotations

import triton
import triton.language as tl

LEAST = tl.constexpr(1.1754943508222875e-38)  # of what has a reciprocal; a block below is stored as nothing


@triton.jit
def rows_of(COUNT: tl.constexpr, WIDTH: tl.constexpr) -> tl.tensor:
    """The places of COUNT elements, in rows."""
    return tl.arange(0, COUNT // WIDTH)[:, None] * WIDTH + tl.arange(0, WIDTH)[None, :]


@triton.jit
def load(
    base: tl.tensor,
    at: tl.tensor,
    left: tl.tensor,
    tail: tl.constexpr,
    BLOCK: tl.constexpr,
    VEC: tl.constexpr,
    COMPUTE: tl.constexpr,
) -> tl.tensor:
    """A block of a stream from element `at` on, in the compute dtype."""
    if tail:
        i = rows_of(BLOCK, 32)
        value = tl.load(base + at + i, mask=i < left - at)
    else:
        aligned = tl.multiple_of(base + at, VEC * (base.dtype.element_ty.primitive_bitwidth // 8))
        value = tl.load(aligned + tl.arange(0, BLOCK))
    return value.to(COMPUTE)


@triton.jit
def store(
    base: tl.tensor,
    value: tl.tensor,
    at: tl.tensor,
    left: tl.tensor,
    tail: tl.constexpr,
    BLOCK: tl.constexpr,
    VEC: tl.constexpr,
) -> None:
    """Write a block of a stream from element `at` on, rounded to the stream's dtype."""
    if tail:
        i = rows_of(BLOCK, 32)
        tl.store(base + at + i, value.to(base.dtype.element_ty), mask=i < left - at)
    else:
        aligned = tl.multiple_of(base + at, VEC * (base.dtype.element_ty.primitive_bitwidth // 8))
        tl.store(aligned + tl.arange(0, BLOCK), value.to(base.dtype.element_ty))


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
        value = tl.where(rows_of(BLOCK, 32) < left - at, value, empty)
    return value


@triton.jit
def bytes_of(
    codes: tl.tensor, at: tl.tensor, left: tl.tensor, tail: tl.constexpr, BLOCK: tl.constexpr, VEC: tl.constexpr
) -> tl.tensor:
    """Codes of a byte each."""
    return load(codes, at, left, tail, BLOCK, VEC, tl.int32)


@triton.jit
def halves_of(
    codes: tl.tensor, at: tl.tensor, left: tl.tensor, tail: tl.constexpr, BLOCK: tl.constexpr, VEC: tl.constexpr
) -> tl.tensor:
    """Codes of half a byte each, the first in the lower half."""
    if tail:
        i = rows_of(BLOCK, 32)
        both = tl.load(codes + at // 2 + i // 2, mask=i < left - at).to(tl.int32)
        code = (both >> (i % 2 * 4)) & 15
    else:
        both = load(codes, at // 2, left, False, BLOCK // 2, VEC // 2, tl.int32)
        code = tl.reshape(tl.join(both & 15, both >> 4), (BLOCK,))
    return code


@triton.jit
def put_bytes(
    codes: tl.tensor,
    code: tl.tensor,
    at: tl.tensor,
    left: tl.tensor,
    tail: tl.constexpr,
    BLOCK: tl.constexpr,
    VEC: tl.constexpr,
) -> None:
    """Write codes of a byte each."""
    store(codes, code, at, left, tail, BLOCK, VEC)


@triton.jit
def put_halves(
    codes: tl.tensor,
    code: tl.tensor,
    at: tl.tensor,
    left: tl.tensor,
    tail: tl.constexpr,
    BLOCK: tl.constexpr,
    VEC: tl.constexpr,
) -> None:
    """Write codes of half a byte each."""
    if tail:
        low, high = tl.split(tl.reshape(code, (BLOCK // 32, 16, 2)))
        i = rows_of(BLOCK // 2, 16)
        tl.store(codes + at // 2 + i, (low | (high << 4)).to(tl.uint8), mask=2 * i < left - at)
    else:
        low, high = tl.split(tl.reshape(code, (BLOCK // 2, 2)))
        store(codes, low | (high << 4), at // 2, left, False, BLOCK // 2, VEC // 2)


@triton.jit
def times(value: tl.tensor, factor: tl.tensor, BLOCK: tl.constexpr, SIZE: tl.constexpr) -> tl.tensor:
    """The values times a factor for each SIZE of them; one factor is a scalar."""
    if BLOCK == SIZE:
        value = value * factor
    else:
        value = tl.reshape(tl.reshape(value, (BLOCK // SIZE, SIZE)) * factor[:, None], value.shape)
    return value


@triton.jit
def decoded(
    code: tl.tensor,
    absmax: tl.tensor,
    numbers: tl.tensor,
    at: tl.tensor,
    left: tl.tensor,
    tail: tl.constexpr,
    BLOCK: tl.constexpr,
    SIZE: tl.constexpr,
    COMPUTE: tl.constexpr,
) -> tl.tensor:
    """The numbers that codes stand for, by a table of them, times the largest of their SIZE elements."""
    if BLOCK == SIZE:
        largest = tl.load(absmax + at // SIZE)
    else:
        i = tl.arange(0, BLOCK // SIZE)
        largest = tl.load(absmax + at // SIZE + i, mask=i * SIZE < left - at if tail else None)
    return times(tl.load(numbers + code), largest, BLOCK, SIZE).to(COMPUTE)


@triton.jit
def scaled(
    value: tl.tensor,
    absmax: tl.tensor,
    at: tl.tensor,
    left: tl.tensor,
    tail: tl.constexpr,
    BLOCK: tl.constexpr,
    SIZE: tl.constexpr,
    STRICT: tl.constexpr,
) -> tl.tensor:
    """The values over the largest of their SIZE elements, which is written; 0 past the end.

    It is found by the bits of floats: those of a NaN are above all others.
    """
    if tail:
        value = tl.where(rows_of(BLOCK, 32) < left - at, value, 0.0)
    bits = value.to(tl.float32).to(tl.int32, bitcast=True) & 0x7FFFFFFF
    if BLOCK == SIZE:
        largest = tl.max(bits).to(tl.float32, bitcast=True)
        tl.store(absmax + at // SIZE, largest)
    else:
        largest = tl.max(tl.reshape(bits, (BLOCK // SIZE, SIZE)), 1).to(tl.float32, bitcast=True)
        i = tl.arange(0, BLOCK // SIZE)
        tl.store(absmax + at // SIZE + i, largest, mask=i * SIZE < left - at if tail else None)
    inverse = inverse_of(tl.where(largest < LEAST, float("inf"), largest), STRICT)
    return times(value, inverse.to(value.dtype), BLOCK, SIZE)


@triton.jit
def inverse_of(x: tl.tensor, STRICT: tl.constexpr) -> tl.tensor:
    """1 / x of a positive float32: correctly rounded if STRICT, else within 5 ulp, by two instructions."""
    if STRICT:
        inverse = tl.div_rn(1.0, x)
    else:
        root = tl.rsqrt(x)
        inverse = root * root
    return inverse


@triton.jit
def float_place(
    x: tl.tensor, DIGITS: tl.constexpr, SPAN: tl.constexpr, LEAST_PLACE: tl.constexpr
) -> tl.tensor:
    """Which of the floats from 0 on is nearest to x: they have so many binary digits after the first, and are evenly
    spaced below 1 / SPAN. At least the place LEAST_PLACE. Bits of float32 count them, once those are so from there on.

    A NaN has a place beyond all: its block's largest value is a NaN, too, so that it is none when it is read back.
    """
    SCALE: tl.constexpr = SPAN * 2.0**-126
    bits = (x.to(tl.float32) * SCALE).to(tl.int32, bitcast=True)
    place = (bits + (1 << (22 - DIGITS))) >> (23 - DIGITS)
    return tl.maximum(place, LEAST_PLACE) if LEAST_PLACE > 0 else place


@triton.jit
def copysign(x: tl.tensor, y: tl.tensor) -> tl.tensor:
    """The size of x with the sign of y."""
    BITS: tl.constexpr = tl.int64 if x.dtype == tl.float64 else tl.int32
    SIGN: tl.constexpr = -1 << (x.dtype.primitive_bitwidth - 1)
    bits = (x.to(BITS, bitcast=True) & ~SIGN) | (y.to(BITS, bitcast=True) & SIGN)
    return bits.to(x.dtype, bitcast=True)
