"""Formats: what has a dtype of its own, how it lies in memory beside a parameter, and what codes stand for."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import torch
from torch import Tensor

from ._mirror import upload

BLOCK = 256  # elements that the one warp of a program takes at a time
DTYPES = {  # of what has one of its own, whatever the parameter's is
    "uint8": torch.uint8, "int8": torch.int8, "int16": torch.int16, "bf16": torch.bfloat16, "fp32": torch.float32
}
CHANCE = ("seed", "t")  # what random bits depend on, that the host gives
_REGISTERS = 64  # with more, as the compiler would have it, fewer programs would run at a time
_ROOM = 256  # for numbers in a table

# A kind is "element", "row", "col", "matrix" or "tensor" for a state of any dtype with one number per that; "uint8" for
# a code of each element, "int16" for what is stored beside a parameter; "uint8/2" or "fp32/256" for one number of so
# many elements, in one row, in the order of the parameter in memory.


def elements(kind: str) -> int:
    """How many elements of the parameter there are to one number of what has a dtype of its own, 0 of all else."""
    dtype, _, count = kind.partition("/")
    return int(count or 1) if dtype in DTYPES else 0


def dtype_of(kind: str) -> torch.dtype:
    """The dtype of what has one of its own."""
    return DTYPES[kind.partition("/")[0]]


def size_of(state: Tensor | None, kind: str) -> float:
    """The bytes of one element of a stream; 0 of what is no stream."""
    if state is None or not (kind == "element" or 0 < elements(kind) <= 2):
        return 0
    return state.element_size() / max(elements(kind), 1)


def plain(
    states: Sequence[Tensor | None], kinds: Sequence[str], at_times: Collection[int] = ()
) -> list[Tensor | None]:
    """The states whose dtype is not that of their format, and None for one that is codes `at_times`, and here."""
    pairs = enumerate(zip(states, kinds, strict=True))
    return [None if elements(kind) else state for k, (state, kind) in pairs if k in at_times or not elements(kind)]


def tables_of(numbers: Sequence[Sequence[float]], device: torch.device) -> list[Tensor]:
    """What codes stand for, if there are any, one table after the other: (tables * 256) float32."""
    rows = [[*row, *[0.0] * (_ROOM - len(row))] for row in numbers]
    return [upload(torch.tensor(rows, dtype=torch.float32).view(-1), device)] if rows else []


def halves(numbers: Iterable[int | None]) -> list[int]:
    """Whole numbers of 32 bits as float32 holds them: the lower half of each, and the upper. What is absent is 0."""
    return [half for number in numbers for half in ((number or 0) & 0xFFFF, (number or 0) >> 16 & 0xFFFF)]


def options_of_codes(streams: int, is_simple: bool) -> dict[str, int]:
    """How a kernel with codes is launched. streams: as in `block_of`; of four, 64 registers hold what a simple turn
    needs, which draws no random bits, rounds as the device likes, and sums nothing: a sum takes eight of a thread.
    """
    limit = {"maxnreg": _REGISTERS} if torch.version.cuda and streams <= 4 and is_simple else {}
    return {"BLOCK": BLOCK, "num_warps": 1, **limit}
