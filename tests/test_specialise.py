"""Specialise and resolve: straight-line variants over plain names that compute what the equations say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import sympy
from drawn_rules import rules
from hypothesis import given, settings
from meaning import differences, run
from small_rules import NAMES, beta1, c, d, decay, down, eps, g, lr, m, named, rule, s, switch, theta, u, v, variants, x
from stages import expressions, nodes, pairs, read, steps
from sympy import S, Symbol

from optgen.dsl import And, Eq, Max, Ne, Or, Piecewise, Rule, literal, t
from optgen.dsl.symbols import AXES
from optgen.errors import RuleError
from optgen.ir import Map, Role
from optgen.ir_text import show
from optgen.languages import TEXT
from optgen.passes import lower
from optgen.printers import to_text

Golden = Callable[[str, str], None]


def assert_reads_alike(made: Rule, seed: int = 0) -> None:
    """Asserts that every variant, as resolved, computes what the equations compute when read one by one."""
    for step, _, values in pairs(made, "resolve", "resolve", seed):
        said, done = read(made, values), run(step, values)
        names = [w.value for w in step.writes]
        wrong = differences({n: said[n] for n in names}, {n: done[n] for n in names})
        assert not wrong, f"{wrong} where {step.variant}"


@pytest.mark.parametrize("name", NAMES)
def test_a_variant_computes_what_the_equations_say(name: str) -> None:
    assert_reads_alike(named(name))


@given(rules())
@settings(max_examples=40)
def test_a_variant_of_a_drawn_rule_computes_what_its_equations_say(made: Rule) -> None:
    assert_reads_alike(made)


@given(rules())
@settings(max_examples=40)
def test_a_variant_is_straight_line_over_plain_names(made: Rule) -> None:
    for step in steps(made, "resolve"):
        known = {v.name for v in step.vars if v.role is not Role.LOCAL}
        for statement in step.body:
            assert isinstance(statement, Map)
            for node in nodes(statement.expr):
                assert not isinstance(node, (sympy.Indexed, sympy.IndexedBase))
                name = node.name if isinstance(node, Symbol) and node not in AXES else None
                assert name is None or name in known, f"{node} is read too early"
                static = getattr(node, "is_Relational", False) and all(
                    step.var(symbol.name).role in (Role.HYPER, Role.EXTENT) for symbol in node.free_symbols)
                assert not static, f"{node} is left"
            assert statement.target not in known, f"{statement.target} is assigned twice"
            known.add(statement.target)
        assert not {v.name for v in step.vars} & {"bright", "bent"}, "a flag is left"


def test_conditions_are_found_in_order_of_appearance_and_each_once() -> None:
    assert [str(condition) for condition in lower(variants()).conditions] == [
        "Ne(weight_decay, 0)", "sharp", "lr > 0.5"]
    assert [str(condition) for condition in lower(named("rmsprop")).conditions] == [
        "Ne(weight_decay, 0)", "centered", "Ne(momentum, 0)"]


def test_an_equality_and_its_opposite_are_one_condition() -> None:
    with literal():
        both = Piecewise((g[t], Eq(decay, 0)), (2 * g[t], Ne(decay, 0)), (3 * g[t], True))
        program = lower(rule("Both", down(both)))
    assert [str(condition) for condition in program.conditions] == ["Ne(weight_decay, 0)"]
    assert [to_text(step.body[0].expr, TEXT) for step in program.steps] == [
        "theta_prev - lr * g", "theta_prev - lr * (2 * g)"]


@pytest.mark.parametrize(("condition", "truths"), [
    (lambda: And(switch, Ne(decay, 0)), (False, False, False, True)),
    (lambda: Or(switch, Ne(decay, 0)), (False, True, True, True)),
    (lambda: And(~switch, Ne(decay, 0)), (False, None, None, None)),
    (lambda: ~Or(switch, Ne(decay, 0)), (True, False, False, False)),
])
def test_and_or_and_not_are_decided(condition: Callable[[], Any], truths: tuple[bool | None, ...]) -> None:
    with literal():
        program = lower(rule("Decided", down(Piecewise((g[t], condition()), (m[t - 1], True))), Eq(m[t], g[t])))
    for step, truth in zip(program.steps, truths, strict=True):
        by_name = {str(name): value for name, value in step.variant.items()}
        holds = bool(condition().subs({switch: by_name["sharp"], decay: int(by_name["Ne(weight_decay, 0)"])}))
        assert truth in (None, holds)
        assert (S(step.body[0].expr).has(Symbol("g", real=True))) is holds


def test_a_condition_on_t_stays_beside_one_that_is_decided() -> None:
    with literal():
        made = rule("Mixed", down(Piecewise((g[t], And(switch, t > 3)), (2 * g[t], Or(switch, t > 5)), (3.0, True))))
        off, on = lower(made, "resolve").steps
    assert [str(p.args[1]) for p in _branches(off)] == ["t > 5", "True"]
    assert [str(p.args[1]) for p in _branches(on)] == ["t > 3", "True"]


def _branches(step: Any) -> Any:
    return next(iter(step.body[0].expr.atoms(sympy.Piecewise))).args


def test_a_condition_that_holds_a_branch_is_refused() -> None:
    """SymPy would fold it: other terms, in another order, and at times for ever."""
    with literal(), pytest.raises(RuleError, match="a condition of Piecewise holds a Piecewise itself"):
        Piecewise((g[t], Piecewise((lr, t > 3), (eps, True)) > g[t]), (1, True))


def test_more_conditions_than_eight_are_refused() -> None:
    with literal():
        steps_down = g[t]
        for number in range(9):
            steps_down = Piecewise((steps_down, lr > number), (g[t], True))
        with pytest.raises(RuleError, match="9 static conditions, which make 512 variants"):
            lower(rule("Many", down(steps_down)))


def test_a_maximum_of_three_becomes_one_of_two_at_a_time() -> None:
    with literal():
        (step,) = steps(rule("Three", down(sympy.Max(g[t], theta[t - 1], 0.5, evaluate=False))), "resolve")
    inner = next(node for node in nodes(step.body[0].expr) if isinstance(node, Max))
    assert isinstance(inner.args[0], Max)
    assert not step.body[0].expr.has(sympy.Max)


def test_a_state_is_whatever_is_read_at_t_minus_1() -> None:
    with literal():
        (step,) = steps(rule("Past", Eq(m[t], m[t - 1] + g[t]), Eq(u[t], 2 * m[t]), down(u[t] + v[t - 1]),
                             Eq(v[t], g[t])), "resolve")
    assert [v.name for v in step.of_role(Role.STATE)] == ["m_prev", "v_prev"]
    assert [(w.into, w.value) for w in step.writes] == [("theta_prev", "theta"), ("m_prev", "m"), ("v_prev", "v")]


def test_what_nothing_reads_is_dropped_with_its_inputs() -> None:
    with literal():
        (step,) = steps(rule("Dead", Eq(u[t], eps * g[t]), Eq(m[t], u[t] + 1), down(g[t])), "resolve")
    assert [s.target for s in step.body] == ["theta"]
    assert [v.name for v in step.vars] == ["theta_prev", "g", "lr", "theta"]


def test_a_state_that_only_feeds_itself_is_kept_as_an_output() -> None:
    with literal():
        (step,) = steps(rule("Average", down(g[t]), Eq(x[t], x[t - 1] + beta1 * (theta[t] - x[t - 1]))), "resolve")
    assert [v.name for v in step.of_role(Role.STATE)] == ["x_prev"]


def test_a_variant_holds_only_the_state_that_it_reads() -> None:
    held = {tuple(step.variant.items()): [v.key for v in step.of_role(Role.STATE)]
            for step in steps(named("rmsprop"), "resolve")}
    for variant, keys in held.items():
        wanted = [("centered", "grad_avg"), ("Ne(momentum, 0)", "momentum_buffer")]
        assert set(keys) == {"square_avg", *(key for condition, key in wanted if dict(variant)[condition])}


def test_states_start_from_numbers_hyperparameters_the_parameter_or_the_gradient() -> None:
    with literal():
        made = rule("Starts", Eq(m[t], m[t - 1] + g[t]), Eq(s[t], s[t - 1] + m[t]), Eq(x[t], x[t - 1] + s[t]),
                    Eq(d[t], d[t - 1] + x[t]), Eq(c[t], c[t - 1]), down(d[t] + c[t]),
                    init={m: eps, s: 2, x: theta, d: g}, state_keys={x: "start"})
        (step,) = steps(made, "resolve")
    found = {v.name: (v.key, str(v.init), v.tensor_init) for v in step.of_role(Role.STATE)}
    assert found == {"x_prev": ("start", "theta_prev", True), "m_prev": ("m", "eps", False),
                     "s_prev": ("s", "2", False), "d_prev": ("d", "g", True), "c_prev": ("c", "0", False)}
    assert "eps" in {v.name for v in step.of_role(Role.HYPER)}, "what a state starts from is an input"


def test_whole_number_indices_are_names_of_their_own() -> None:
    (step,) = steps(named("newton_schulz"), "resolve")
    assert [s.target for s in step.body] == ["m", "x_0", "x_1", "x_2", "theta"]


def test_first_is_a_condition_that_stays() -> None:
    (step,) = steps(named("starting"), "resolve")
    assert step.var("first").boolean
    assert [to_text(e, TEXT) for e in expressions(step)] == [
        "g if first else beta1 * m_prev + g", "theta_prev - lr * m"]


def test_the_order_and_the_parentheses_of_the_author_stay() -> None:
    with literal():
        made = rule("Literal", down((g[t] + lr) + (lr + g[t]) * (1 * theta[t - 1]) / (2 * g[t]) / lr))
        (step,) = steps(made, "resolve")
    text = "theta [] = theta_prev - lr * (g + lr + (lr + g) * (1 * theta_prev) / (2 * g) / lr)"
    assert f"  {text}" in show(step).splitlines()


@pytest.mark.parametrize("name", ["adamw", "variants"])
def test_the_step_after_resolve_is_the_golden_text(name: str, golden: Golden) -> None:
    golden(f"golden/{name}_resolve.txt", "\n\n".join(show(step) for step in steps(named(name), "resolve")))
