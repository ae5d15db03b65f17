"""Flatten: reductions, products and what is squared become statements of their own, and the meaning stays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from drawn_rules import rules
from hypothesis import given, settings
from small_rules import NAMES, c, down, eps, g, lr, m, named, r, rule, s, theta, u, x
from stages import assert_same, expressions, nodes, steps

from optgen.dsl import Eq, Rule, cols, elems, literal, matmul, mean, model, norm, rms, rows, sqrt, t, total, transpose
from optgen.dsl.functions import REDUCTIONS
from optgen.errors import RuleError
from optgen.ir import Step
from optgen.ir_text import show
from optgen.passes.flatten import flatten

Golden = Callable[[str, str], None]


@pytest.mark.parametrize("name", NAMES)
def test_flattening_keeps_the_meaning(name: str) -> None:
    assert_same(named(name), "resolve", "flatten")


@given(rules())
@settings(max_examples=40)
def test_flattening_a_drawn_rule_keeps_its_meaning(made: Rule) -> None:
    assert_same(made, "resolve", "flatten")


@given(rules())
@settings(max_examples=40)
def test_no_expression_looks_at_other_elements(made: Rule) -> None:
    for step in steps(made, "flatten"):
        assert_flat(step)


@pytest.mark.parametrize("name", NAMES)
def test_no_expression_of_a_small_rule_looks_at_other_elements(name: str) -> None:
    for step in steps(named(name), "flatten"):
        assert_flat(step)


def assert_flat(step: Step) -> None:
    for expr in expressions(step):
        for node in nodes(expr):
            assert not isinstance(node, (*REDUCTIONS, matmul, transpose)), f"{node} is left"
            squared = node.is_Pow and node.exp.is_Integer and abs(node.exp) > 1
            assert not squared or node.base.is_Symbol, f"{node} would be computed more than once"


def flat(*equations: Eq, **more: Any) -> list[str]:
    """The body of a rule of these equations, without axes."""
    (step,) = steps(rule("Flat", *equations, **more), "flatten")
    body = show(step).split("body:\n")[1].split("\nwrites:")[0]
    return [line.strip().replace(" []", "") for line in body.splitlines()]


def test_a_norm_is_the_root_of_a_sum_of_squares_and_rms_of_a_mean() -> None:
    with literal():
        assert flat(down(norm(g[t], elems) * rms(theta[t - 1], cols) * g[t])) == [
            "g_sq_sum = sum of g**2 over batch rows cols",
            "theta_prev_sq_mean = mean of theta_prev**2 over cols",
            "theta = theta_prev - lr * (sqrt(g_sq_sum) * sqrt(theta_prev_sq_mean) * g)"]


def test_an_equation_that_is_a_reduction_or_a_product_is_one_statement() -> None:
    with literal():
        assert flat(Eq(s[t], total(g[t], model)), Eq(r[t], mean(g[t] ** 2, rows)),
                    Eq(x[t], matmul(transpose(g[t]), theta[t - 1])), down(s[t] * r[t] * matmul(g[t], x[t]))) == [
            "s = sum of g over tensor batch rows cols", "r = mean of g**2 over rows", "x = g^T @ theta_prev",
            "theta_product = g @ x", "theta = theta_prev - lr * (s * r * theta_product)"]


def test_what_stands_twice_is_computed_once() -> None:
    with literal():
        assert flat(Eq(u[t], norm(g[t], elems) + norm(g[t], elems)), down(total(g[t] ** 2, elems) * u[t] * g[t])) == [
            "g_sq_sum = sum of g**2 over batch rows cols", "u = sqrt(g_sq_sum) + sqrt(g_sq_sum)",
            "theta = theta_prev - lr * (g_sq_sum * u * g)"]


def test_the_base_of_a_power_is_named_and_named_once() -> None:
    with literal():
        assert flat(Eq(m[t], (g[t] + lr) ** 2 + 1 / (g[t] + lr) ** 2), down(m[t] ** 3)) == [
            "m_base = g + lr", "m = m_base**2 + 1 / m_base**2", "theta = theta_prev - lr * m**3"]


def test_arguments_of_a_product_are_named_by_their_sides_and_numbers_rise_down_the_page() -> None:
    with literal():
        first = matmul(g[t] + theta[t - 1], transpose(2 * g[t]))
        assert flat(Eq(x[t], matmul(first, g[t]) + matmul(first, 2 * g[t])), down(x[t])) == [
            "x_left = g + theta_prev", "x_right = 2 * g", "x_product = x_left @ x_right^T",
            "x_product_2 = x_product @ g", "x_product_3 = x_product @ x_right", "x = x_product_2 + x_product_3",
            "theta = theta_prev - lr * x"]


def test_a_new_name_avoids_those_that_the_rule_has() -> None:
    with literal():
        assert flat(Eq(c[t], total(g[t] * theta[t - 1], elems)), Eq(u[t], total(g[t] + 1, elems) + total(g[t], elems)),
                    down(c[t] + u[t])) == [
            "c = sum of g * theta_prev over batch rows cols", "u_sum = sum of g + 1 over batch rows cols",
            "g_sum = sum of g over batch rows cols", "u = u_sum + g_sum", "theta = theta_prev - lr * (c + u)"]


def test_a_reduction_of_a_reduction_comes_after_it() -> None:
    with literal():
        assert flat(down(total(mean(g[t], cols) * norm(g[t], cols), rows) * sqrt(eps) * g[t])) == [
            "g_mean = mean of g over cols", "g_sq_sum = sum of g**2 over cols",
            "theta_sum = sum of g_mean * sqrt(g_sq_sum) over rows",
            "theta = theta_prev - lr * (theta_sum * sqrt(eps) * g)"]


def test_a_transpose_outside_a_product_and_a_mean_over_the_model_are_refused() -> None:
    with literal():
        resolved = steps(rule("Turned", down(g[t])), "resolve")[0]
        for expr, message in ((transpose(g[t]), "transpose stands outside"), (mean(g[t], model), "no fixed number")):
            bad = rule("Bad", down(g[t])).equations[0]
            statement = resolved.body[0].__class__("theta", bad.rhs + expr, bad.loc)
            with pytest.raises(RuleError, match=message):
                flatten(Step("Bad", {}, resolved.vars, (), (statement,), resolved.writes))


@pytest.mark.parametrize("name", ["adamw", "factored", "newton_schulz"])
def test_the_step_after_flatten_is_the_golden_text(name: str, golden: Golden) -> None:
    golden(f"golden/{name}_flatten.txt", "\n\n".join(show(step) for step in steps(named(name), "flatten")))
