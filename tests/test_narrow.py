"""Narrow: what is computed once per column is computed as before, and nothing else is moved."""

from __future__ import annotations

import pytest
from drawn_rules import rules
from hypothesis import given, settings
from meaning import differences, run, written
from small_rules import NAMES, c, down, eps, g, named, r, rule, u
from stages import pairs, steps

from optgen.dsl import Eq, Rule, cols, exp, literal, mean, rows, sqrt, t
from optgen.ir import Map, Step
from optgen.ir_text import show
from optgen.passes.check import check
from optgen.passes.narrow import PER_COLUMN, narrow


def assert_kept(made: Rule) -> None:
    """Asserts that a narrowed step is sound and leaves the same in memory."""
    for step, _, values in pairs(made, "hoist", "hoist"):
        narrowed = check(narrow(step, frozenset()), hoisted=True)
        assert not differences(written(step, run(step, values)), written(narrowed, run(narrowed, values)))


@pytest.mark.parametrize("name", NAMES)
def test_a_narrowed_step_means_the_same(name: str) -> None:
    assert_kept(named(name))


@given(made=rules())
@settings(max_examples=30)
def test_a_narrowed_drawn_step_means_the_same(made: Rule) -> None:
    assert_kept(made)


def only(made: Rule) -> Step:
    (step,) = steps(made)
    return step


def columns(step: Step) -> list[str]:
    """What a step computes per column by statements of their own."""
    return [str(s.expr) for s in step.body if isinstance(s, Map) and step.var(s.target).axes == PER_COLUMN]


def test_roots_of_columns_are_taken_once_and_divisors_stay_divisors() -> None:
    with literal():
        step = only(rule("Roots", Eq(r[t], mean(g[t] ** 2, cols)), Eq(c[t], mean(g[t] ** 2, rows)),
                         Eq(u[t], g[t] / sqrt(r[t]) / sqrt(c[t]) + exp(c[t]) * g[t] + (c[t] + 1) * g[t]),
                         down(u[t] / (sqrt(c[t]) + eps))))
    narrowed = narrow(step, frozenset({"sqrt_c"}))
    assert columns(step) == []
    assert columns(narrowed) == ["sqrt(c)", "exp(c)", "sqrt(c) + eps"]
    assert "= g / sqrt(r) / u_scale + u_scale2 * g + (c + 1) * g" in show(narrowed), "sqrt_c is taken"


def test_what_has_no_columns_is_left_as_it_is() -> None:
    for name in ("adamw", "trusting", "growing"):
        step = steps(named(name))[0]
        assert narrow(step, frozenset()) == step
