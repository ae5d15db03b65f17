"""Narrow: a root or quotient that has one value per column is computed once per column, not for each element.

Assumes a hoisted step. Establishes nothing more, and changes no rounding: for backends whose inner loop runs over
columns. What is one number per row or tensor is no matter, for compilers take it out of that loop themselves.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, field, replace
from typing import Any

from sympy import Expr, Pow, cos, exp, log, sin, tanh

from optgen.dsl.load import literal
from optgen.ir import BATCH, COLS, ELEMENT, TENSOR, Axis, Map, Reduce, Role, Statement, Step, Var, symbol
from optgen.passes.name_scalar import name_scalar
from optgen.passes.rewrite import rebuild

COSTLY = (Pow, exp, log, tanh, cos, sin)
PER_COLUMN = (TENSOR, BATCH, COLS)


def narrow(step: Step, taken: Set[str]) -> Step:
    """The same step with more statements per column. taken: names that these may not have."""
    narrower = _Narrower(step, {*taken, *(v.name for v in step.vars)})
    with literal():
        for statement in step.body:
            narrower.statement(statement)
    made = [Var(name.name, Role.LOCAL, PER_COLUMN) for name in narrower.known.values()]
    return replace(step, vars=(*step.vars, *made), body=tuple(narrower.body))


@dataclass(slots=True)
class _Narrower:
    step: Step
    taken: set[str]
    body: list[Statement] = field(default_factory=list)
    known: dict[Any, Any] = field(default_factory=dict)

    def statement(self, statement: Statement) -> None:
        match statement:
            case Map(expr=expr) if self._axes(expr) == ELEMENT:
                self.body.append(replace(statement, expr=self._visit(expr, statement)))
            case Reduce(arg=arg) if self._axes(arg) == ELEMENT:
                self.body.append(replace(statement, arg=self._visit(arg, statement)))
            case _:
                self.body.append(statement)

    def _axes(self, expr: Any) -> tuple[Axis, ...]:
        found = {axis for s in expr.free_symbols for axis in self.step.var(s.name).axes}
        return tuple(axis for axis in ELEMENT if axis in found)

    def _visit(self, expr: Any, statement: Map | Reduce) -> Any:
        is_reciprocal = expr.is_Pow and expr.exp.is_Number and expr.exp < 0  # what is divided by stays a divisor
        is_value = isinstance(expr, Expr)  # neither a condition nor a branch of a Piecewise with its condition
        if is_value and not (is_reciprocal or expr.is_Symbol) and self._axes(expr) == PER_COLUMN:
            return self._named(expr, statement) if expr.has(*COSTLY) else expr
        return rebuild(expr, [self._visit(arg, statement) for arg in expr.args])

    def _named(self, expr: Any, statement: Map | Reduce) -> Any:
        if expr not in self.known:
            name = name_scalar(expr, statement.target, self.taken)
            self.taken.add(name)
            self.known[expr] = symbol(name)
            self.body.append(Map(name, expr, statement.loc))
        return self.known[expr]
