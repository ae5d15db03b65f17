"""Wrap: a line of code that is too long becomes several, broken as one would by hand: where it binds least."""

from __future__ import annotations

import re
from collections.abc import Iterator

WIDTH = 116
INDENTED = WIDTH - 8  # what is left of a line inside two loops
TEXT = re.compile(r""" "(\\.|[^"\\])*" | '(\\.|[^'\\])*' """, re.VERBOSE)
WHOLE = re.compile(rf"{TEXT.pattern} | lambda[^:]*:\ (\w+\([^()]*\))?", re.VERBOSE)  # is never broken
LOOSEST = ((", ",), (" for ",), (" if ", " else "), (" or ",), (" and ",), (" + ", " - "), (" * ", " / ", " @ "))


def wrap(line: str) -> list[str]:
    """A line of code that is too long, broken inside its own brackets or inside parentheses that it gets for it."""
    margin = line[: len(line) - len(line.lstrip())]
    found = next((sign for sign in (" = ", " += ") if sign in line), "return ")
    head, sign, tail = line.partition(found)
    if len(line) <= INDENTED or margin + "#" == line[: len(margin) + 1] or not sign:
        return [line]
    room = INDENTED - len(margin) - 4
    broken = [
        (f"{head}{sign}{opening}", _filled(inside, places, room), f"{margin}{closing}")
        for opening, inside, closing, places in _breaks(tail)
    ]
    fits = (way for way in broken if len(way[0]) <= INDENTED and max(map(len, way[1])) <= room)
    opened, lines, closed = next(fits, broken[-1])
    return [opened, *(f"{margin}    {part}" for part in lines), closed]


def _breaks(tail: str) -> Iterator[tuple[str, str, str, list[int]]]:
    """What may stand before the breaks, between and after them, and the spaces to break at, the best first."""
    ways = [(way, [*_places(way[1])]) for way in _ways(tail)]
    yield from ((*way, places) for way, levels in ways for places in levels[:1])
    (way, levels), *_ = ways
    yield from ((*way, places) for places in levels[1:])
    yield *way, [found.start() for found in re.finditer(" ", _masked(way[1]))]


def _ways(tail: str) -> Iterator[tuple[str, str, str]]:
    """The tail in three: up to the bracket to break in, what is inside, and the bracket that closes it."""
    mask = _masked(tail)
    call = re.match(r"[\w.]*[(\[{]", mask)
    if call and _opened(mask) == call.end() - 1:
        yield call.group(), tail[call.end() : -1], tail[-1]
        return
    yield "(", tail, ")"
    if mask.endswith(")"):
        at = _opened(mask) + 1
        yield tail[:at], tail[at:-1], ")"


def _masked(text: str) -> str:
    """The text, with nothing to be seen in what is never broken."""
    return WHOLE.sub(lambda found: "_" * len(found.group()), text)


def _opened(mask: str) -> int:
    """Where the bracket that closes at the end is opened; -1 if none closes there."""
    depth = 0
    for at in range(len(mask) - 1, -1, -1):
        depth += (mask[at] in ")]}") - (mask[at] in "([{")
        if depth == 0:
            return at if at < len(mask) - 1 else -1
    return -1


def _places(text: str) -> Iterator[list[int]]:
    """The spaces by what binds least of all that stands outside brackets; then those by what binds more as well."""
    depth, outside = 0, ""
    for letter in _masked(text):
        depth += (letter in "([{") - (letter in ")]}")
        outside += letter if depth == 0 else "_"
    places: list[int] = []
    for operators in LOOSEST:
        found = [match.start() for sign in operators for match in re.finditer(re.escape(sign), outside)]
        places = sorted(places + [at + (operators == (", ",)) for at in found])
        if found:
            yield places


def _filled(text: str, places: list[int], room: int) -> list[str]:
    """The text in lines, each as long as it can be if it is broken at these spaces only."""
    lines = [""]
    for start, end in zip([0, *places], [*places, len(text)], strict=True):
        piece = text[start:end]
        if lines[-1] and len(lines[-1] + piece) > room:
            lines.append(piece.lstrip())
        else:
            lines[-1] += piece
    return lines
