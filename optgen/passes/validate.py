"""Validate: everything a user may have written wrong that shows before a variant is chosen.

Collects all problems of a rule and raises once. Establishes what the other passes assume: every quantity is defined
once and read after that, every index is t, t - 1 or a whole number, every symbol is declared, what must be a number or
a condition is one, no two names collide.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import sympy
from sympy import Indexed

from optgen.dsl.inputs import Given
from optgen.dsl.rule import Eq, Rule, Schedule
from optgen.dsl.symbols import EXTENTS, Hyper, first, t
from optgen.errors import Problem, RuleError, line_of
from optgen.passes.collisions import name_problems, signature_problems
from optgen.passes.expressions import Reader
from optgen.passes.quantities import index_of, label, steps
from optgen.passes.states import state_problems

MOST_EQUATIONS = 500
Seen = set[tuple[str, int | str | None]]


def validate(rule: Rule | Schedule) -> None:
    """Raises RuleError with every problem of a rule or a schedule, in the order of the source."""
    problems = [*name_problems(rule), *_requirements(rule)]
    problems += _of_rule(rule) if isinstance(rule, Rule) else _of_schedule(rule)
    if problems:
        raise RuleError.several(problems)


def _of_rule(rule: Rule) -> Iterator[Problem]:
    if len(rule.equations) > MOST_EQUATIONS:
        hint = f"a rule has at most {MOST_EQUATIONS}"
        yield Problem(f"the rule has {len(rule.equations)} equations", rule.loc, hint)
        return
    yield from _Walk(rule).problems()
    yield from state_problems(rule)
    yield from signature_problems(rule)


def _of_schedule(schedule: Schedule) -> Iterator[Problem]:
    declared = [name for d in schedule.declarations for name in d.names]
    yield from Reader(schedule.loc, (t,), declared, lambda _: iter(())).number(schedule.value)
    for declaration in schedule.declarations:
        if declaration.is_tuple:
            hint = "declare a hyper for each element"
            yield Problem(f"the schedule takes the tuple {declaration.name}", declaration.loc, hint)
    for node in schedule.value.atoms(sympy.Max, sympy.Min):
        if len(node.args) != 2:
            name = type(node).__name__
            yield Problem(f"SymPy's {name} is taken of {len(node.args)}", schedule.loc, f"use {name} of optgen, of two")


@dataclass(slots=True)
class _Walk:
    """Walks the equations in order and remembers what has been defined."""

    rule: Rule
    defined: Seen = field(default_factory=set)
    ever: Seen = field(default_factory=set)

    def problems(self) -> Iterator[Problem]:
        rule = self.rule
        from_outside = {(label(quantity), 0) for quantity in (rule.grad, *rule.inputs)}
        self.ever = {(label(eq.lhs), index_of(eq.lhs)) for eq in rule.equations} | from_outside
        self.defined |= from_outside
        bases = [*(label(e.lhs) for e in rule.equations), *map(label, (rule.param, rule.grad, *rule.inputs))]
        known = (t, first, *EXTENTS, *map(Given, rule.inputs))
        declared = [*dict.fromkeys(bases), *(name for d in rule.declarations for name in d.names)]
        for equation in rule.equations:
            read = partial(self._read, equation=equation)
            reader = Reader(equation.loc, known, declared, read, over=True)
            yield from reader.number(equation.rhs)
            yield from self._define(equation)
        if (label(rule.param), 0) not in self.ever:
            name = label(rule.param)
            hint = f"add Eq({name}[t], {name}[t - 1] - ...)"
            if any(base == name for base, _ in self.ever):
                hint = f"{name} is computed at another index; " + hint + ", where t is that of optgen"
            yield Problem(f"the parameter {name} is never updated", rule.loc, hint)

    def _read(self, node: Any, equation: Eq) -> Iterator[Problem]:
        name, index = label(node), index_of(node)
        if len(node.indices) != 1:
            yield Problem(f"{node} has {len(node.indices)} indices, not one", equation.loc, _instead(node))
        elif index is None:
            yield Problem(f"{node} has an index other than t or t - 1", equation.loc, _instead(node))
        elif index == -1 and node.base in self.rule.inputs:
            hint = f"store it: a quantity x with Eq(x[t], {name}[t]) gives x[t - 1]"
            yield Problem(f"the past of the input {name} is read, which no step keeps", equation.loc, hint)
        elif index == -1:
            if (name, 0) not in self.ever:
                message = f"the past of {name} is read, but no equation computes {name}[t]"
                yield Problem(message, equation.loc, f"add Eq({name}[t], ...), or correct the name")
        elif (name, index) not in self.ever:
            hint = f"add Eq({node}, ...) before this equation, or correct the name"
            yield Problem(f"{node} is undefined: no equation computes it", equation.loc, hint)
        elif (name, index) not in self.defined:
            instead = f"read {name}[t - 1]" if index == 0 else "name another index"
            hint = instead if node == equation.lhs else f"move Eq({node}, ...) above this equation, or {instead}"
            yield Problem(f"{node} is read before it is defined", equation.loc, hint)

    def _define(self, equation: Eq) -> Iterator[Problem]:
        name, index = label(equation.lhs), index_of(equation.lhs)
        if index is None or index == -1:
            message = f"the left side {equation.lhs} has an index other than t"
            hint = f"write Eq({name}[t], ...)" if index == -1 else _instead(equation.lhs)
            yield Problem(message, equation.loc, hint)
        elif (name, index) == (label(self.rule.grad), 0):
            message = f"the gradient {name}[t] is given, but the equation defines it"
            yield Problem(message, equation.loc, "name the changed gradient, for example g_wd")
        elif index == 0 and equation.lhs.base in self.rule.inputs:
            message = f"the input {name}[t] is given, but the equation defines it"
            yield Problem(message, equation.loc, "give what is computed a name of its own")
        elif (name, index) in self.defined:
            yield Problem(f"{equation.lhs} is defined twice", equation.loc, "give the second one a name of its own")
        self.defined.add((name, index))


def _instead(node: Indexed) -> str:
    name, form = label(node), steps(node)
    if form and form[0] == 1 and form[1] < -1:
        return f"store it: a quantity x with Eq(x[t], {name}[t - 1]) gives x[t - 1], two steps back"
    if any(s != t and s.name == "t" for s in node.free_symbols - {node.base.label}):
        return "this t is a symbol of its own: from optgen import t"
    return f"write {name}[t] for this step, {name}[t - 1] for the one before"


def _requirements(rule: Rule | Schedule) -> Iterator[Problem]:
    """Conditions that are none, and defaults that the rule itself refuses."""
    loc = line_of(rule.loc, "requires")
    declared = [name for d in rule.declarations for name in d.names]

    def refuse(node: Any) -> Iterator[Problem]:
        yield Problem(f"{node} stands in a requirement", loc, "a requirement is on hyperparameters only")

    reader = Reader(loc, (), declared, refuse)
    for condition, message in rule.requires:
        problems = list(reader.condition(condition))
        if not problems and _refuses_defaults(condition):
            problems = [Problem(f"the defaults break a requirement: {message}", loc, "change a default")]
        yield from problems


def _refuses_defaults(condition: Any) -> bool:
    values = {}
    for symbol in condition.atoms(Hyper):
        d = symbol.declaration
        values[symbol] = d.default[d.names.index(symbol.name)] if d.is_tuple else d.default
    if None in values.values():
        return False
    with sympy.evaluate(True):
        return bool(condition.subs(values) == sympy.false)
