"""The intermediate representation: three statements, with SymPy as the expression language.

    Step      = name, vars, host: Map*, body: Statement*, writes: Write*
    Statement = Map(target, expr) | Reduce(target, op, arg, over) | MatMul(target, a, b, ta, tb)
    Phase     = loads: name*, body: Statement*, stores: Write*

Names in expressions are plain SymPy symbols; `Var` says what each stands for. Statements are single-assignment and in
the order of evaluation; a variant is straight-line: it holds no static condition. The arguments of a sum or product
are in the order in which they are computed, left to right, and a nested one is a parenthesis: every printer keeps that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from typing import Any

from sympy import Symbol
from sympy.logic.boolalg import Boolean

from optgen.errors import Loc


class Role(Enum):
    """What a name stands for."""

    PARAM = "param"
    GRAD = "grad"
    INPUT = "input"
    STATE = "state"
    HYPER = "hyper"
    STEP = "step"
    EXTENT = "extent"
    LOCAL = "local"


class Place(Enum):
    """Where a value lives: HOST once per step in float64, DEVICE in the compute dtype."""

    HOST = "host"
    DEVICE = "device"


class Op(Enum):
    """How a reduction combines."""

    SUM = "sum"
    MEAN = "mean"
    MAX = "max"


@dataclass(frozen=True, slots=True)
class Axis:
    """A named axis. `extent` is the axis of a tensor that it is as long as; they differ for X @ X.T only."""

    name: str
    extent: str = ""

    def __str__(self) -> str:
        return self.name


# A device value has some of these, in this order: a value per element has all four, a row statistic lacks COLS, a
# per-tensor scalar has TENSOR only, a value common to every tensor stepped together has none.
TENSOR, BATCH, ROWS, COLS = (Axis(name, name) for name in ("tensor", "batch", "rows", "cols"))
ELEMENT = (TENSOR, BATCH, ROWS, COLS)


@dataclass(frozen=True, slots=True)
class Var:
    """A name. A STATE is the past value `x_prev` of the quantity x; `key` is its name in a checkpoint, `init` its
    start, `tensor_init` whether that is the parameter or the gradient, `settled` whether axes and place are known
    before they are inferred, `codec` the storage format that the rule asks for, and `is_nonnegative` whether what has
    one never is negative."""

    name: str
    role: Role
    axes: tuple[Axis, ...] = ()
    place: Place = Place.DEVICE
    loc: Loc | None = field(default=None, compare=False)
    key: str = ""
    init: Any = None
    boolean: bool = False
    tensor_init: bool = False
    settled: bool = False
    codec: str = ""
    is_nonnegative: bool = False

    @property
    def symbol(self) -> Symbol:
        """The name as it stands in expressions."""
        return symbol(self.name, self.boolean)


@dataclass(frozen=True, slots=True)
class Map:
    """target = expr, element by element, broadcast by the names of axes."""

    target: str
    expr: Any
    loc: Loc | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Reduce:
    """target = the op of arg over axes; TENSOR among them means over every tensor stepped together."""

    target: str
    op: Op
    arg: Any
    over: tuple[Axis, ...]
    loc: Loc | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class MatMul:
    """target = a @ b over the last two axes of two names, each transposed first where ta or tb says so."""

    target: str
    a: str
    b: str
    ta: bool = False
    tb: bool = False
    loc: Loc | None = field(default=None, compare=False)


Statement = Map | Reduce | MatMul


@dataclass(frozen=True, slots=True)
class Write:
    """At the end of the step the stored quantity `into` (theta_prev, m_prev) takes the value `value` (theta, m)."""

    into: str
    value: str


@dataclass(frozen=True, slots=True)
class Phase:
    """A part of the body that needs no more than what memory and earlier reductions hold: one launch on a GPU."""

    loads: tuple[str, ...]
    body: tuple[Statement, ...]
    stores: tuple[Write, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """One variant of a rule. `variant` maps the text of each static condition to its value."""

    name: str
    variant: Mapping[str, bool]
    vars: tuple[Var, ...]
    host: tuple[Map, ...]
    body: tuple[Statement, ...]
    writes: tuple[Write, ...]

    def var(self, name: str) -> Var:
        """The variable of this name."""
        return next(v for v in self.vars if v.name == name)

    def of_role(self, *roles: Role) -> tuple[Var, ...]:
        """The variables that have one of these roles, in order."""
        return tuple(v for v in self.vars if v.role in roles)


def symbol(name: str, boolean: bool = False) -> Symbol:
    """The symbol that stands for a name in expressions of the IR."""
    return Symbol(name) if boolean else Symbol(name, real=True)


@lru_cache(maxsize=4096)
def names_of(expr: Any) -> tuple[str, ...]:
    """The names of the symbols in an expression, sorted."""
    return tuple(sorted(s.name for s in expr.free_symbols))


def reads(statement: Statement) -> Iterator[str]:
    """The names that a statement reads."""
    match statement:
        case Map(expr=expr) | Reduce(arg=expr):
            yield from names_of(expr)
        case MatMul(a=a, b=b):
            yield from (a, b)


def is_condition(expr: Any) -> bool:
    """Whether an expression is a relation or what And, Or and Not make; a symbol may stand for a number, too."""
    return isinstance(expr, Boolean) and not expr.is_Symbol
