"""Storage: arrays of numbers kept in fewer bits, block by block or one by one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[np.floating[Any]]]
Stored = np.ndarray[Any, Any]

_LEAST = float(np.finfo(np.float32).tiny)  # of what has a reciprocal; a block below is stored as nothing


def float_place(x: Array, digits: int, span: float, least: int) -> Stored:
    """Which of the floats from 0 on is nearest to x: they have so many binary digits after the first, and are evenly
    spaced below 1 / span. At least the place `least`. Bits of float32 count them, once those are so from there on."""
    bits = (np.asarray(x, np.float32) * np.float32(span * 2.0**-126)).view(np.int32)
    place: Stored = np.maximum((bits + (1 << (22 - digits))) >> (23 - digits), least)
    return place


@dataclass(frozen=True)
class Blockwise:
    """Codes with one largest absolute value for every `block` elements, which follow one another in C order.

    encode: numbers over that value -> codes, not yet whole. decode: codes -> numbers. levels: how many codes there
    are; two lie in a byte, the first in its lower half, if there are at most 16.
    """

    block: int
    levels: int
    encode: Callable[[Array], Array]
    decode: Callable[[Array], Array]

    @cached_property
    def _table(self) -> Array:
        return self.decode(np.arange(self.levels, dtype=np.float64)).astype(np.float32)

    def load(self, codes: Stored, absmax: Array, like: Array) -> Array:
        """The numbers: an array of the shape and dtype of `like`."""
        if self.levels <= 16:
            codes = np.stack([codes & 15, codes >> 4], axis=-1).reshape(-1)[: like.size]
        numbers = self._table[codes.reshape(-1)] * np.repeat(absmax, self.block)[: like.size]
        return numbers.reshape(like.shape).astype(like.dtype)

    def store(self, values: Array) -> tuple[Stored, Array]:
        """The codes, uint8 in the shape of `values` or two in a byte, and the largest value of each block, float32."""
        blocks = np.zeros((-(-values.size // self.block), self.block), values.dtype)
        blocks.reshape(-1)[: values.size] = values.reshape(-1)
        absmax = np.abs(blocks).max(axis=1, initial=0).astype(np.float32)
        inverse = np.divide(1, absmax, out=np.zeros_like(absmax), where=~(absmax < _LEAST))
        x = blocks * inverse[:, None]
        position = np.floor(self.encode(x))
        known = (position > 0) & (x == x)  # a NaN is in its block's absmax
        limited = np.where(known, np.minimum(position, self.levels - 1), 0)
        codes = limited.astype(np.uint8).reshape(-1)
        if self.levels <= 16:
            return codes[0 : values.size : 2] | codes[1 : values.size + 1 : 2] << 4, absmax
        return codes[: values.size].reshape(values.shape), absmax


@dataclass(frozen=True)
class Numbers:
    """Numbers of one dtype. bfloat16, which NumPy lacks, is kept as its bits, in uint16."""

    name: str

    def load(self, kept: Stored, like: Array) -> Array:
        """The numbers: an array of the dtype of `like`."""
        if self.name == "bf16":
            return (kept.astype(np.uint32) << 16).view(np.float32).astype(like.dtype)
        return kept.astype(like.dtype)

    def store(self, values: Array) -> Stored:
        """The numbers, rounded to nearest."""
        if self.name == "bf16":
            bits = np.asarray(values, np.float32).view(np.uint32)
            nearest = (bits + np.uint32(0x7FFF) + (bits >> 16 & 1)) >> 16
            return np.where(values == values, nearest, 0x7FC0).astype(np.uint16)
        single = np.array(values, np.float32)  # which float64 passes on its way to float16 in other backends, too
        return single.astype(np.float16) if self.name == "fp16" else single
