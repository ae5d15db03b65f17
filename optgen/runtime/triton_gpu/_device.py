"""Device functions that every generated Triton kernel calls: words of work, streams of memory, arithmetic."""

# mypy: disable-error-code="untyped-decorator"
# (Triton has no type hints.)

from __future__ import annotations

import triton
import triton.language as tl

# A word of work is one int64: slow (1 bit), tensor (20 bits), row of scalars (13 bits), chunk (30 bits), from the top.
# A slow chunk starts at an address that is no multiple of VEC elements, and goes through the masked loop.


@triton.jit
def tensor_of(word: tl.tensor) -> tl.tensor:
    """The number of the tensor, that is of its record."""
    return (word >> 43) & 0xFFFFF


@triton.jit
def row_of(word: tl.tensor) -> tl.tensor:
    """The number of the row of scalars."""
    return (word >> 30) & 0x1FFF


@triton.jit
def chunk_of(word: tl.tensor) -> tl.tensor:
    """The number of the chunk within its tensor."""
    return word & 0x3FFFFFFF


@triton.jit
def stream(pointer: tl.tensor, dtype: tl.constexpr, start: tl.tensor) -> tl.tensor:
    """A pointer to element `start` of the tensor whose address stands at `pointer`."""
    return tl.load(pointer).to(tl.pointer_type(dtype)) + start


@triton.jit
def truth(pointer: tl.tensor) -> tl.tensor:
    """A truth value of the row."""
    holds = tl.load(pointer) != 0
    return tl.full((), 0, tl.int1) | holds  # the interpreter takes `holds` itself for a float where it meets a block


@triton.jit
def address(pointer: tl.tensor, dtype: tl.constexpr, mask: tl.tensor) -> tl.tensor:
    """Pointers to the numbers whose addresses stand at `pointer`. Where the mask is false they point nowhere."""
    return tl.load(pointer, mask, 0).to(tl.pointer_type(dtype))


@triton.jit
def fp64(x: tl.constexpr) -> tl.tensor:
    """A number in float64, where Triton would take it for float32."""
    return tl.full((), x, tl.float64)


@triton.jit
def number(pointer: tl.tensor, mask: tl.tensor) -> tl.tensor:
    """Numbers in float64, 1 where the mask is false."""
    return tl.load(pointer, mask, 1).to(tl.float64)


@triton.jit
def put(pointer: tl.tensor, value: tl.tensor, mask: tl.tensor) -> None:
    """Write a number or truth value for each pointer, rounded to the pointer's dtype."""
    tl.store(pointer, tl.where(mask, value, value).to(pointer.dtype.element_ty), mask)


@triton.jit
def whole_blocks(word: tl.tensor, left: tl.tensor, BLOCK: tl.constexpr) -> tl.tensor:
    """How many of the `left` elements the unmasked loop takes: whole blocks, none of a slow chunk."""
    return tl.where(word < 0, 0, left // BLOCK * BLOCK)


# The masked loop takes half a block at a time: Triton gives accesses of equal length one layout, that of the main
# loop, which costs the masked loop shared memory and the kernel ten registers. The promise of alignment stands on an
# address that only the main loop computes: on a shared one, the masked loop would believe it too.


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
        i = at + tl.arange(0, BLOCK // 2)
        value = tl.load(base + i, mask=i < left)
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
        i = at + tl.arange(0, BLOCK // 2)
        tl.store(base + i, value.to(base.dtype.element_ty), mask=i < left)
    else:
        aligned = tl.multiple_of(base + at, VEC * (base.dtype.element_ty.primitive_bitwidth // 8))
        tl.store(aligned + tl.arange(0, BLOCK), value.to(base.dtype.element_ty))


@triton.jit
def div(x: tl.tensor, y: tl.tensor, STRICT: tl.constexpr) -> tl.tensor:
    """x / y: correctly rounded if STRICT or in fp64, else within 2 ulp."""
    return tl.div_rn(x, y) if STRICT and (x + y).dtype == tl.float32 else x / y


@triton.jit
def sqrt(x: tl.tensor, STRICT: tl.constexpr) -> tl.tensor:
    """The square root: correctly rounded if STRICT or in fp64, else approximate, subnormals taken as zero."""
    return tl.sqrt_rn(x) if STRICT and x.dtype == tl.float32 else tl.sqrt(x)


@triton.jit
def maximum(x: tl.tensor, y: tl.tensor) -> tl.tensor:
    """The larger of two; a NaN in either is kept."""
    return tl.maximum(x, y, propagate_nan=tl.PropagateNan.ALL)


@triton.jit
def minimum(x: tl.tensor, y: tl.tensor) -> tl.tensor:
    """The smaller of two; a NaN in either is kept."""
    return tl.minimum(x, y, propagate_nan=tl.PropagateNan.ALL)


@triton.jit
def sign(x: tl.tensor) -> tl.tensor:
    """-1, 0 or 1; 0 of a NaN, as torch.sign."""
    return tl.where(x > 0, 1.0, tl.where(x < 0, -1.0, 0.0)).to(x.dtype)


@triton.jit
def tanh(x: tl.tensor) -> tl.tensor:
    """The hyperbolic tangent, -e / (2 + e) with e = exp(-2|x|) - 1 by Kahan's quotient, which does not cancel."""
    y = 2 * tl.abs(x)
    y = tl.where(y > 40, 40.0, y)  # beyond, tanh rounds to 1
    u = tl.exp(-y)
    e = tl.where(u == 1, -y, (1 - u) * y / tl.log(u))
    return tl.where(x < 0, e, -e) / (2 + e)


@triton.jit
def whole_power(x: tl.tensor, n: tl.constexpr) -> tl.tensor:
    """x to the power n, a whole number above 1, by multiplying: exp2(n * log2(x)) would lose digits."""
    made = x
    for _ in tl.static_range(n - 1):
        made = made * x
    return made


@triton.jit
def power(x: tl.tensor, y: tl.tensor) -> tl.tensor:
    """x to the power y as exp2(y * log2(|x|)), with the sign and the NaN of a negative x."""
    y = y + tl.zeros_like(x)
    size = tl.where(y == 0, 1.0, tl.exp2(y * tl.log2(tl.abs(x))))
    is_even = tl.floor(y * 0.5) * 2 == y
    negative = tl.where(tl.floor(y) == y, tl.where(is_even, size, -size), float("nan"))
    return tl.where(x < 0, negative, size)


@triton.jit
def one_minus_power(x: tl.tensor, y: tl.tensor) -> tl.tensor:
    """1 - x**y as -(exp(z) - 1) with z = y log|x|, by Kahan's quotient, which does not cancel; float64.

    Within 28 + 9 max(z, 0) units of roundoff, where exp and log have four ulp: 9 in z, which the result multiplies by
    1 + max(z, 0) at most, 8 in exp(z), 8 in its logarithm, one each in the difference, the product and the quotient.
    """
    y = y + tl.zeros_like(x)
    z = tl.where(y == 0, 0.0, y * tl.log(tl.abs(x)))
    z = tl.where(z < -40, -40.0, z)  # beyond, x**y is lost in 1
    u = tl.exp(z)
    near = tl.where(u == 1, -z, (1 - u) * z / tl.log(u))
    # Below a half nothing cancels, and one rounding is all; the quotient of what has overflowed is no number.
    near = tl.where((z < -0.7) | (z > 700), 1 - u, near)
    is_even = tl.floor(y * 0.5) * 2 == y
    negative = tl.where(tl.floor(y) == y, tl.where(is_even, near, 1 + u), float("nan"))
    return tl.where(x < 0, negative, near)
