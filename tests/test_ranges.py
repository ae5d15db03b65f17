"""The sign of states, from equations: what is said never to be negative never is, and what may be is not said to."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
import pytest

from optgen.dsl import Abs, Eq, Max, Min, Piecewise, Rule, exp, floor, hyper, load, mean, sign, sqrt, t, tanh, tensors
from optgen.dsl.load import built_in_names
from optgen.dsl.symbols import elems
from optgen.ir import Place, Role
from optgen.passes import Program, lower
from optgen.passes.ranges import fragile_roots, nonnegative

theta, g, s, u, v = tensors("theta g s u v")
lr, beta = hyper("lr", 0.1, at_least=0), hyper("beta", 0.9, at_least=0, below=1)
loose = hyper("loose", 0.9, at_least=0)
RULES = [name for name in built_in_names() if isinstance(rule := load(name), Rule) and "param" not in rule.storage]


def found(update: Any, init: Any = 0, other: Any = 0) -> set[str]:
    """Which of two states are never negative; the second is `other`."""
    rule = Rule(
        param=theta, grad=g, name="Drawn", init={s: init},
        equations=[Eq(s[t], update), Eq(u[t], beta * u[t - 1] + other), Eq(theta[t], theta[t - 1] - lr * s[t] - u[t])],
    )  # fmt: skip
    program = lower(rule)
    return {name.removesuffix("_prev") for name in nonnegative(rule, program.steps)}


@pytest.mark.parametrize(
    "update",
    [
        beta * s[t - 1] + (1 - beta) * g[t] ** 2,
        beta * s[t - 1] + (1 - beta**t) * Abs(g[t]),
        Max(beta * s[t - 1], g[t]),
        s[t - 1] + sqrt(Abs(g[t])) * exp(g[t]),
        Piecewise((s[t - 1], t > 3), (g[t] ** 4, True)),
        s[t - 1] * u[t - 1] ** 2 + mean(g[t] ** 2, elems),
        Min(s[t - 1], Abs(g[t])) / (1 + beta),
        Max(s[t - 1], -1 * Abs(g[t])) + tanh(g[t] ** 2) + sign(Abs(g[t])) + floor(g[t] ** 2),
    ],
    ids=str,
)
def test_a_sum_of_what_is_not_negative_never_is(update: Any) -> None:
    assert "s" in found(update)


@pytest.mark.parametrize(
    "update",
    [
        beta * s[t - 1] + (1 - beta) * g[t],
        loose * s[t - 1] + (1 - loose) * g[t] ** 2,
        s[t - 1] - g[t] ** 2,
        s[t - 1] + g[t] ** 3,
        Min(s[t - 1], g[t]),
        Piecewise((s[t - 1], t > 3), (g[t], True)),
        s[t - 1] + u[t - 1] * g[t] ** 2,
        s[t - 1] + floor(beta - 1),
        s[t - 1] + tanh(g[t]),
        s[t - 1] + sign(g[t]),
    ],
    ids=str,
)
def test_what_may_be_negative_is_not_said_never_to_be(update: Any) -> None:
    assert "s" not in found(update, other=g[t])


def test_a_state_that_starts_below_zero_or_as_a_tensor_may_be_negative() -> None:
    assert "s" in found(s[t - 1] * g[t] ** 2, init=0.5)
    assert "s" not in found(s[t - 1] * g[t] ** 2, init=-0.5)
    assert "s" not in found(s[t - 1] * 1, init=theta)


def test_a_state_that_another_may_make_negative_is_not_said_never_to_be() -> None:
    assert found(beta * s[t - 1] + u[t - 1], other=g[t] ** 2) == {"s", "u"}
    assert found(beta * s[t - 1] + u[t - 1], other=g[t]) == set()


def test_a_root_of_what_two_states_must_agree_on_is_fragile() -> None:
    def arguments(under: Any, *more: Any) -> list[set[str]]:
        rule = Rule(
            param=theta, grad=g, name="Drawn",
            equations=[Eq(s[t], beta * s[t - 1] + (1 - beta) * g[t]),
                       Eq(u[t], loose * u[t - 1] + (1 - loose) * g[t] ** 2),
                       *more, Eq(theta[t], theta[t - 1] - lr / sqrt(under))],
        )  # fmt: skip
        return [read for _, read in fragile_roots(rule, lower(rule).steps[0])]

    assert arguments(u[t] - s[t] ** 2) == [{"s_prev", "u_prev"}]
    assert arguments(v[t] + 1, Eq(v[t], u[t] - s[t] ** 2)) == [{"s_prev", "u_prev"}]
    assert arguments(mean(u[t] - s[t] ** 2, elems)) == [{"s_prev", "u_prev"}]
    assert arguments(u[t]) == []  # a default of 0.9 is between 0 and 1
    assert arguments(u[t] + s[t] ** 2) == []
    assert arguments(u[t - 1] - g[t] ** 2) == []  # one state alone keeps its sign


def parts(program: Program) -> set[str]:
    """The keys of the states that are never negative, of what is kept for each element."""
    named = nonnegative(program.rule, program.steps)
    states = (v for step in program.steps for v in step.of_role(Role.STATE) if v.place is Place.DEVICE)
    return {v.key for v in states if v.name in named}


@pytest.mark.parametrize("name", RULES)
def test_no_state_of_a_built_in_rule_is_negative_that_is_said_never_to_be(name: str) -> None:
    rule, module = load(name), import_module(f"optgen._generated.numpy_ref.{name}")
    assert isinstance(rule, Rule)
    keys, draw = parts(lower(rule)), np.random.default_rng(0)
    params: list[Any] = [draw.standard_normal((8, 6))]
    state = module.init(params)
    for step in range(1, 30):
        grads = [draw.standard_normal((8, 6)) * 10.0 ** draw.uniform(-6, 3)]
        params, state = module.step(params, grads, state, step)
        assert all((np.asarray(state[0][key]) >= 0).all() for key in keys & state[0].keys()), (step, keys)


def test_the_second_moments_of_adam_are_known_to_have_no_sign() -> None:
    loaded = load("adamw")
    assert isinstance(loaded, Rule)
    assert parts(lower(loaded)) == {"exp_avg_sq", "max_exp_avg_sq"}
