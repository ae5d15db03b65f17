"""Stages: one rule after each pass, with inputs that make a variant, so that a pass can be seen to keep the meaning."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from meaning import SHAPES, Values, array, differences, evaluate, indexed_name, random_inputs, run, written

from optgen.dsl import Rule
from optgen.dsl.load import literal
from optgen.dsl.symbols import EXTENTS, Kind
from optgen.ir import Map, MatMul, Place, Reduce, Role, Step, Var
from optgen.passes import lower

TRIES = 60


def steps(rule: Rule, after: str = "hoist") -> tuple[Step, ...]:
    """All variants of a rule after a pass."""
    return lower(rule, after).steps


def pairs(rule: Rule, before: str, after: str, seed: int = 0, t: int = 0) -> Iterator[tuple[Step, Step, Values]]:
    """Each variant after two passes, with inputs of its own; a variant that no values make is left out."""
    found = 0
    program = lower(rule, "infer")
    several = zip(steps(rule, before), steps(rule, after), program.steps, strict=True)
    for number, (first, second, shaped) in enumerate(several):
        given = inputs(rule, program.conditions, shaped, 1000 * seed + number, t)
        if given is not None:
            found += 1
            yield first, second, given
    assert found, "no variant was tried"


def inputs(rule: Rule, conditions: tuple[Any, ...], shaped: Step, seed: int, t: int = 0) -> Values | None:
    """Values of everything that a variant is given, and of every flag; None if none were found that make it."""
    names = {v.name for v in shaped.vars}
    others = [Var(name, Role.HYPER, place=Place.HOST, boolean=d.kind is Kind.FLAG)
              for d in rule.declarations for name in d.names]
    others += [Var("t", Role.STEP, place=Place.HOST), Var("first", Role.STEP, place=Place.HOST, boolean=True)]
    others += [Var(extent.name, Role.EXTENT, place=Place.HOST) for extent in EXTENTS]
    variables = [*shaped.vars, *(v for v in others if v.name not in names)]
    for attempt in range(TRIES):
        given = random_inputs(variables, seed * TRIES + attempt, t)
        random = np.random.default_rng(seed * TRIES + attempt)
        for var in variables:
            if var.role is Role.HYPER and not var.boolean and random.integers(3) == 0:
                given[var.name] = [array(0)] * len(SHAPES)  # so that a condition such as Ne(decay, 0) may fail
        if [bool(evaluate(c, given)[0][0, 0, 0]) for c in conditions] == list(shaped.variant.values()):
            return given
    return None


def read(rule: Rule, given: Values) -> Values:
    """What the equations say, one after the other, for given pasts."""
    values = dict(given)
    with literal():
        for equation in rule.equations:
            for quantity in equation.rhs.atoms(type(equation.lhs)):  # a past that the variant in force does not hold
                values.setdefault(indexed_name(quantity), [array(1)] * len(SHAPES))
            values[indexed_name(equation.lhs)] = evaluate(equation.rhs, values)
    return values


def assert_same(rule: Rule, before: str, after: str, seed: int = 0, t: int = 0) -> None:
    """Asserts that a pass changed nothing that a step leaves in memory."""
    for first, second, given in pairs(rule, before, after, seed, t):
        a, b = written(first, run(first, given)), written(second, run(second, given))
        assert not differences(a, b), f"{differences(a, b)} where {second.variant}"


def expressions(step: Step) -> Iterator[Any]:
    """The expressions of the body, whole."""
    for statement in step.body:
        match statement:
            case Map(expr=expr) | Reduce(arg=expr):
                yield expr
            case MatMul():
                pass


def nodes(expr: Any) -> Iterator[Any]:
    """An expression and all of its parts."""
    yield expr
    for arg in expr.args:
        yield from nodes(arg)
