"""Symbols: the quantities, hyperparameters and indices that equations are written with."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from sympy import IndexedBase, Symbol

from optgen.dsl.names import caller, check_identifier
from optgen.errors import Loc, RuleError

Number = int | float


class Kind(Enum):
    """What a hyperparameter holds."""

    REAL = "real"
    FLAG = "flag"


@dataclass(frozen=True, slots=True)
class Bounds:
    """An interval; None leaves a side open. A NaN lies in no interval."""

    at_least: Number | None = None
    above: Number | None = None
    at_most: Number | None = None
    below: Number | None = None

    def admit(self, value: Number) -> bool:
        """Whether the value lies inside."""
        return (
            not math.isnan(value)
            and (self.at_least is None or value >= self.at_least)
            and (self.above is None or value > self.above)
            and (self.at_most is None or value <= self.at_most)
            and (self.below is None or value < self.below)
        )

    def __str__(self) -> str:
        sides = (("at least", self.at_least), ("above", self.above), ("at most", self.at_most), ("below", self.below))
        return " and ".join(f"{word} {bound}" for word, bound in sides if bound is not None)


@dataclass(frozen=True, slots=True)
class Declaration:
    """One constructor argument. `names` are its symbols: one, or one for each element of a tuple default."""

    name: str
    default: Any
    names: tuple[str, ...]
    bounds: Bounds
    kind: Kind
    order: int
    loc: Loc | None

    @property
    def is_tuple(self) -> bool:
        """Whether users pass a tuple, such as betas."""
        return isinstance(self.default, tuple)


_order = itertools.count()


class Hyper(Symbol):
    """A hyperparameter in an equation. The declaration is part of its identity, so no cache can mix two of them."""

    __slots__ = ("declaration",)
    declaration: Declaration

    def __new__(cls, name: str, declaration: Declaration) -> Hyper:
        real = {} if declaration.kind is Kind.FLAG else {"real": True}
        symbol: Hyper = Symbol.__xnew__(cls, name, **real)
        symbol.declaration = declaration
        return symbol

    def _hashable_content(self) -> tuple[Any, ...]:
        return (*super()._hashable_content(), self.declaration.order)


t = Symbol("t", integer=True)
first = Symbol("first")
elems, rows, cols, model = (Symbol(name, integer=True) for name in ("elems", "rows", "cols", "model"))
numel = Symbol("numel", integer=True)

AXES = (elems, rows, cols, model)
EXTENTS = (rows, cols, numel)
BUILT_IN = frozenset([t, first, *AXES, numel])


def tensors(names: str) -> Any:
    """Quantities indexed by t, from names separated by blanks: one, or a tuple of several.

    Raises RuleError for a name that is invalid or reserved.
    """
    loc = caller()
    made = tuple(IndexedBase(check_identifier(name, "quantity", loc), real=True) for name in names.split())
    if not made:
        raise RuleError("tensors() was given no name", loc, 'write tensors("theta g m")')
    return made[0] if len(made) == 1 else made


def hyper(
    name: str,
    default: Number | Sequence[Number] | None,
    *,
    at_least: Number | None = None,
    above: Number | None = None,
    at_most: Number | None = None,
    below: Number | None = None,
    names: str | None = None,
) -> Any:
    """A hyperparameter: one symbol, or one for each element of a tuple default (`betas` gives beta1, beta2).

    Bounds hold for each element and are checked whenever a user passes a value. `names` overrides the symbols' names.
    Raises RuleError for an invalid name, a default that is no number, or one outside its bounds.
    """
    loc = caller()
    check_identifier(name, "hyperparameter", loc)
    bounds = Bounds(at_least, above, at_most, below)
    several = isinstance(default, (tuple, list))
    values: tuple[Any, ...] = tuple(default) if isinstance(default, (tuple, list)) else (default,)
    for value in values:
        if isinstance(value, bool) or not isinstance(value, (int, float, type(None))):
            raise RuleError(
                f"the default {value!r} of {name!r} is not a number",
                loc,
                "give a number, a tuple of numbers or None; a Boolean is a flag(name, default)",
            )
        if value is not None and not bounds.admit(value):
            raise RuleError(
                f"the default {value!r} of {name!r} lies outside its bounds: {bounds}",
                loc,
                "change the default or the bounds",
            )
    symbols = _symbol_names(name, len(values) if several else 0, names)
    if len(symbols) != len(values) or len(set(symbols)) != len(symbols):
        raise RuleError(
            f"{name!r} has {len(values)} elements but the names {', '.join(symbols)}",
            loc,
            "give one name for each element of the default",
        )
    for symbol in symbols:
        check_identifier(symbol, "hyperparameter", loc)
    declaration = Declaration(name, values if several else default, symbols, bounds, Kind.REAL, next(_order), loc)
    made = tuple(Hyper(symbol, declaration) for symbol in symbols)
    return made if several else made[0]


def flag(name: str, default: bool) -> Any:
    """A Boolean hyperparameter, to stand as a condition in a Piecewise. Raises RuleError if the default is no bool."""
    loc = caller()
    check_identifier(name, "flag", loc)
    if not isinstance(default, bool):
        raise RuleError(
            f"the default {default!r} of flag {name!r} is neither True nor False",
            loc,
            "a number is declared with hyper(name, default)",
        )
    return Hyper(name, Declaration(name, default, (name,), Bounds(), Kind.FLAG, next(_order), loc))


def _symbol_names(name: str, count: int, names: str | None) -> tuple[str, ...]:
    if names is not None:
        return tuple(names.split())
    stem = name.removesuffix("s")
    return tuple(f"{stem}{i + 1}" for i in range(count)) if count else (name,)
