"""int4. Written by optgen 0.1.0 (format 1); do not edit.

4-bit codes, blocks of 128 with a float32 absmax.
"""

from __future__ import annotations

import triton
import triton.language as tl

from ._codes import copysign, decoded, halves_of, put_halves, scaled
from ._device import maximum, minimum

# The number that each code stands for, of a block whose largest is 1.
NUMBERS_INT4_SIGNED = (
    -0.8875, -0.6625, -0.4375, -0.2125, -0.0775, -0.0325, -0.0055, 0.0, 0.0055, 0.0325, 0.0775, 0.2125, 0.4375,
    0.6625, 0.8875, 1.0,
)

# The number that each code stands for, of a block whose largest is 1.
NUMBERS_INT4_UNSIGNED = (
    0.0625, 0.125, 0.1875, 0.25, 0.3125, 0.375, 0.4375, 0.5, 0.5625, 0.625, 0.6875, 0.75, 0.8125, 0.875, 0.9375,
    1.0,
)


@triton.jit
def load_int4(
    codes: tl.tensor,
    absmax: tl.tensor,
    numbers: tl.tensor,
    at: tl.tensor,
    left: tl.tensor,
    tail: tl.constexpr,
    BLOCK: tl.constexpr,
    VEC: tl.constexpr,
    COMPUTE: tl.constexpr,
) -> tl.tensor:
    """A block of a stream of codes from element `at` on, as numbers in the compute dtype."""
    code = halves_of(codes, at, left, tail, BLOCK, VEC)
    return decoded(code, absmax, numbers, at, left, tail, BLOCK, 128, COMPUTE)


@triton.jit
def code_int4_signed(x: tl.tensor, STRICT: tl.constexpr) -> tl.tensor:
    """Codes of numbers from -1 to 1, not yet whole."""
    size = tl.abs(x)
    size = tl.where(
        size >= 0.94375, tl.full((), 1.09, x.dtype),
        tl.where(size >= 0.00275, maximum(size, tl.full((), 0.0055, x.dtype)), size)
    )
    low = tl.where(size < 0.0995, tl.full((), 2.0, x.dtype), tl.full((), 4.0, x.dtype))
    near = tl.where(size < 0.0995, 10.0 * size, size)
    low = tl.where(near < 0.0995, 0.5 * low, low)
    near = tl.where(near < 0.0995, 10.0 * near, near)
    above = low * (1.1111111111111 * near - 0.11111111111111) - 0.5
    count = low + minimum(above, 1.25 * above - 0.125)
    return copysign(count, x) + 7.5


@triton.jit
def store_int4_signed(
    codes: tl.tensor,
    absmax: tl.tensor,
    value: tl.tensor,
    at: tl.tensor,
    left: tl.tensor,
    tail: tl.constexpr,
    BLOCK: tl.constexpr,
    VEC: tl.constexpr,
    STRICT: tl.constexpr,
) -> None:
    """Write a block of numbers from element `at` on as codes, and the largest of each 128."""
    x = scaled(value, absmax, at, left, tail, BLOCK, 128, STRICT)
    code = code_int4_signed(x, STRICT).to(tl.int32)
    put_halves(codes, code, at, left, tail, BLOCK, VEC)


@triton.jit
def code_int4_unsigned(x: tl.tensor, STRICT: tl.constexpr) -> tl.tensor:
    """Codes of numbers from 0 to 1, not yet whole."""
    return 16 * x - 0.5


@triton.jit
def store_int4_unsigned(
    codes: tl.tensor,
    absmax: tl.tensor,
    value: tl.tensor,
    at: tl.tensor,
    left: tl.tensor,
    tail: tl.constexpr,
    BLOCK: tl.constexpr,
    VEC: tl.constexpr,
    STRICT: tl.constexpr,
) -> None:
    """Write a block of numbers from element `at` on as codes, and the largest of each 128."""
    x = scaled(value, absmax, at, left, tail, BLOCK, 128, STRICT)
    code = code_int4_unsigned(x, STRICT).to(tl.int32)
    put_halves(codes, code, at, left, tail, BLOCK, VEC)
