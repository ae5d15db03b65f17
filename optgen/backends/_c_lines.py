"""C lines: where they are cut that are too long, and how far in directives stand."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from optgen.wrapping import WIDTH

STEP = "    "
LOOSE = {"?": 0, ":": 0, "||": 1, "&&": 2, "+": 3, "-": 3, "*": 4, "/": 4, "=": 5}  # how tightly operators bind
DIRECTIVE = re.compile(r"\s*#(if|else|endif)\b")


def aligned(lines: Sequence[str]) -> Iterator[str]:
    """The lines, each directive as far in as what it guards, for what is woven may be inside loops."""
    margins: list[str] = []
    for k, line in enumerate(lines):
        found = DIRECTIVE.match(line)
        if found and found[1] == "if":
            guarded = next(n for n in range(k, len(lines)) if not DIRECTIVE.match(lines[n]))
            margins.append(" " * (len(_margin(lines[guarded])) - 4 * (guarded - k)))
        yield margins[-1] + line.lstrip() if found else line
        if found and found[1] == "endif":
            margins.pop()


def _margin(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


def wrapped(line: str) -> list[str]:
    """A line in as many as it takes."""
    margin = _margin(line)
    if len(line) <= WIDTH or line.lstrip().startswith("//"):
        return [line]
    glue = " \\" if line.lstrip().startswith("#") else ""
    first, *rest = _pieces(line.strip(), WIDTH - 4 - len(margin))
    lines = [margin + first, *(f"{margin}{STEP}{piece}" for piece in rest)]
    return [*(f"{line}{glue}" for line in lines[:-1]), lines[-1]]


def _pieces(text: str, width: int) -> Iterator[str]:
    """The text in pieces of at most so many characters, each cut at the outermost operator that binds least."""
    while len(text) > width:
        depth = 0
        places: dict[tuple[int, int], int] = {}
        for at, char in enumerate(text[: width + 1]):
            depth += (char in "([") - (char in ")]")
            word = text[:at].rpartition(" ")[2]
            is_place = word == "=" or (at > width // 4 and (word in LOOSE or word.endswith(",")))
            if char == " " and is_place:
                places[depth, LOOSE.get(word, 0)] = at
        cut = places[min(places)] if places else text.rfind(" ", 0, width + 1)
        if cut < 0:
            break
        yield text[:cut]
        text = text[cut + 1 :]
    yield text


def comment(header: Iterable[str]) -> list[str]:
    """The lines of a comment, after their stars, which nothing in them can end."""
    lines = [line.replace("*/", "* /").replace("??/", "?? /") for line in header]
    return [f" {line}" if line else "" for line in lines]
