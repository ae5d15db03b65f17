"""Structural parameters: what Python reads to write the equations, so that it is fixed when a class is built."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from optgen.dsl.names import caller, check_identifier, shown
from optgen.errors import Loc, OptgenError, RuleError

Plain = int | str | None
_WISHES: ContextVar[dict[str, Plain] | None] = ContextVar("structural", default=None)


@dataclass(frozen=True, slots=True)
class Structural:
    """One structural parameter. value: what the equations are written for, the first of its spellings.

    spellings: what a user may pass to a class that was built for this value. others: what needs another class; where
    that is empty, any other value of the same type does. refusal: what is said of all else, {} being the value.
    """

    name: str
    value: Any
    spellings: tuple[Plain, ...]
    others: tuple[Plain, ...]
    refusal: str
    loc: Loc


def structural(
    name: str, default: Plain, choices: Sequence[tuple[Plain, ...]] = (), refusal: str = "", *, at_least: int = 1,
    below: int | None = None,
) -> Structural:
    """An int or a text that is fixed when the class is built; `.value` is it, for Python's range and if.

    choices: all values there are, each a tuple of its spellings. at_least, below: of an int. refusal: a message of its
    own for what is none of them. Raises RuleError for a default, or a wish of the caller of `load`, that is none.
    """
    loc = caller()
    check_identifier(name, "structural parameter", loc)
    wishes = _WISHES.get() or {}
    wished = wishes.pop(name, default)
    refusal = refusal or f"Invalid {name} value: {{}}"
    for value in (default, wished):
        known = any(_is_among(value, spellings) for spellings in choices)
        inside = type(value) is int and value >= at_least and (below is None or value < below)
        if not (known if choices else inside):
            raise RuleError(refusal.format(shown(value)), loc, _hint(choices, at_least, below))
    mine = next((tuple(spellings) for spellings in choices if _is_among(wished, spellings)), (wished,))
    others = tuple(one for spellings in choices for one in spellings if not _is_among(one, mine))
    return Structural(name, mine[0], mine, others, refusal, loc)


@contextmanager
def wished(wishes: Mapping[str, Plain]) -> Iterator[None]:
    """Within this context, structural parameters take the values wished for. Raises OptgenError for a name of none."""
    left = dict(wishes)
    token = _WISHES.set(left)
    try:
        yield
    finally:
        _WISHES.reset(token)
    if left:
        raise OptgenError(f"the rule has no structural parameter {', '.join(sorted(left))}")


def _is_among(value: object, spellings: Sequence[object]) -> bool:
    return any(type(value) is type(one) and value == one for one in spellings)


def _hint(choices: Sequence[tuple[Plain, ...]], at_least: int, below: int | None) -> str:
    if choices:
        return f"choose one of {', '.join(repr(one) for spellings in choices for one in spellings)}"
    return f"give a whole number, at least {at_least}" + (f" and below {below}" if below is not None else "")
