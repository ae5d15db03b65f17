"""States: what a rule says about them, their keys in a checkpoint and what they start from."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from sympy import Indexed, IndexedBase

from optgen.dsl.rule import Rule
from optgen.dsl.symbols import t
from optgen.errors import Loc, Problem, line_of
from optgen.passes.expressions import Reader
from optgen.passes.quantities import index_of, label


def state_problems(rule: Rule) -> Iterator[Problem]:
    """Keys and initial values of what is no state, keys that two states share, initial values that are none."""
    states = _states(rule)
    yield from _strangers(rule, states)
    yield from _shared(rule, states)
    loc = line_of(rule.loc, "init")
    reader = Reader(loc, (), [d.name for d in rule.declarations], partial(_none, loc=loc))
    for value in rule.init.values():
        yield from reader.number(value) if value not in (rule.param, rule.grad) else ()


def _states(rule: Rule) -> list[str]:
    """The quantities whose past is read, without the parameter."""
    read = [node for e in rule.equations for node in e.rhs.atoms(Indexed)]
    names = {label(node) for node in read if index_of(node) == -1} - {label(rule.param)}
    return sorted(names)


def _strangers(rule: Rule, states: list[str]) -> Iterator[Problem]:
    for where, quantities in (("state_keys", rule.state_keys), ("init", rule.init)):
        loc = line_of(rule.loc, where)
        for name in (label(q) for q in quantities if q != t):
            if name == label(rule.param):
                yield Problem(f"{where} names {name}, which is the parameter", loc, "remove the entry")
            elif name not in states:
                hint = f"remove the entry, or read {name}[t - 1] somewhere"
                yield Problem(f"{where} names {name}, which is no state: its past is never read", loc, hint)


def _shared(rule: Rule, states: list[str]) -> Iterator[Problem]:
    """A state without a key of its own is stored under its name; and names of quantities are results of an update."""
    keys = {label(q): key for q, key in rule.state_keys.items() if isinstance(q, IndexedBase)}
    names = {*states, *(label(equation.lhs) for equation in rule.equations)}
    for name, key in keys.items():
        if key != name and key in names:
            message = f"the state key of {name} is {key!r}, the name of another quantity"
            yield Problem(message, line_of(rule.loc, "state_keys"), "choose another key")


def _none(node: Indexed, loc: Loc | None) -> Iterator[Problem]:
    hint = f"a state starts from a number, hyperparameters, or {label(node)} without an index if it is param or grad"
    yield Problem(f"{node} stands in an initial value", loc, hint)
