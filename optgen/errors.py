"""Errors that a user can mend: each says where, what is wrong and how to put it right."""

from __future__ import annotations

import linecache
from dataclasses import dataclass


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
        lines = [linecache.getline(self.file, n).rstrip() for n in range(self.line, self.end_line + 1)]
        margin = min((len(text) - len(text.lstrip()) for text in lines if text), default=0)
        return "\n".join("    " + text[margin:] for text in lines if text)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a rule."""

    message: str
    loc: Loc | None
    hint: str

    def __str__(self) -> str:
        where = f"{self.loc}: " if self.loc else ""
        parts = [f"{where}{self.message}", self.loc.quote() if self.loc else "", f"hint: {self.hint}"]
        return "\n".join(part for part in parts if part)


class OptgenError(Exception):
    """What a user did that optgen cannot carry out: an unknown name, a missing file, a bad option."""


class RuleError(OptgenError):
    """A rule that cannot be compiled. Holds every problem that one stage found, in the order of the source."""

    def __init__(self, message: str, loc: Loc | None = None, hint: str = "") -> None:
        self.problems: tuple[Problem, ...] = (Problem(message, loc, hint),)
        super().__init__(str(self.problems[0]))

    @classmethod
    def several(cls, problems: list[Problem]) -> RuleError:
        """One error that reports all of them."""
        error = cls(problems[0].message, problems[0].loc, problems[0].hint)
        error.problems = tuple(problems)
        error.args = ("\n\n".join(str(p) for p in problems),)
        return error
