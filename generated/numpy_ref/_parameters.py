"""Parameters in bfloat16, each kept as its bits in uint16, with what keeps small updates from being rounded away.

Each format makes float32 numbers of what is stored, and back. What is stored beside a parameter is None at first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[np.float32]]
Stored = np.ndarray[Any, Any]

_QUIET = 0x7FC0  # the bits of a NaN
_KEY, _MULTIPLY = (0x9E3779B9, 0xBB67AE85), (0xD2511F53, 0xCD9E8D57)
_LOW = 0xFFFFFFFF


def random_bits(seed: int, step: int, tensor: int, count: int) -> Stored:
    """16 random bits for each of `count` elements of a tensor, in uint16: the same in every backend.

    Salmon, Moraes, Dror & Shaw, Parallel Random Numbers: As Easy as 1, 2, 3, SC 2011: Philox 4x32 of 7 rounds, with the
    key (seed, step) and the counter (element // 8, its upper half, tensor, 0). It gives eight elements their bits.
    """
    eights = np.arange(-(-count // 8), dtype=np.uint64)
    counter = [eights & _LOW, eights >> 32, np.full_like(eights, tensor), np.zeros_like(eights)]
    words = np.stack(philox(counter, (seed, step)), axis=-1).astype(np.uint32)
    return np.stack([words & 0xFFFF, words >> 16], axis=-1).reshape(-1)[:count].astype(np.uint16)


def philox(counter: list[Stored], key: tuple[int, int], rounds: int = 7) -> list[Stored]:
    """Four words of 32 bits for each counter of four, all in uint64."""
    a, b, c, d = counter
    for n in range(rounds):
        first, second = a * np.uint64(_MULTIPLY[0]), c * np.uint64(_MULTIPLY[1])
        k, m = (np.uint64(part + n * more & _LOW) for part, more in zip(key, _KEY, strict=True))
        a, b, c, d = (second >> 32) ^ b ^ k, second & _LOW, (first >> 32) ^ d ^ m, first & _LOW
    return [a, b, c, d]


def wide(param: Stored) -> Array:
    """The float32 numbers that bits of bfloat16 stand for."""
    return (param.astype(np.uint32) << 16).view(np.float32)


def nearest(values: Array) -> Stored:
    """The bits of the nearest bfloat16 numbers, ties to even."""
    bits = np.asarray(values, np.float32).view(np.uint32)
    return np.where(values == values, (bits + (0x7FFF + (bits >> 16 & 1))) >> 16, _QUIET).astype(np.uint16)


class Stochastic:
    """Rounded up with a chance that is the part of a step that was lost, else down."""

    def load(self, param: Stored) -> Array:
        """The numbers."""
        return wide(param)

    def store(self, values: Array, random: Stored) -> Stored:
        """The parameter. random: 16 bits for each element, as `random_bits` gives."""
        bits = np.asarray(values, np.float32).view(np.uint32)
        rounded = (bits + random.reshape(bits.shape)) >> 16
        return np.where(np.isfinite(values), rounded, nearest(values)).astype(np.uint16)


class Kahan:
    """With the rest that rounding to nearest left, in bfloat16 too."""

    def load(self, param: Stored, rest: Stored | None) -> Array:
        """The numbers."""
        return wide(param) if rest is None else wide(param) + wide(rest)

    def store(self, values: Array) -> tuple[Stored, Stored]:
        """The parameter and the rest."""
        values, param = np.asarray(values, np.float32), nearest(values)
        kept = np.where(np.isfinite(wide(param)), wide(param), 0)
        return param, nearest(np.where(np.isfinite(wide(param)), values - kept, 0))


@dataclass(frozen=True)
class Split:
    """With a whole number of 8 or 16 bits: by how much the lower half of a float32 differs from the parameter's."""

    bits: int

    def load(self, param: Stored, rest: Stored | None) -> Array:
        """The numbers."""
        if rest is None:
            return wide(param)
        whole = (param.astype(np.int64) << 16) + (rest.astype(np.int64) << 16 - self.bits)
        return (whole & _LOW).astype(np.uint32).view(np.float32)

    def store(self, values: Array) -> tuple[Stored, Stored]:
        """The parameter, rounded half up, and the rest; half up, for then the rest is never too large for its bits."""
        bits = np.asarray(values, np.float32).view(np.uint32).astype(np.int64)
        param = np.where(values == values, bits + 0x8000 >> 16, _QUIET)
        lost = np.where(values == values, bits - (param << 16), 0)
        most = 2 ** (self.bits - 1) - 1
        half = 1 << 15 - self.bits if self.bits < 16 else 0
        rest = np.minimum(lost + half >> 16 - self.bits, most)
        return param.astype(np.uint16), rest.astype(np.int8 if self.bits == 8 else np.int16)


class Master:
    """With the float32 numbers themselves. Where a parameter is no longer theirs, rounded, it was changed by others."""

    def load(self, param: Stored, master: Array | None) -> Array:
        """The numbers."""
        return wide(param) if master is None else np.where(nearest(master) == param, master, wide(param))

    def store(self, values: Array) -> tuple[Stored, Array]:
        """The parameter and the numbers."""
        return nearest(values), np.array(values, np.float32)
