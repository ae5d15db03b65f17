"""C ways: how a function goes over elements: straight on, row by row of a tile, or straight on through rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from optgen.backends._c_lines import STEP


@dataclass(frozen=True, slots=True)
class Way:
    """One way.

    start: the first of all elements. first, count, room: the first of those that buffers hold at once, how many, and
    how many at most. outer: the lines that open a loop over rows. is_filled_inside: whether buffers are filled there.
    offsets: where in what there is one of per matrix, row or column the elements begin. indices: which of these
    belongs to an element, where one function has several. length, i: of the innermost loop. at: places in buffers.
    """

    start: str
    first: str
    count: str
    room: str
    length: str
    outer: tuple[str, ...] = ()
    is_filled_inside: bool = False
    offsets: Mapping[str, str] = field(default_factory=dict)
    indices: Mapping[str, str] = field(default_factory=dict)
    i: str = ""
    at: str = "i"


ELEMENTWISE = Way("start", "start", "count", "BLOCK", "count")
FLAT = Way("part->start", "part->start", "length", "LONG", "length")
TILE = Way(
    "part->start",
    "part->start + line",
    "length",
    "LONG",
    "length",
    ("for (int64_t down = 0; down < part->rows; down++) {", f"{STEP}const int64_t line = down * tensor->cols;"),
    True,
    {"matrix": " + part->matrix", "row": " + part->at_row", "col": " + part->at_col"},
    {"row": "down", "col": "along"},
    "line + along",
    "along",
)
SPAN = Way(
    "part->start",
    "part->start",
    "length",
    "LONG",
    "line.length",
    ("for (struct line line = line_at(part, 0); line.length; line = line_at(part, line.start + line.length)) {",),
    indices={"matrix": "line.matrix", "row": "line.at_row", "col": "line.at_col + along"},
    i="line.start + along",
)
