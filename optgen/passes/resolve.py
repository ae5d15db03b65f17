"""Resolve: indices become names, m[t - 1] -> m_prev and m[t] -> m; a quantity whose past is read is state.

Assumes a valid, specialised rule. Establishes single assignment over plain symbols, and drops what nothing reads: a
variant holds only the state that it uses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

import sympy
from sympy import Indexed, IndexedBase

from optgen.dsl.inputs import Given
from optgen.dsl.rule import Eq, Rule
from optgen.dsl.symbols import EXTENTS, Hyper, Kind, t
from optgen.errors import Problem, RuleError
from optgen.ir import ELEMENT, Map, Place, Role, Step, Var, Write, symbol
from optgen.passes.quantities import index_of, label


def resolve(
    specialised: tuple[Rule, dict[str, bool], list[tuple[Any, Any, Any]]], others: Mapping[str, Var] | None = None
) -> Step:
    """One straight-line variant of a rule as a Step: a body of Maps, nothing on the host yet, axes unknown.

    others: states of the variants that differ in what is given only, with their axes: all keep the same.
    Raises RuleError for an input that is read where it is not given.
    """
    rule, variant, equations = specialised
    maps = [Map(str(_name(lhs)), _rename(rhs), loc) for lhs, rhs, loc in equations]
    others = others or {}
    kept = [name.removesuffix("_prev") for name in others]
    live = _live(maps, [label(rule.param), *_outputs(tuple(rule.equations), label(rule.param)), *kept])
    body = tuple(m for m in maps if m.target in live)
    read = {s.name for m in body for s in m.expr.free_symbols}
    _check_given(rule, variant, body)
    past = read | others.keys()
    states = [name for name in _quantities(rule) if f"{name}_prev" in past and name != label(rule.param)]
    writes = (Write(f"{label(rule.param)}_prev", label(rule.param)), *(Write(f"{name}_prev", name) for name in states))
    held = [_settled(state, others.get(state.name)) for state in _states(rule, states)]
    used = read | {s.name for state in held for s in state.init.free_symbols}
    return Step(
        rule.name,
        variant,
        (*_inputs(rule, used), *held, *(Var(m.target, Role.LOCAL, loc=m.loc) for m in body)),
        (),
        body,
        writes,
    )


def _settled(state: Var, known: Var | None) -> Var:
    return state if known is None else replace(state, axes=known.axes, place=known.place, settled=True)


def _check_given(rule: Rule, variant: Mapping[str, bool], body: tuple[Map, ...]) -> None:
    absent = {label(q): q for q in rule.inputs if variant.get(str(Given(q))) is False}
    problems = [
        Problem(
            f"{name}[t] is read where given({name}) does not hold",
            m.loc,
            f"read it in a branch: Piecewise((... {name}[t] ..., given({name})), (..., True))",
        )
        for m in body
        for name in sorted(s.name for s in m.expr.free_symbols if s.name in absent)
    ]
    if problems:
        raise RuleError.several(problems)


def _name(quantity: Indexed) -> Any:
    index = index_of(quantity)
    suffix = "" if index == 0 else "_prev" if index == -1 else f"_{index}"
    return symbol(label(quantity) + suffix)


def _rename(expr: Any) -> Any:
    """Indexed quantities and hyperparameters become the plain symbols of the IR."""
    plain = {node: _name(node) for node in expr.atoms(Indexed)}
    plain |= {node: symbol(node.name, node.declaration.kind is Kind.FLAG) for node in expr.atoms(Hyper)}
    plain |= {node: symbol(node.name, True) for node in expr.atoms(Given)}
    plain |= {node: symbol(node.name) for node in (t, *EXTENTS) if node in expr.free_symbols}
    return expr.xreplace(plain)


def _live(maps: list[Map], roots: list[str]) -> set[str]:
    """The targets that the roots need, this step or, through a state, a later one."""
    by_target = {m.target: m for m in maps}
    live: set[str] = set()
    waiting = list(roots)
    while waiting:
        name = waiting.pop()
        if name in live or name not in by_target:
            continue
        live.add(name)
        waiting += [
            s.name if s.name in by_target else s.name.removesuffix("_prev") for s in by_target[name].expr.free_symbols
        ]
    return live


@lru_cache(maxsize=16)
def _outputs(equations: tuple[Eq, ...], param: str) -> tuple[str, ...]:
    """States that no variant of the update reads, such as an average of the parameters: kept for whoever looks."""
    maps = [Map(_name(eq.lhs).name, _rename(eq.rhs)) for eq in equations]
    read = {s.name for m in maps for s in m.expr.free_symbols}
    needed = _live(maps, [param])
    return tuple(m.target for m in maps if f"{m.target}_prev" in read and m.target not in needed)


def _quantities(rule: Rule) -> list[str]:
    """Every quantity, in the order of state_keys, then of the equations."""
    keyed = [label(q) for q in rule.state_keys if isinstance(q, IndexedBase)]
    return list(dict.fromkeys([*keyed, *(label(eq.lhs) for eq in rule.equations), label(rule.grad)]))


def _inputs(rule: Rule, read: set[str]) -> list[Var]:
    param, grad = label(rule.param), label(rule.grad)
    made = [Var(f"{param}_prev", Role.PARAM, ELEMENT, loc=rule.loc), Var(grad, Role.GRAD, ELEMENT, loc=rule.loc)]
    made += [Var(label(q), Role.INPUT, ELEMENT, loc=rule.loc) for q in rule.inputs]
    made += [
        Var(name, Role.HYPER, place=Place.HOST, loc=d.loc, boolean=d.kind is Kind.FLAG)
        for d in rule.declarations
        for name in d.names
    ]
    made += [Var("t", Role.STEP, place=Place.HOST), Var("first", Role.STEP, place=Place.HOST, boolean=True)]
    made += [Var(extent.name, Role.EXTENT, place=Place.HOST) for extent in EXTENTS]
    return [v for v in made if v.name in read or v.role in (Role.PARAM, Role.GRAD)]


def _states(rule: Rule, names: list[str]) -> list[Var]:
    keys = {label(q): key for q, key in rule.state_keys.items() if isinstance(q, IndexedBase)}
    inits = {label(q): value for q, value in rule.init.items()}
    starts = {rule.param: symbol(f"{label(rule.param)}_prev"), rule.grad: symbol(label(rule.grad))}

    def state(name: str) -> Var:
        value = inits.get(name, 0)
        init = starts[value] if value in starts else _rename(sympy.sympify(value))
        return Var(
            f"{name}_prev", Role.STATE, loc=rule.loc, key=keys.get(name, name), init=init, tensor_init=value in starts
        )

    return [state(name) for name in names]
