"""Symbols: the quantities, hyperparameters and indices that equations are written with."""

from __future__ import annotations

import itertools
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from sympy import IndexedBase, Symbol

from optgen.dsl.expression import refuse_text
from optgen.dsl.names import caller, check_identifier, shown
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


class Undecided(Symbol):
    """A symbol whose value only a step knows, so that Python's `if`, `and`, `or` and `not` cannot use it."""

    __slots__ = ()

    def __bool__(self) -> bool:
        raise RuleError(
            f"Python cannot decide whether {self.name} holds",
            caller(),
            f"write Piecewise((a, {self.name}), (b, True)) for an `if`, and & | ~ for `and`, `or`, `not`",
        )

    def __and__(self, other: Any) -> Any:
        return super().__and__(refuse_bool(other, caller()))

    def __or__(self, other: Any) -> Any:
        return super().__or__(refuse_bool(other, caller()))

    __rand__, __ror__ = __and__, __or__


class Recurrence(IndexedBase):
    """A quantity of a recurrence. SymPy would evaluate an index that is a text as Python."""

    def __getitem__(self, index: Any, **options: Any) -> Any:
        for part in index if isinstance(index, (tuple, list)) else (index,):
            refuse_text(part, f"an index of {self.label}", caller())
        return super().__getitem__(index, **options)


class Hyper(Undecided):
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
first = Undecided("first")
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
    made = tuple(Recurrence(check_identifier(name, "quantity", loc), real=True) for name in _split(names, loc))
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
    Raises RuleError for an invalid name, a default or bound that is no finite number, a default outside its bounds.
    """
    loc = caller()
    check_identifier(name, "hyperparameter", loc)
    sides = {"at_least": at_least, "above": above, "at_most": at_most, "below": below}
    bounds = Bounds(**{side: _number(bound, f"the bound {side}", name, loc) for side, bound in sides.items()})
    several = isinstance(default, (tuple, list))
    given: tuple[Any, ...] = tuple(default) if isinstance(default, (tuple, list)) else (default,)
    values = tuple(_number(value, "the default", name, loc, several) for value in given)
    outside = next((v for v in values if v is not None and not bounds.admit(v)), None)
    if outside is not None:
        raise RuleError(
            f"the default {outside!r} of {name!r} lies outside its bounds: {bounds}", loc, "change one of them"
        )
    symbols = _symbol_names(name, len(values), several) if names is None else _split(names, loc)
    if len(symbols) != len(values) or len(set(symbols)) != len(symbols) or not values or (names and not several):
        raise RuleError(
            f"{name!r} is {f'a tuple of {len(values)}' if several else 'a single number'}, "
            f"but its names are {', '.join(symbols) or 'none'}",
            loc,
            "give one name for each element of a tuple default, and none for a single number",
        )
    for symbol in symbols:
        check_identifier(symbol, "hyperparameter", loc)
    declaration = Declaration(name, values if several else values[0], symbols, bounds, Kind.REAL, next(_order), loc)
    made = tuple(Hyper(symbol, declaration) for symbol in symbols)
    return made if several else made[0]


def flag(name: str, default: bool) -> Any:
    """A Boolean hyperparameter, to stand as a condition in a Piecewise. Raises RuleError if the default is no bool."""
    loc = caller()
    check_identifier(name, "flag", loc)
    if not isinstance(default, bool):
        raise RuleError(
            f"the default of flag {name!r} is {shown(default)}, neither True nor False",
            loc,
            "a number is declared with hyper(name, default)",
        )
    return Hyper(name, Declaration(name, default, (name,), Bounds(), Kind.FLAG, next(_order), loc))


def refuse_bool(condition: Any, loc: Loc) -> Any:
    """The condition. Raises RuleError for a Python bool, which SymPy would drop from an And without a word."""
    if isinstance(condition, bool):
        raise RuleError(
            f"a condition is joined with the bare Python value {condition}",
            loc,
            "Python decides `t == 1` at once; write Eq(t, 1), Ne(t, 1), t <= 1, first or a flag",
        )
    return condition


def _number(value: Any, what: str, name: str, loc: Loc, needed: bool = False) -> Number | None:
    """The value as Python's own number. One of NumPy's, or of a subclass, may print as what is no number elsewhere."""
    if value is None and not needed:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise RuleError(
            f"{what} of {name!r} is {shown(value)}, which is not a number",
            loc,
            "give a number, or a tuple of numbers; a Boolean is a flag(name, default)",
        )
    number = int.__int__(value) if isinstance(value, int) else float.__float__(value)
    if abs(number) > sys.float_info.max or math.isnan(number):
        raise RuleError(f"{what} of {name!r} is not a finite number", loc, "give one that a float can hold")
    return number


def _split(names: Any, loc: Loc) -> tuple[str, ...]:
    """The names in a text, which blanks separate."""
    if type(names) is not str:
        raise RuleError(f"names are given as {shown(names)}", loc, 'write them in one text, such as "theta g m"')
    return tuple(names.split())


def _symbol_names(name: str, count: int, several: bool) -> tuple[str, ...]:
    stem = name.removesuffix("s")
    return tuple(f"{stem}{i + 1}" for i in range(count)) if several else (name,)
