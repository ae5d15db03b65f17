"""Triton streams: where kernels find the address of what lies in memory, and how they load and store blocks of it.

The address stands in a record, or beside the gradient's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from optgen.backends._formats import parts
from optgen.ir import Role, Var

CONSTANTS = "MAXIMIZE SCALED STRICT COMPUTE BLOCK VEC".split()  # of a kernel, after its types and static conditions


@dataclass(frozen=True, slots=True)
class Walk:
    """How a loop goes over elements: the functions that load a stream and store one; what they are told of where a turn
    is; the text that rounds a value by chance; and where that begins of which there is a number for so many elements.
    """

    load: str
    store: str
    where: str
    by_chance: str
    shared: str

    def loaded(self, stream: str, dtype: str = "COMPUTE") -> str:
        """What a turn takes of a stream of numbers, widened to the compute dtype, or as numbers of another."""
        return f"{self.load}({stream}_at, {self.where}, {dtype})"

    def stored(self, stream: str, value: str) -> str:
        """What a turn makes of a stream of numbers, rounded to the stream's dtype."""
        return f"{self.store}({stream}_at, {value}, {self.where})"


BLOCKS = Walk(
    "load",
    "store",
    "at, left, tail, BLOCK, VEC",
    "by_chance({}, seed, count, place, start + at)",
    "start // {}",
)
TILES = Walk(
    "load_tile",
    "store_tile",
    "at, height, width, its_cols, tail, ROWS, COLS, VEC",
    "tile_by_chance({}, seed, count, place, start + at * its_cols, its_cols, tail, VEC)",
    "0",
)


def kept_in(stored: Mapping[str, Var]) -> list[str]:
    """The streams whose addresses stand in a record, and what else is kept of them: those of gradients and inputs are
    others at each step."""
    return [*parts({name: var for name, var in stored.items() if var.role not in (Role.GRAD, Role.INPUT)})]


def address_of(stored: Mapping[str, Var], name: str) -> str:
    """Where the address of a stream stands."""
    kept = kept_in(stored)
    if name in kept:
        return f"record + {kept.index(name)}"
    moving = [other for other in stored if other not in kept]
    beside = f" * {len(moving)} + {moving.index(name)}" if len(moving) > 1 else ""
    return f"gradients + tensor{beside}"


def record_length(numbers: int) -> int:
    """How long a record of so many numbers is: whole cache lines."""
    return -(-numbers // 8) * 8
