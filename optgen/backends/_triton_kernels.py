"""Triton kernels: what the launches of a rule with reductions are made of, and lines that they have in common."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from optgen.ir import Map, Op, Reduce, Statement, Write
from optgen.languages import TRITON
from optgen.listing import names_in
from optgen.printers import to_text
from optgen.weave import Item

WHAT = {Op.SUM: "sum", Op.MAX: "largest"}
PLANES = ("row_parts", "col_parts", "row_values", "col_values")
EMPTY = {Op.SUM: "0.0", Op.MEAN: "0.0", Op.MAX: '-float("inf")'}


@dataclass(slots=True)
class Places:
    """Where launches leave numbers for later ones: the column of each name, over all variants.

    lines: what programs over rows and columns leave. planes: what there is of each row or column, in planes.
    """

    parts: list[str] = field(default_factory=list)
    shares: list[str] = field(default_factory=list)
    common: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    planes: dict[str, list[str]] = field(default_factory=lambda: {name: [] for name in PLANES})


@dataclass(frozen=True, slots=True)
class Kernel:
    """A launch over chunks, which may be tiles, spans, tensors or lines. body: what it computes; the sums among it are
    left for later launches.

    finishes: sums whose parts it adds up. keeps: which values of lines it leaves for later launches.
    """

    name: str
    each: str
    body: tuple[Statement, ...]
    loads: tuple[str, ...] = ()
    stores: tuple[Write, ...] = ()
    finishes: tuple[Reduce, ...] = ()
    keeps: tuple[str, ...] = ()


def column_of(names: list[str], name: str) -> int:
    if name not in names:
        names.append(name)
    return names.index(name)


def mapped(statement: Statement) -> Item:
    assert isinstance(statement, Map)
    return (f"{statement.target} = {to_text(statement.expr, TRITON)}",)


def past(base: str, size: str, number: int) -> str:
    """An address beyond some of one size."""
    return f"{base} + {size}" + (f" * {number}" if number != 1 else "") if number else base


def needed_lines(lines: Sequence[Item], rest: Iterable[Item], loop: Iterable[str]) -> list[Item]:
    """The lines without those that make what nothing after them reads. loop: what its own lines read."""
    used = names_in(line for item in rest for line in item) | {*loop}
    kept: list[Item] = []
    for item in reversed(lines):
        made = {line.partition(" = ")[0].strip() for line in item if " = " in line}
        if made & used or item[0].startswith("#"):
            kept.append(item)
            used |= names_in(item)
    return kept[::-1]
