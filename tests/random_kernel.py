"""A kernel that draws the random bits of a block, as kernels do that round parameters by chance."""

# mypy: disable-error-code="untyped-decorator, no-untyped-def"
# (Triton has no type hints.)

from __future__ import annotations

from importlib import import_module

import triton
import triton.language as tl

from optgen import compile

PARAMETERS = import_module(f"{compile('adamwbf16', 'triton').__package__}._parameters")
GIVEN = 2**32 - 1, 70_000, 77  # the seed, the step, the parameter's place
FIRSTS = 0, 1024, 2**32 - 1024, 2**35 - 1024, 2**35, 2**40 + 2048  # elements


@triton.jit
def draw(out, chance, IN_ROWS: tl.constexpr, n: tl.constexpr):
    """chance: what is given, and the first element, in int64."""
    i = tl.arange(0, n)
    if IN_ROWS:
        i = tl.reshape(i, (n // 32, 32))
    seed, count = tl.load(chance).to(tl.uint32), tl.load(chance + 1).to(tl.uint32)
    place, first = tl.load(chance + 2).to(tl.uint32), tl.load(chance + 3)
    tl.store(out + i, PARAMETERS.random_bits(PARAMETERS.places_like(i), seed, count, place, first).to(tl.int32))
