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
from sympy.core.parameters import global_parameters

from optgen.dsl.expression import refuse_text
from optgen.dsl.names import caller, check_identifier, shown
from optgen.errors import Loc, RuleError

Number = int | float


class _MachineEps:
    """The default of a hyperparameter that may be None: that is the machine epsilon of the parameter's dtype."""

    def __repr__(self) -> str:
        return "machine_eps"


machine_eps = _MachineEps()


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

    def hold_something(self) -> bool:
        """Whether a number lies inside."""
        lowest = max((bound for bound in (self.at_least, self.above) if bound is not None), default=-math.inf)
        highest = min((bound for bound in (self.at_most, self.below) if bound is not None), default=math.inf)
        return lowest < highest or (lowest == highest and self.admit(lowest))

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
    none_is_eps: bool = False
    refusal: str = ""  # what is said of a value out of bounds, {} being the value, where a class of torch sets it

    @property
    def is_tuple(self) -> bool:
        """Whether users pass a tuple, such as betas."""
        return isinstance(self.default, tuple)


_order = itertools.count()


def next_order() -> int:
    """The place of a declaration among all, which is its own."""
    return next(_order)


class Undecided(Symbol):
    """A symbol whose value only a step knows, so that Python's `if`, `and`, `or` and `not` cannot use it."""

    __slots__ = ()

    def __bool__(self) -> bool:
        if global_parameters.evaluate:
            return True  # SymPy asks, to print 1/x; rules are read where it evaluates nothing
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


class Whole(Symbol):
    """A whole number that a step knows: t, an extent, an axis.

    Python asks a subclass first, so that a plain Symbol would turn `t < steps` round to `steps > t`.
    """

    __slots__ = ()


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


t = Whole("t", integer=True)
first = Undecided("first")
elems, rows, cols, model = (Whole(name, integer=True) for name in ("elems", "rows", "cols", "model"))
numel = Whole("numel", integer=True)

AXES = (elems, rows, cols, model)
EXTENTS = (rows, cols, numel)
BUILT_IN: frozenset[Symbol] = frozenset([t, first, *AXES, numel])


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
    default: Number | Sequence[Number | _MachineEps] | _MachineEps | None,
    *,
    at_least: Number | None = None,
    above: Number | None = None,
    at_most: Number | None = None,
    below: Number | None = None,
    names: str | None = None,
    refusal: str = "",
) -> Any:
    """A hyperparameter: one symbol, or one for each element of a tuple default (`betas` gives beta1, beta2).

    Bounds hold for each element and are checked whenever a user passes a value. `names` overrides the symbols' names.
    The default machine_eps is None to users: the machine epsilon of the parameter's dtype.
    refusal: what is said of a value out of bounds, {} being the value.
    Raises RuleError for an invalid name, a default or bound that is no finite number, a default outside its bounds.
    """
    loc = caller()
    check_identifier(name, "hyperparameter", loc)
    sides = {"at_least": at_least, "above": above, "at_most": at_most, "below": below}
    bounds = Bounds(**{side: _number(bound, f"the bound {side}", name, loc) for side, bound in sides.items()})
    if not bounds.hold_something():
        raise RuleError(f"no number is inside the bounds of {name!r}: {bounds}", loc, "change one of the bounds")
    several = isinstance(default, (tuple, list))
    given: tuple[Any, ...] = tuple(default) if isinstance(default, (tuple, list)) else (default,)
    values = tuple(
        None if value is machine_eps else _number(value, "the default", name, loc, several) for value in given
    )
    outside = next((v for v in values if v is not None and not bounds.admit(v)), None)
    if outside is not None:
        raise RuleError(
            f"the default {outside!r} of {name!r} lies outside its bounds: {bounds}", loc, "change one of them"
        )
    symbols = _symbol_names(name, len(values), several, names, loc)
    held = values if several else values[0]
    none_is_eps = any(value is machine_eps for value in given)
    declaration = Declaration(name, held, symbols, bounds, Kind.REAL, next_order(), loc, none_is_eps, refusal)
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
            f"write flag({name!r}, {bool(default) if isinstance(default, int) else False}); "
            "a number is declared by hyper(name, default)",
        )
    return Hyper(name, Declaration(name, default, (name,), Bounds(), Kind.FLAG, next_order(), loc))


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
            "give a number of Python, such as 0.9, or a tuple of them; a Boolean is a flag(name, default)",
        )
    number = int.__int__(value) if isinstance(value, int) else float.__float__(value)
    if number != number or abs(number) > sys.float_info.max:
        hint = "leave the bound out" if what.startswith("the bound") else "give a number that a float can hold"
        raise RuleError(f"{what} of {name!r} is {'NaN' if number != number else 'too large for a float'}", loc, hint)
    return number


def _split(names: Any, loc: Loc) -> tuple[str, ...]:
    """The names in a text, which blanks separate."""
    if type(names) is not str:
        raise RuleError(f"names are given as {shown(names)}", loc, 'write them in one text, such as "theta g m"')
    if "," in names:
        hint = f'write "{" ".join(names.replace(",", " ").split())}"'
        raise RuleError(f"the names {names!r} hold a comma, but blanks separate names", loc, hint)
    return tuple(names.split())


def _symbol_names(name: str, count: int, several: bool, given: str | None, loc: Loc) -> tuple[str, ...]:
    """The name of each symbol: those that are given, else name itself, or beta1 and beta2 for a tuple betas."""
    stem = name.removesuffix("s")
    made = tuple(f"{stem}{i + 1}" for i in range(count)) if several else (name,)
    symbols = made if given is None else _split(given, loc)
    if len(set(symbols)) != count or len(symbols) != count or not count or (given and not several):
        hint = "give one name for each element of a tuple default"
        raise RuleError(
            f"{name!r} is {f'a tuple of {count}' if several else 'a single number'}, "
            f"but its names are {', '.join(symbols) or 'none'}",
            loc,
            hint if several else "leave names out: the variable that holds the symbol may have any name",
        )
    for symbol in symbols:
        check_identifier(symbol, "hyperparameter", loc)
    return symbols
