"""Check: a step that is well formed passes as it is, and each way to break one is seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from drawn_rules import rules
from hypothesis import given, settings
from small_rules import NAMES, named
from stages import steps
from sympy import Add, Mul, Piecewise, Pow, S

from optgen.dsl import Rule, literal
from optgen.ir import Map, Place, Role, Step, Var, Write, symbol
from optgen.passes.check import check

lr, beta1, g, m, t = (symbol(name) for name in ("lr", "beta1", "g", "m", "t"))


@pytest.mark.parametrize("name", NAMES)
def test_a_step_that_is_well_formed_is_returned_as_it_is(name: str) -> None:
    for step in steps(named(name)):
        assert check(step) is step
    for step in steps(named(name), "infer"):
        assert check(step, hoisted=False) is step


@given(rules())
@settings(max_examples=30)
def test_every_drawn_step_is_well_formed(made: Rule) -> None:
    for step in steps(made):
        assert check(step) is step


def body(step: Step, position: int, expr: object) -> Step:
    """The step with another expression in one statement."""
    return replace(step, body=tuple(replace(s, expr=expr) if i == position else s for i, s in enumerate(step.body)))


def moved(step: Step, name: str, place: Place) -> Step:
    """The step with a variable in another place."""
    return replace(step, vars=tuple(replace(v, place=place) if v.name == name else v for v in step.vars))


BREAKS: dict[str, tuple[Callable[[Step], Step], str]] = {
    "two variables of one name": (lambda s: replace(s, vars=(*s.vars, s.vars[0])), "share a name"),
    "a name assigned twice": (lambda s: replace(s, body=(*s.body, s.body[0])), "assigned twice"),
    "a host name assigned twice": (lambda s: replace(s, host=(*s.host, s.host[0])), "assigned twice"),
    "a local without a statement": (lambda s: replace(s, vars=(*s.vars, Var("x", Role.LOCAL))), "has no statement"),
    "a target without a variable": (lambda s: replace(s, body=(*s.body, Map("x", g))), "has no statement"),
    "a statement before what it reads": (lambda s: replace(s, body=s.body[::-1]), "before they are defined"),
    "a host statement before what it reads": (
        lambda s: replace(s, host=(Map("late", symbol("inv_one_minus_beta1_t")), *s.host),
                          vars=(*s.vars, Var("late", Role.LOCAL, place=Place.HOST))), "before they are defined"),
    "a name from nowhere": (lambda s: body(s, 0, g + symbol("nowhere")), "before they are defined"),
    "a write into the gradient": (lambda s: replace(s, writes=(*s.writes, Write("g", "m"))), "cannot be stored"),
    "a write of what nothing computes": (lambda s: replace(s, writes=(*s.writes, Write("m_prev", "x"))),
                                         "never computed"),
    "no write of the parameter": (lambda s: replace(s, writes=s.writes[1:]), "writes the parameter once"),
    "two writes of the parameter": (lambda s: replace(s, writes=(s.writes[0], *s.writes)), "writes the parameter once"),
    "a host statement that reads the device": (lambda s: moved(s, "beta1", Place.DEVICE), "is not a host value"),
    "a device statement on the host": (lambda s: moved(s, "theta", Place.HOST), "belongs to the host"),
    "a host value in a state of the device": (
        lambda s: replace(s, writes=(s.writes[0], Write("m_prev", "lr"), *s.writes[2:])), "different places"),
    "a product of scalars in a sum": (lambda s: body(s, 0, Add(g, Mul(lr, beta1))), "is not hoisted"),
    "a reciprocal of a scalar": (lambda s: body(s, 0, Mul(g, Pow(lr, -1))), "is not hoisted"),
    "a power of scalars in a branch": (lambda s: body(s, 0, Piecewise((beta1**t, g > 0), (g, True), evaluate=False)),
                                       "is not hoisted"),
    "a sum of scalars under a comparison": (
        lambda s: body(s, 0, Piecewise((g, g > lr + beta1), (lr, True), evaluate=False)),
        "is not hoisted"),
}


@pytest.mark.parametrize("what", BREAKS)
def test_a_broken_step_is_seen(what: str) -> None:
    change, message = BREAKS[what]
    step = steps(named("adamw"))[0]
    with literal(), pytest.raises(AssertionError, match=message):
        check(change(step))


def test_what_is_not_hoisted_yet_passes_before_hoisting_and_fails_after() -> None:
    step = steps(named("adamw"), "infer")[0]
    assert check(step, hoisted=False) is step
    with pytest.raises(AssertionError, match="is not hoisted"):
        check(step)


def test_a_condition_on_host_values_may_stay_where_its_parts_are_names() -> None:
    step = steps(named("adamw"))[0]
    with literal():
        changed = body(step, 0, Piecewise((g, t > 3), (S.Zero, True), evaluate=False))
    assert check(changed) is changed
