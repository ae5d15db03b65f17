"""Specialise: static conditions are decided first, so each variant of a rule is straight-line.

A condition is static if it reads flags, hyperparameters and extents only, or asks whether an input is given. Assumes a
valid rule; establishes that no flag and no static condition is left.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from functools import reduce
from typing import Any

import sympy
from sympy import Equality, Unequality
from sympy.core.relational import Relational
from sympy.logic.boolalg import And, BooleanAtom, Not, Or

from optgen.dsl.functions import Max, Min
from optgen.dsl.inputs import Given
from optgen.dsl.rule import Rule
from optgen.dsl.symbols import EXTENTS, Hyper, Kind
from optgen.errors import RuleError
from optgen.passes.rewrite import bottom_up

MOST_CONDITIONS = 8


def conditions(rule: Rule) -> tuple[Any, ...]:
    """The static conditions that stand in the equations, in order of appearance. Raises RuleError above eight."""
    found: dict[Any, None] = {}
    for equation in rule.equations:
        found.update(dict.fromkeys(_static_atoms(equation.rhs)))
    if len(found) > MOST_CONDITIONS:
        raise RuleError(
            f"the rule has {len(found)} static conditions, which make {2 ** len(found)} variants",
            rule.loc,
            f"use at most {MOST_CONDITIONS}: split the rule in two, or make a condition depend on t",
        )
    return tuple(found)


def variants(rule: Rule, found: tuple[Any, ...]) -> Iterator[dict[Any, bool]]:
    """Every assignment of truth values to the conditions, all false first."""
    for values in itertools.product((False, True), repeat=len(found)):
        yield dict(zip(found, values, strict=True))


def specialise(rule: Rule, variant: dict[Any, bool]) -> tuple[Rule, dict[str, bool], list[tuple[Any, Any, Any]]]:
    """The rule's equations as (lhs, rhs, loc), with the static conditions of one variant decided."""
    decided = [(eq.lhs, bottom_up(eq.rhs, lambda node: _decide(node, variant)), eq.loc) for eq in rule.equations]
    return rule, {str(condition): value for condition, value in variant.items()}, decided


def _static_atoms(expr: Any) -> Iterator[Any]:
    """Static relations and flags inside the conditions of an expression, in reading order."""
    if isinstance(expr, Relational):
        if expr.free_symbols and all(isinstance(s, Hyper) or s in EXTENTS for s in expr.free_symbols):
            yield Unequality(*expr.args) if isinstance(expr, Equality) else expr
    elif isinstance(expr, Given) or (isinstance(expr, Hyper) and expr.declaration.kind is Kind.FLAG):
        yield expr
    else:
        for arg in sorted(expr.args, key=str) if isinstance(expr, (And, Or)) else expr.args:
            yield from _static_atoms(arg)


def _decide(node: Any, variant: dict[Any, bool]) -> Any:
    """SymPy itself drops decided parts of And, Or and Piecewise, whether it evaluates or not."""
    if node in variant:
        return sympy.true if variant[node] else sympy.false
    if isinstance(node, Equality) and Unequality(*node.args) in variant:
        return sympy.false if variant[Unequality(*node.args)] else sympy.true
    if isinstance(node, Not) and isinstance(node.args[0], BooleanAtom):
        return sympy.false if node.args[0] == sympy.true else sympy.true
    if isinstance(node, (sympy.Max, sympy.Min)):  # of any number of arguments, unlike ours
        ours = Max if isinstance(node, sympy.Max) else Min
        return reduce(ours, node.args)
    return node
