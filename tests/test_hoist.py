"""Hoist: host scalars are computed once, in the author's order, and nothing of them is left in the device body."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from drawn_rules import rules
from hypothesis import given, settings
from meaning import evaluate, mp
from small_rules import NAMES, beta1, beta2, decay, down, eps, g, lr, m, named, rule, s, theta, u
from stages import assert_same, expressions, nodes, pairs, steps
from sympy import Mul, S
from sympy.functions.elementary.piecewise import ExprCondPair

from optgen.dsl import Abs, Eq, Max, Piecewise, Rule, elems, exp, literal, norm, sqrt, t, total
from optgen.ir import Place, Role, Step, is_condition, reads
from optgen.ir_text import show
from optgen.languages import HOST
from optgen.listing import host_names
from optgen.printers import to_text

Golden = Callable[[str, str], None]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("count", [1, 4, 17])
def test_hoisting_keeps_the_meaning(name: str, count: int) -> None:
    assert_same(named(name), "infer", "hoist", t=count)


@given(rules())
@settings(max_examples=60)
def test_hoisting_in_a_drawn_rule_keeps_its_meaning(made: Rule) -> None:
    assert_same(made, "infer", "hoist")


def assert_hoisted(step: Step) -> None:
    """Asserts that the device body reads host values by single names only."""
    host = host_names(step)
    for whole in expressions(step):
        for node in nodes(whole):
            names = {symbol.name for symbol in node.free_symbols}
            if node.args and names and names <= host and not isinstance(node, ExprCondPair):
                assert is_condition(node), f"{node} in {whole} is host arithmetic"
            if isinstance(node, Mul):
                scalars = [f for f in node.args if {x.name for x in f.free_symbols} <= host and f != S.NegativeOne]
                assert len(scalars) < 2, f"{node} in {whole} multiplies by {scalars} one by one"
    for scalar in step.host:
        assert set(reads(scalar)) <= host
    assert not {s.target for s in step.body} & host


@pytest.mark.parametrize("name", NAMES)
def test_no_host_arithmetic_is_left_on_the_device(name: str) -> None:
    for step in steps(named(name)):
        assert_hoisted(step)


@given(rules())
@settings(max_examples=60)
def test_no_host_arithmetic_of_a_drawn_rule_is_left_on_the_device(made: Rule) -> None:
    for step in steps(made):
        assert_hoisted(step)


@given(rules())
@settings(max_examples=30)
def test_every_host_scalar_and_hyperparameter_is_read(made: Rule) -> None:
    for step in steps(made):
        used = {name for statement in (*step.host, *step.body) for name in reads(statement)}
        used |= {write.value for write in step.writes}
        for var in step.vars:
            if var.role in (Role.HYPER, Role.STEP, Role.EXTENT) or (var.role is Role.LOCAL and var.place is Place.HOST):
                assert var.name in used, f"{var.name} is left over"


def run_host(step: Step, values: dict[str, Any]) -> dict[str, Any]:
    """The host block as Python runs it, in float64."""
    for scalar in step.host:
        values[scalar.target] = eval(to_text(scalar.expr, HOST, host_names(step)), {"math": math}, values)
    return values


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("count", [1, 2, 5, 6, 40])
def test_python_computes_the_host_block_at_any_step(name: str, count: int) -> None:
    """A root of a negative number, or a division by zero, never leaves the branch that guards it."""
    for step, _, values in pairs(named(name), "hoist", "hoist", seed=count, t=count):
        host = {n: values[n][0][0, 0, 0] for n in values if n in host_names(step)}
        exact = dict(values)
        floats = {n: v if isinstance(v, bool) else int(v) if n == "t" else float(v) for n, v in host.items()}
        found = run_host(step, floats)
        for scalar in step.host:
            exact[scalar.target] = evaluate(scalar.expr, exact)
            wanted, got = exact[scalar.target][0][0, 0, 0], found[scalar.target]
            if isinstance(wanted, bool) or step.var(scalar.target).boolean:
                assert bool(wanted) is bool(got)
            elif not mp.isnan(wanted):
                assert got == pytest.approx(float(wanted), rel=1e-9), scalar.target


def hoisted(*equations: Eq, **more: Any) -> tuple[list[str], list[str]]:
    """The host block and the body of a rule, without axes and places."""
    (step,) = steps(rule("Hoisted", *equations, **more))
    shown = [statement.replace(" on the host", "") for statement in show(step).splitlines()]
    body, writes = shown.index("body:"), shown.index("writes:")
    host = shown[shown.index("host:") + 1 : body] if "host:" in shown else []
    parts = ([line.strip() for line in host], [line.strip() for line in shown[body + 1 : writes]])
    return parts[0], [line.replace(" [tensor batch rows cols]", "").replace(" [tensor]", "") for line in parts[1]]


def test_the_scalar_factors_of_a_product_are_one_in_their_order_where_the_first_stood() -> None:
    with literal():
        host, body = hoisted(Eq(theta[t], theta[t - 1] - g[t] * lr * theta[t - 1] * beta1 / beta2))
    assert host == ["lr_beta1_over_beta2 = lr * beta1 / beta2"]
    assert body == ["theta = theta_prev - g * lr_beta1_over_beta2 * theta_prev"]


def test_a_reciprocal_of_a_scalar_is_a_host_scalar_and_one_of_a_tensor_stays() -> None:
    with literal():
        host, body = hoisted(down(g[t] / (1 - beta1**t) / (norm(g[t], elems) + eps)))
    assert host == ["inv_one_minus_beta1_t = 1 / (1 - beta1**t)"]
    assert body[-1] == "theta = theta_prev - lr * (g * inv_one_minus_beta1_t / (sqrt(g_sq_sum) + eps))"


def test_parentheses_of_the_author_keep_scalars_apart() -> None:
    with literal():
        host, body = hoisted(Eq(theta[t], theta[t - 1] - lr * (beta1 * g[t])))
    assert not host
    assert body == ["theta = theta_prev - lr * (beta1 * g)"]


@pytest.mark.parametrize("change", [lambda: -lr * g[t], lambda: -(lr * g[t]), lambda: -1 * (lr * g[t])])
def test_a_minus_is_no_scalar(change: Callable[[], Any]) -> None:
    with literal():
        host, body = hoisted(Eq(theta[t], theta[t - 1] + change()))
    assert body == ["theta = theta_prev - lr * g"]
    assert not host


def test_a_minus_before_a_product_of_tensors_keeps_its_parentheses() -> None:
    with literal():
        host, body = hoisted(Eq(theta[t], -(g[t] + lr) * (theta[t - 1] * lr) * beta1 + theta[t - 1]))
    assert host == []
    assert body == ["theta = -(g + lr) * (theta_prev * lr) * beta1 + theta_prev"]


def test_what_stands_twice_is_one_scalar_and_the_names_say_what_they_are() -> None:
    with literal():
        host, body = hoisted(Eq(m[t], beta1 * m[t - 1] + (1 - beta1) * g[t]), Eq(u[t], (1 - beta1) * g[t]),
                             down(sqrt(lr) * (u[t] + m[t]) * exp(beta2 + lr * eps) + (beta1 + beta2) * g[t]))
    assert host == ["one_minus_beta1 = 1 - beta1", "theta_scale = sqrt(lr) * exp(beta2 + lr * eps)",
                    "beta1_plus_beta2 = beta1 + beta2"]
    assert body[-1] == "theta = theta_prev - lr * (theta_scale * (u + m) + beta1_plus_beta2 * g)"


def test_a_name_that_is_taken_gives_way_to_the_quantity() -> None:
    with literal():
        host, _ = hoisted(Eq(s[t], g[t] + sqrt(decay)), Eq(u[t], sqrt(decay + 1) * g[t] + sqrt(decay + 2) * g[t]),
                          down(u[t] + s[t]))
    assert host == ["sqrt_weight_decay = sqrt(weight_decay)", "sqrt_weight_decay_plus_one = sqrt(weight_decay + 1)",
                    "sqrt_weight_decay_plus_two = sqrt(weight_decay + 2)"]
    with literal():
        taken, _ = hoisted(Eq(u[t], (Abs(beta1) + 1) * g[t] + (Abs(beta2) + 2) * g[t]), down(u[t]))
    assert taken == ["u_scale = |beta1| + 1", "u_scale2 = |beta2| + 2"]


def test_a_recurrence_of_scalars_runs_on_the_host() -> None:
    (step,) = steps(named("running_product"))
    assert [v.name for v in step.of_role(Role.STATE) if v.place is Place.HOST] == ["s_prev"]
    assert "s" in {scalar.target for scalar in step.host}


def test_a_scalar_under_a_branch_is_guarded_if_python_could_raise() -> None:
    with literal():
        host, body = hoisted(down(Piecewise((g[t] * sqrt(lr - 1), lr * t > 1), (g[t] * (lr + 2), t > 3), (g[t], True))))
    assert host == ["lr_t_gt_one = lr * t > 1", "theta_scale = sqrt(lr - 1) if lr_t_gt_one else 0",
                    "t_gt_three = t > 3", "lr_plus_two = lr + 2"]
    assert body == [
        "theta = theta_prev - lr * (g * theta_scale if lr_t_gt_one else g * lr_plus_two if t_gt_three else g)"]


def test_a_later_branch_is_guarded_by_the_failure_of_those_before() -> None:
    with literal():
        host, _ = hoisted(down(Piecewise((g[t], lr * t > 1), (g[t] / (lr * t - 1), True))))
    assert host[-1] == "theta_scale = 1 / (lr * t - 1) if not lr_t_gt_one else 0"


def test_a_branch_on_elements_guards_nothing() -> None:
    with literal():
        host, body = hoisted(down(Piecewise((g[t] / beta1, g[t] > lr * eps), (lr / beta2 * g[t], True))))
    assert host == ["lr_eps = lr * eps", "inv_beta1 = 1 / beta1", "lr_over_beta2 = lr / beta2"]
    assert body == ["theta = theta_prev - lr * (g * inv_beta1 if g > lr_eps else lr_over_beta2 * g)"]


def test_scalars_inside_a_reduction_and_a_function_are_hoisted() -> None:
    with literal():
        host, body = hoisted(Eq(s[t], total((1 - beta1) * g[t], elems)), down(Max(s[t], lr * t) * g[t]))
    assert host == ["one_minus_beta1 = 1 - beta1", "lr_t = lr * t"]
    assert body == ["s = sum of one_minus_beta1 * g over batch rows cols",
                    "theta = theta_prev - lr * (max(s, lr_t) * g)"]


@pytest.mark.parametrize("name", ["adamw", "guarded", "running_product", "branching"])
def test_the_step_after_hoist_is_the_golden_text(name: str, golden: Golden) -> None:
    golden(f"golden/{name}_hoist.txt", "\n\n".join(show(step) for step in steps(named(name))))
