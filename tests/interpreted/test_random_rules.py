"""Random rules agree with the oracle on every backend; one that does not is shrunk to the smallest.

RANDOM_RULES says how many are drawn, RANDOM_SEED draws others than those that are always the same.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from random import Random
from typing import Any

import numpy as np
import pytest
from agreement import BACKENDS, MATRICES, SHAPES, TURNS, agree
from drawn_formats import formats, in_formats
from hypothesis import HealthCheck, assume, given, seed, settings
from random_rules import Drawn, beta, g, gamma, heavy, lr, m, random_rules, theta
from workshop import Workshop

from optgen import equations, oracle, stored
from optgen.bounds import FP64
from optgen.dsl import (
    Abs,
    Eq,
    Max,
    Piecewise,
    Rule,
    cols,
    elems,
    exp,
    first,
    literal,
    mean,
    model,
    norm,
    rows,
    sign,
    sqrt,
    t,
    total,
)
from optgen.errors import RuleError
from optgen.verify import cases
from optgen.verify.lockstep import COUNTS

ARITHMETIC = (ZeroDivisionError, OverflowError, ValueError)
COUNT = int(os.environ.get("RANDOM_RULES", "40"))
SEED = int(os.environ.get("RANDOM_SEED", "1"))
FEATURES = ("time", "host", "flag")
# What drawn rules found wrong, each as small as it got.
MENDED = {
    "a past gradient": (lambda: Rule(param=theta, grad=g, name="A", equations=[
        Eq(theta[t], theta[t - 1] - lr * (g[t] - g[t - 1]))]), True),
    "a past gradient between two loops": (lambda: Rule(param=theta, grad=g, name="A", equations=[
        Eq(theta[t], theta[t - 1] - lr * g[t - 1] / (1 + norm(g[t], model)))]), False),
    "a past gradient within a sum over the model": (lambda: Rule(param=theta, grad=g, name="A", equations=[
        Eq(theta[t], theta[t - 1] - lr * total(total(g[t] * g[t - 1], elems), model))]), False),
    "a sum over the model as a state": (lambda: Rule(param=theta, grad=g, name="A", equations=[
        Eq(m[t], total(total(g[t], elems), model)),
        Eq(theta[t], theta[t - 1] - lr * (m[t - 1] + norm(theta[t - 1], model)))]), False),
    "a negated condition on the host": (lambda: Rule(param=theta, grad=g, name="A", equations=[
        Eq(theta[t], theta[t - 1] - lr * Piecewise((g[t], t > 2), (g[t] / (1 - beta**t), t <= 4), (m[t], True))),
        Eq(m[t], g[t] / 2)][::-1]), True),
    "a comparison of numbers": (lambda: Rule(param=theta, grad=g, name="A", equations=[
        Eq(m[t], Piecewise((g[t], Abs(0.5 * lr / lr) <= 0.25), (2, True))),
        Eq(theta[t], theta[t - 1] - lr * (m[t] / (beta * 3) * gamma**t + Piecewise((g[t - 1], Abs(2) <= 1), (1, True))))
        ]), True),
    "a number for a tensor": (lambda: Rule(param=theta, grad=g, name="A", equations=[
        Eq(theta[t], theta[t - 1] - lr * Max(g[t], Piecewise((2, t <= 3), (g[t] / 2, True))))]), True),
    "a scalar chosen by an element": (lambda: Rule(param=theta, grad=g, name="A", equations=[
        Eq(m[t], Piecewise((lr, lr * g[t] > 0), (lr, True))),
        Eq(theta[t], theta[t - 1] - lr * (g[t] + m[t - 1]))]), True),
    "a scalar that float32 does not hold": (lambda: Rule(param=theta, grad=g, name="A", equations=[
        Eq(theta[t], theta[t - 1] - lr * Piecewise((g[t], g[t] < 1), (1 / exp(-t / 8), True)))]), True),
    "a state on the host in one variant only": (lambda: Rule(param=theta, grad=g, name="A", equations=[
        Eq(m[t], beta * m[t - 1] + Piecewise((gamma, heavy), (g[t], True))),
        Eq(theta[t], theta[t - 1] - lr * g[t] * m[t])]), True),
    "a state of another shape in the other variant": (lambda: Rule(param=theta, grad=g, name="A", equations=[
        Eq(m[t], gamma * m[t - 1] + Piecewise((g[t], heavy), (3, True)) / (1 + norm(g[t], elems))),
        Eq(theta[t], theta[t - 1] - lr * g[t])]), False),
    "a state of each matrix": (lambda: Rule(param=theta, grad=g, name="A", equations=[
        Eq(m[t], beta * m[t - 1] + mean(mean(g[t] ** 2, cols), rows)),
        Eq(theta[t], theta[t - 1] - lr * g[t] / (1 + m[t - 1]))]), False),
    "a branch with one value per column": (lambda: Rule(param=theta, grad=g, name="A", equations=[
        Eq(m[t], Piecewise((sqrt(mean(g[t] ** 2, rows)), t <= 4), (g[t], True))),
        Eq(theta[t], theta[t - 1] - lr * m[t])]), False),
    "a sign before a sign": (lambda: Rule(param=theta, grad=g, name="A", equations=[
        Eq(theta[t], theta[t - 1] - lr * -((-g[t]) / theta[t - 1]))]), True),
    "a condition that only a branch may ask": (lambda: Rule(param=theta, grad=g, name="A", equations=[
        Eq(theta[t], theta[t - 1] - lr * Piecewise(
            (g[t] * Piecewise((g[t] / (1 - beta**t), 1 / gamma**t <= 2), (gamma**-t, True)), t < 3), (g[t], True)))]),
        True),
    "a scalar over a tensor": (lambda: Rule(param=theta, grad=g, name="A", equations=[
        Eq(m[t], 3 / g[t]), Eq(theta[t], theta[t - 1] - lr * m[t - 1])]), True),
    "a branch with fewer axes": (lambda: Rule(param=theta, grad=g, name="A", equations=[
        Eq(m[t], Piecewise((g[t] * g[t], first), (norm(g[t], elems), True))),
        Eq(theta[t], theta[t - 1] - lr * g[t] / (1 + m[t - 1] ** 2 + total(m[t], elems)))]), False),
    "branches of rows and of columns": (lambda: Rule(param=theta, grad=g, name="A", equations=[
        Eq(m[t], Piecewise((mean(g[t] ** 2, cols), t <= 2), (mean(g[t], rows), g[t] > 0), (norm(g[t], elems), True))),
        Eq(theta[t], theta[t - 1] - lr * g[t] / (1 + m[t - 1] ** 2 + total(m[t] ** 2, elems)))]), False),
    "a sign beside a number": (lambda: Rule(param=theta, grad=g, name="A", equations=[
        Eq(theta[t], theta[t - 1] - lr * ((0.1 + sign(g[t])) * Piecewise((2, heavy), (g[t], True)) - 0.1))]), True),
    "a start that bfloat16 does not hold": (lambda: stored(Rule(param=theta, grad=g, name="A", init={m: lr}, equations=[
        Eq(m[t], beta * m[t - 1] + g[t]), Eq(theta[t], theta[t - 1] - lr * m[t])]), "bf16", min_numel=0), True),
    "a state of elements in one variant, in codes": (lambda: stored(Rule(param=theta, grad=g, name="A", equations=[
        Eq(m[t], gamma * m[t - 1] + Piecewise((g[t], heavy), (norm(g[t], elems), True))),
        Eq(theta[t], theta[t - 1] - lr * g[t] / (1 + Abs(m[t])))]), "int8", min_numel=0), False),
    "a gradient that a pass stores and nothing there reads": (lambda: Rule(param=theta, grad=g, name="A", equations=[
        Eq(theta[t], theta[t - 1] - lr * Piecewise((g[t - 1], first), (0.1, True)) / (1 + mean(g[t] * g[t], cols)))]),
        False),
    "the larger of a NaN": (lambda: Rule(param=theta, grad=g, name="A", equations=[
        Eq(m[t], Max(g[t - 1] / g[t - 1], g[t])), Eq(theta[t], theta[t - 1] - lr * exp(-Abs(m[t])))]), True),
}


@pytest.mark.parametrize("name", MENDED)
def test_what_once_came_out_wrong_is_right(name: str, workshop: Workshop) -> None:
    make, fused = MENDED[name]
    with literal():
        rule = make()
    for turn in range(TURNS):
        agree(rule, turn, fused, workshop, seen := Counter())
        assert seen["elements"]


def complaint(drawn: Drawn, rule: Rule, turn: int, workshop: Workshop, seen: Counter[str]) -> str:
    """What is wrong with a rule in formats: a text, since hypothesis tells exceptions apart by where they were raised.

    drawn: the rule without them.
    """
    try:
        agree(rule, turn, "reduction" not in drawn.features, workshop, seen)
    except ARITHMETIC as error:
        assume(is_finite(drawn.rule))  # Python's numbers raise where the equations themselves have no value
        return f"{type(error).__name__}: {error}"
    except RuleError as error:
        assume("depends on a shape" not in str(error))  # a variant of each tensor, which kernels do not take
        return f"{type(error).__name__}: {error}"
    except Exception as error:  # noqa: BLE001  # whatever it is, it is to be shrunk
        return f"{type(error).__name__}: {error}"
    return ""


def kinds_of(drawn: Drawn, rule: Rule) -> Iterator[str]:
    """What is in formats: "held" parameters, "coded" states, either "beside sums"."""
    has = {"held": "param" in rule.storage, "coded": bool(rule.storage.keys() - {"param"})}
    found = [kind for kind in has if has[kind]]
    yield from found
    yield from (f"{kind} beside sums" for kind in found if "reduction" in drawn.features)


def is_finite(rule: Rule) -> bool:
    """Whether every value that the equations give in a few steps is a number, in every variant."""
    shapes = MATRICES if all(len(s) > 1 for kind in cases.shapes_for(rule) for s in kind.shapes) else SHAPES
    for variant in cases.variants(rule):
        params = cases.parameters(shapes, FP64, 1)
        states: list[dict[str, Any]] = [{} for _ in params]
        for count in COUNTS:
            grads = cases.gradients(shapes, FP64, count)
            params, states = oracle.step(rule, params, grads, states, count, variant.hypers,
                                         inputs=cases.inputs(rule, shapes, FP64, count, count))
            if not all(np.isfinite(x).all() for x in (*params, *(v for one in states for v in one.values()))):
                return False
    return True


def explore(workshop: Workshop) -> Counter[str]:
    """Tries so many different rules and counts what they were made of."""
    seen: Counter[str] = Counter()
    texts = set()

    @seed(SEED)
    @settings(max_examples=2 * COUNT, deadline=None, derandomize=False, database=None,
              suppress_health_check=list(HealthCheck))
    @given(random_rules())
    def holds(drawn: Drawn) -> None:
        text = "\n".join([*equations.text(drawn.rule), f"init {drawn.rule.init}"])
        if text in texts or seen["rules"] == COUNT:
            return  # hypothesis draws some rules again
        rule = in_formats(drawn.rule, formats(Random(f"{SEED} {seen['rules']}")))
        wrong = complaint(drawn, rule, seen["rules"], workshop, seen)
        if wrong:
            seen["failed"] = 1
            raise AssertionError(f"{text}\n{rule.storage}\n{wrong}")
        if seen["failed"]:
            return  # the same turn, and so the same storages and formats, for all that it is shrunk to
        texts.add(text)
        seen.update(["rules", *drawn.features, f"{len(drawn.rule.equations)} equations", *kinds_of(drawn, rule)])

    holds()
    return seen


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    return Workshop(tmp_path_factory.mktemp("random"))


@pytest.fixture(scope="module")
def seen(workshop: Workshop) -> Counter[str]:
    return explore(workshop)


def test_random_rules_agree_with_the_oracle_on_every_backend(seen: Counter[str]) -> None:
    print(dict(seen))
    assert seen["rules"] == COUNT
    assert all(seen[f"comparisons on {name}"] >= COUNT / backend.every / 2 for name, backend in BACKENDS.items()), seen


def test_a_division_by_zero_in_the_equations_is_told_from_one_of_the_compiler() -> None:
    past = Eq(m[t], m[t - 1] + 1)
    with literal():
        rules = [Rule(param=theta, grad=g, name="A", equations=[past, Eq(theta[t], theta[t - 1] - lr * g[t] / bottom)])
                 for bottom in (m[t - 1], m[t])]
    assert [is_finite(rule) for rule in rules] == [False, True]


def test_the_rules_were_as_different_as_they_should_be(seen: Counter[str]) -> None:
    assert all(seen[feature] >= seen["rules"] / 3 for feature in FEATURES), seen
    assert seen["reduction"] >= seen["rules"] / 5, seen
    assert seen["input"] >= seen["rules"] / 10, seen
    assert seen["fused"] >= seen["rules"] / 3, seen
    assert all(seen[kind] >= seen["rules"] / 5 for kind in ("held", "coded")), seen
    assert all(seen[f"{kind} beside sums"] >= seen["rules"] / 20 for kind in ("held", "coded")), seen
    assert {f"{n} equations" for n in range(2, 7)} <= seen.keys(), seen


def test_the_comparisons_left_little_open(seen: Counter[str]) -> None:
    assert seen["decided"] >= 0.9 * seen["elements"], seen
