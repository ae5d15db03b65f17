"""Errors that a user can mend: each says where, what is wrong and how to put it right."""

from __future__ import annotations

import linecache
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

MOST_QUOTED = 12  # lines of source
LONGEST = 300  # characters of a message or of a quoted line


@dataclass(frozen=True, slots=True)
class Loc:
    """Where an equation or a declaration stands: a file and its first and last line (from 1)."""

    file: str
    line: int
    end_line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"

    def quote(self) -> str:
        """The source lines themselves, without their common indentation."""
        last = min(self.end_line, self.line + MOST_QUOTED - 1)
        lines = [text for n in range(self.line, last + 1) if (text := linecache.getline(self.file, n).rstrip())]
        margin = min((len(text) - len(text.lstrip()) for text in lines), default=0)
        more = ["..."] if last < self.end_line and lines else []
        return "\n".join("    " + printable(text) for text in [*(text[margin:] for text in lines), *more])

    def of(self, word: str) -> Loc:
        """The first of these lines that holds a word; all of them if none does."""
        for n in range(self.line, self.end_line + 1):
            if re.search(rf"\b{re.escape(word)}\b", linecache.getline(self.file, n)):
                return replace(self, line=n, end_line=n)
        return self


def line_of(loc: Loc | None, word: str) -> Loc | None:
    """The line of a location that holds a word, if there is a location."""
    return loc.of(word) if loc else None


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a rule."""

    message: str
    loc: Loc | None
    hint: str

    def __str__(self) -> str:
        where = f"{printable(str(self.loc))}: " if self.loc else ""
        quote = self.loc.quote() if self.loc else ""
        hint = f"hint: {printable(self.hint)}" if self.hint else ""
        return "\n".join(part for part in (where + printable(self.message), quote, hint) if part)


class OptgenError(Exception):
    """What a user did that optgen cannot carry out: an unknown name, a missing file, a bad option."""


class RuleError(OptgenError):
    """A rule that cannot be compiled. Holds every problem that one stage found, in the order of the source."""

    def __init__(self, message: str, loc: Loc | None = None, hint: str = "") -> None:
        self.problems: tuple[Problem, ...] = (Problem(message, loc, hint),)
        super().__init__(str(self.problems[0]))

    @classmethod
    def several(cls, problems: Sequence[Problem]) -> RuleError:
        """One error that reports all of them, each once, in the order of their lines."""
        files = list(dict.fromkeys(p.loc.file for p in problems if p.loc))
        ordered = sorted(
            dict.fromkeys(problems), key=lambda p: (files.index(p.loc.file), p.loc.line) if p.loc else (len(files), 0)
        )
        error = cls(ordered[0].message, ordered[0].loc, ordered[0].hint)
        error.problems = tuple(ordered)
        error.args = ("\n\n".join(str(p) for p in ordered),)
        return error


def printable(text: str) -> str:
    """The text as one line of moderate length that a terminal shows as it is."""
    half = LONGEST // 2
    return escaped(text if len(text) <= LONGEST else f"{text[:half]} ... {text[-half:]}")


def escaped(text: str) -> str:
    """The text with an escape for every character that is not printed: line ends, controls, halves of characters."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
