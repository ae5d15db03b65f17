"""Parameters in bfloat16, with what keeps small updates from being rounded away: the bits of NumPy for equal numbers.

Each format makes float32 numbers of a parameter and of what is stored beside it, if anything is, and writes them back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ._storage import from_memory, in_memory

_QUIET = 0x7FC0  # the bits of a NaN
_KEY, _MULTIPLY = (0x9E3779B9, 0xBB67AE85), (0xD2511F53, 0xCD9E8D57)
_LOW = 0xFFFFFFFF


@dataclass(frozen=True)
class Chance:
    """What random bits depend on: the seed, the step, the tensor's number among all, and its first element here."""

    seed: int
    step: int | Tensor
    tensor: int
    first: int

    def bits(self, like: Tensor) -> Tensor:
        """16 random bits for each element, in int32. Elements are counted in the order of memory."""
        seed, step = self.seed, self.step.long() if isinstance(self.step, Tensor) else self.step
        eights = torch.arange(self.first // 8, (self.first + like.numel() + 7) // 8, device=like.device)
        zero = torch.zeros_like(eights)
        words = philox([eights & _LOW, eights >> 32, zero + self.tensor, zero], (seed, step))
        halves = torch.stack([half.int() for word in words for half in (word & 0xFFFF, word >> 16)], dim=-1).view(-1)
        at = self.first % 8
        return from_memory(halves[at : at + like.numel()], in_memory(like), like.shape)


def philox(counter: list[Tensor], key: tuple[int | Tensor, int | Tensor], rounds: int = 7) -> list[Tensor]:
    """Four words of 32 bits for each counter of four, all in int64, whose products may wrap.

    Salmon, Moraes, Dror & Shaw, Parallel Random Numbers: As Easy as 1, 2, 3, SC 2011: Philox 4x32.
    """
    a, b, c, d = counter
    for n in range(rounds):
        first, second = a * _MULTIPLY[0], c * _MULTIPLY[1]
        k, m = (part + n * more & _LOW for part, more in zip(key, _KEY, strict=True))
        a, b, c, d = (second >> 32 & _LOW) ^ b ^ k, second & _LOW, (first >> 32 & _LOW) ^ d ^ m, first & _LOW
    return [a, b, c, d]


def nearest(values: Tensor) -> Tensor:
    """The bits of the nearest bfloat16 numbers, ties to even, in the lower half of int32."""
    bits = values.view(torch.int32)
    return torch.where(values == values, bits + (0x7FFF + (bits >> 16 & 1)) >> 16, _QUIET)


def _wide(bits: Tensor) -> Tensor:
    """The float32 numbers of which these are the upper halves."""
    return (bits << 16).view(torch.float32)


def _write(into: Tensor, bits: Tensor) -> None:
    into.view(torch.int16).copy_(bits)


@dataclass(frozen=True)
class Stochastic:
    """Rounded up with a chance that is the part of a step that was lost, else down."""

    def check(self, seed: object) -> None:
        """Raises ValueError for what is no seed."""
        if type(seed) is not int or not 0 <= seed <= _LOW:
            raise ValueError(f"Invalid seed value: {seed} (a whole number from 0 to {_LOW})")

    def load(self, param: Tensor, beside: Sequence[Tensor]) -> Tensor:
        """The numbers."""
        return param.float()

    def store(self, param: Tensor, beside: Sequence[Tensor], values: Tensor, chance: Chance) -> None:
        """Writes the parameter."""
        rounded = values.view(torch.int32) + chance.bits(param) >> 16
        _write(param, torch.where(values.isfinite(), rounded, nearest(values)))


@dataclass(frozen=True)
class Kahan:
    """With the rest that rounding to nearest left, in bfloat16 too."""

    key, dtype = "param_rest", torch.bfloat16
    start = -0.0  # which leaves any number as it is, zeros of either sign among them

    def load(self, param: Tensor, beside: Sequence[Tensor]) -> Tensor:
        """The numbers."""
        return param.float() + beside[0].float()

    def store(self, param: Tensor, beside: Sequence[Tensor], values: Tensor, chance: Chance) -> None:
        """Writes the parameter and the rest."""
        rounded = nearest(values)
        kept = _wide(rounded)
        rest = torch.where(kept.isfinite(), values - kept, 0)
        _write(param, rounded)
        _write(beside[0], nearest(rest))


@dataclass(frozen=True)
class Split:
    """With a whole number of 8 or 16 bits: by how much the lower half of a float32 differs from the parameter's."""

    bits: int
    key, start = "param_rest", 0.0

    @property
    def dtype(self) -> torch.dtype:
        """Of the whole numbers."""
        return torch.int8 if self.bits == 8 else torch.int16

    def load(self, param: Tensor, beside: Sequence[Tensor]) -> Tensor:
        """The numbers."""
        upper, lower = param.view(torch.int16).int() << 16, beside[0].int() << 16 - self.bits
        return (upper + lower).view(torch.float32)

    def store(self, param: Tensor, beside: Sequence[Tensor], values: Tensor, chance: Chance) -> None:
        """Writes the parameter, rounded half up, and the rest; half up, for then the rest is never too large."""
        bits, known = values.view(torch.int32), values == values
        rounded = torch.where(known, bits + 0x8000 >> 16, _QUIET)
        lost = torch.where(known, bits - (rounded << 16), 0)
        half = 1 << 15 - self.bits if self.bits < 16 else 0
        _write(param, rounded)
        beside[0].copy_((lost + half >> 16 - self.bits).clamp(max=2 ** (self.bits - 1) - 1))


@dataclass(frozen=True)
class Master:
    """With the float32 numbers themselves. Where a parameter is no longer theirs, rounded, it was changed by others."""

    key, dtype = "param_master", torch.float32
    start = None  # as the parameter

    def load(self, param: Tensor, beside: Sequence[Tensor]) -> Tensor:
        """The numbers."""
        own = _wide(nearest(beside[0])).view(torch.int32) == param.float().view(torch.int32)
        return torch.where(own, beside[0], param.float())

    def store(self, param: Tensor, beside: Sequence[Tensor], values: Tensor, chance: Chance) -> None:
        """Writes the parameter and the numbers."""
        _write(param, nearest(values))
        beside[0].copy_(values)


ParamFormat = Stochastic | Kahan | Split | Master
