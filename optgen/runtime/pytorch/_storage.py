"""Storage: states kept in fewer bits than they are computed with, block by block or number by number."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

_LEAST = torch.finfo(torch.float32).tiny  # of what has a reciprocal; a block below is stored as nothing


def float_place(x: Tensor, digits: int, span: float, least: int) -> Tensor:
    """Which of the floats from 0 on is nearest to x: they have so many binary digits after the first, and are evenly
    spaced below 1 / span. At least the place `least`, and 0 of a NaN. Bits of float32 count them, once those are so
    from there on."""
    bits = (x.to(torch.float32) * (span * 2.0**-126)).view(torch.int32)
    place = (bits + (1 << (22 - digits))) >> (23 - digits)
    return torch.where(x == x, place.clamp(min=least), 0)


@dataclass(frozen=True, eq=False)
class Blockwise:
    """Codes with one largest absolute value for every `block` elements, which follow one another in memory.

    encode: numbers over that value -> codes, not yet whole. decode: codes -> numbers. levels: how many codes there
    are. Up to 16 lie two in a byte, the first in its lower half, in the order of the elements' indices; more are bytes
    in the shape of the state, in whichever order of memory that has.
    """

    block: int
    levels: int
    encode: Callable[[Tensor], Tensor]
    decode: Callable[[Tensor], Tensor]
    suffixes = ("", "_absmax")
    _tables: dict[torch.device, Tensor] = field(default_factory=dict, repr=False)

    @property
    def is_packed(self) -> bool:
        """Whether two codes lie in a byte."""
        return self.levels <= 16

    @property
    def elements(self) -> tuple[int, int]:
        """How many elements of a state there are to one of each part."""
        return 2 if self.is_packed else 1, self.block

    def wanted(self, shape: Sequence[int]) -> list[tuple[tuple[int, ...], torch.dtype]]:
        """The shape and dtype of each part of a state."""
        numel = torch.Size(shape).numel()
        codes = ((numel + 1) // 2,) if self.is_packed else tuple(shape)
        return [(codes, torch.uint8), ((-(-numel // self.block),), torch.float32)]

    def start(self, shape: Sequence[int], like: Tensor, value: float | Tensor) -> list[Tensor]:
        """The parts of a state that has one value everywhere, laid out as the parameter `like`, which has its shape."""
        (size, dtype), (blocks, _) = self.wanted(shape)
        sample = torch.zeros(2, dtype=computed(like.dtype), device=like.device)
        sample[0].fill_(value)
        codes, absmax = self._encoded(sample)
        first, rest = codes[0], codes[1]  # `rest` stands beyond the last element
        if not self.is_packed:
            made = torch.empty_like(like, dtype=dtype, memory_format=torch.preserve_format).fill_(first)
        else:
            made = torch.empty(size, dtype=dtype, device=like.device).fill_(first | first << 4)
            if like.numel() % 2:
                made[-1] = first | rest << 4
        return [made, absmax.expand(blocks).clone()]

    def load(self, parts: Sequence[Tensor], like: Tensor, dtype: torch.dtype) -> Tensor:
        """The numbers, of the shape of `like`."""
        codes, absmax = parts
        if self.is_packed:
            order = [*range(like.dim())]
            flat = torch.stack([codes & 15, codes >> 4], dim=-1).view(-1)[: like.numel()]
        else:
            order = in_memory(codes)
            flat = codes.permute(order).reshape(-1)
        numbers = self.table(codes.device).index_select(0, flat.int())
        blocks = len(numbers) // self.block
        whole = blocks * self.block
        numbers[:whole].view(-1, self.block).mul_(absmax[:blocks, None])
        numbers[whole:].mul_(absmax[blocks:])
        return from_memory(numbers, order, like.shape).to(dtype)

    def store(self, parts: Sequence[Tensor], values: Tensor) -> None:
        """Writes codes, and the largest value of each block."""
        codes, absmax = parts
        order = [*range(values.dim())] if self.is_packed else in_memory(codes)
        made, largest = self._encoded(values.permute(order).reshape(-1))
        if self.is_packed:
            pairs = made.view(-1, 2)
            made, place = (pairs[:, 0] | pairs[:, 1] << 4)[: codes.numel()], codes
        else:
            place = codes.permute(order)
            made = made[: codes.numel()].view(place.shape)
        place.copy_(made)
        absmax.copy_(largest)

    def table(self, device: torch.device) -> Tensor:
        """The number that each code stands for."""
        if device not in self._tables:
            numbers = self.decode(torch.arange(self.levels, dtype=torch.float64)).to(torch.float32)
            self._tables[device] = numbers.to(device)
        return self._tables[device]

    def _encoded(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """The codes of a row of numbers, with zeros after it up to a whole block, and the largest of each block."""
        missing = -len(values) % self.block
        padded = torch.nn.functional.pad(values, (0, missing)) if missing else values
        blocks = padded.view(-1, self.block)
        absmax = blocks.abs().amax(dim=1).to(torch.float32)
        inverse = torch.where(absmax < _LEAST, 0, 1 / absmax)
        position = torch.floor(self.encode(blocks * inverse[:, None]))
        limited = torch.where(position > 0, position.clamp(max=self.levels - 1), 0)  # a NaN is in its block's absmax
        return limited.to(torch.uint8).view(-1), absmax


@dataclass(frozen=True, eq=False)
class Numbers:
    """Numbers of one dtype, whatever that of the parameter is."""

    dtype: torch.dtype
    suffixes = ("",)
    elements = (1,)
    is_packed = False
    block = 1

    def wanted(self, shape: Sequence[int]) -> list[tuple[tuple[int, ...], torch.dtype]]:
        """The shape and dtype of the only part of a state."""
        return [(tuple(shape), self.dtype)]

    def start(self, shape: Sequence[int], like: Tensor, value: float | Tensor) -> list[Tensor]:
        """A state that has one value everywhere, laid out as the parameter `like` where it has the same shape."""
        if tuple(shape) == tuple(like.shape):
            made = torch.empty_like(like, dtype=self.dtype, memory_format=torch.preserve_format)
        else:
            made = torch.empty(tuple(shape), dtype=self.dtype, device=like.device)
        return [made.fill_(value)]

    def load(self, parts: Sequence[Tensor], like: Tensor, dtype: torch.dtype) -> Tensor:
        """The numbers."""
        return parts[0].to(dtype)

    def store(self, parts: Sequence[Tensor], values: Tensor) -> None:
        """Writes the numbers, rounded to nearest."""
        parts[0].copy_(values)


Format = Blockwise | Numbers


def real(x: Tensor) -> Tensor:
    """A complex tensor as the real and imaginary parts that it is made of."""
    return torch.view_as_real(x.resolve_conj()) if x.is_complex() else x


def in_memory(x: Tensor) -> list[int]:
    """The axes of a tensor from that with the largest steps in memory to that with the smallest."""
    strides = x.stride()
    return sorted(range(len(strides)), key=strides.__getitem__, reverse=True)


def from_memory(row: Tensor, order: Sequence[int], shape: Sequence[int]) -> Tensor:
    """Numbers in the order of memory as a tensor of this shape. order: its axes, as `in_memory` gives them."""
    back = sorted(range(len(order)), key=order.__getitem__)
    return row.view([shape[axis] for axis in order]).permute(back)


def computed(dtype: torch.dtype) -> torch.dtype:
    """The dtype that a step of parameters of a dtype is computed in."""
    return torch.float64 if dtype == torch.float64 else torch.float32
