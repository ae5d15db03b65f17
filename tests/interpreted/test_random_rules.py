"""Random rules agree with the oracle on every backend; one that does not is shrunk to the smallest.

RANDOM_RULES says how many are drawn, RANDOM_SEED draws others than those that are always the same.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import pytest
from hypothesis import HealthCheck, given, seed, settings
from random_rules import Drawn, beta, g, lr, m, random_rules, theta
from workshop import Workshop

from optgen import equations
from optgen.bounds import BF16, FP16, FP32, FP64
from optgen.dsl import Abs, Eq, Max, Piecewise, Rule, elems, exp, literal, model, norm, t, total
from optgen.verify import cases
from optgen.verify.lockstep import Tally, run
from optgen.verify.runners import Runner, Storage, numpy_runner, torch_runner

COUNT = int(os.environ.get("RANDOM_RULES", "40"))
SEED = os.environ.get("RANDOM_SEED")
FEATURES = ("time", "host", "flag")
SHAPES = cases.Shapes("several", ((3, 5), (4,), ()), missing=True)
MATRICES = cases.Shapes("matrices", ((3, 5), (2, 4, 3)), missing=True)
SINGLE, DOUBLE, HALF, BRAIN, MIXED = (
    Storage(FP32, FP32), Storage(FP64, FP64), Storage(FP16, FP16), Storage(BF16, BF16), Storage(BF16, FP32))


@dataclass(frozen=True)
class Backend:
    """How a backend is driven: which module, what besides single precision it stores, in turns, and of which rules."""

    module: str
    runner: Callable[..., Runner]
    others: tuple[Storage | None, ...]
    fused: bool = False


BACKENDS = {
    "numpy": Backend("numpy", numpy_runner, (None, None, None, DOUBLE)),  # its judge is mpmath, which is slow
    "torch": Backend("torch", torch_runner, (BRAIN, MIXED, HALF, DOUBLE)),
    "triton": Backend("torch", partial(torch_runner, fused=True), (MIXED, HALF, DOUBLE, BRAIN), fused=True),
}


def agree(rule: Rule, fused: bool, workshop: Workshop, seen: Counter[str]) -> None:
    """Asserts that every backend, dtype and variant stays within the bound of the oracle."""
    modules = workshop.build(rule, [name for name, backend in BACKENDS.items() if fused or not backend.fused])
    shapes = MATRICES if all(len(s) > 1 for kind in cases.shapes_for(rule) for s in kind.shapes) else SHAPES
    for number, variant in enumerate(cases.variants(rule), seen["rules"]):
        for name, backend in BACKENDS.items():
            if backend.fused and not fused:
                continue
            for storage in filter(None, (SINGLE, backend.others[number % len(backend.others)])):
                values = cases.parameters(shapes, storage.param, 1)
                runner = backend.runner(modules[backend.module], values, variant.hypers, "plain", storage)
                tally = run(rule, runner, variant.hypers, shapes, storage, 1)
                count(tally, name, seen)
                assert not tally.faults, f"{name} {storage}, {variant.name}: {tally.faults[0]}"
                assert not tally.note, f"{name} {storage}, {variant.name}: {tally.note}"
    seen["fused"] += fused


def count(tally: Tally, backend: str, seen: Counter[str]) -> None:
    seen.update({"elements": tally.elements, "decided": tally.decided, f"comparisons on {backend}": 1})


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
    "a number for a tensor": (lambda: Rule(param=theta, grad=g, name="A", equations=[
        Eq(theta[t], theta[t - 1] - lr * Max(g[t], Piecewise((2, t <= 3), (g[t] / 2, True))))]), True),
    "the larger of a NaN": (lambda: Rule(param=theta, grad=g, name="A", equations=[
        Eq(m[t], Max(g[t - 1] / g[t - 1], g[t])), Eq(theta[t], theta[t - 1] - lr * exp(-Abs(m[t])))]), True),
}


@pytest.mark.parametrize("name", MENDED)
def test_what_once_came_out_wrong_is_right(name: str, workshop: Workshop) -> None:
    make, fused = MENDED[name]
    with literal():
        rule = make()
    for _ in range(4):
        agree(rule, fused, workshop, seen := Counter(rules=_))
    assert seen["elements"]


def explore(workshop: Workshop) -> Counter[str]:
    """Tries so many rules and counts what they were made of."""
    seen: Counter[str] = Counter()
    texts = set()

    @settings(max_examples=COUNT, deadline=None, derandomize=SEED is None, database=None,
              suppress_health_check=list(HealthCheck))
    @given(random_rules())
    def holds(drawn: Drawn) -> None:
        text = "\n".join([*equations.text(drawn.rule), f"init {drawn.rule.init}"])
        try:
            agree(drawn.rule, "reduction" not in drawn.features, workshop, seen)
        except Exception as error:  # from one line, whatever it was: hypothesis tells failures apart by their place
            raise AssertionError(f"{text}\n{type(error).__name__}: {error}") from error
        texts.add(text)
        seen.update(["rules", *drawn.features, f"{len(drawn.rule.equations)} equations"])

    (holds if SEED is None else seed(int(SEED))(holds))()
    return seen + Counter({"different": len(texts)})


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    return Workshop(tmp_path_factory.mktemp("random"))


@pytest.fixture(scope="module")
def seen(workshop: Workshop) -> Counter[str]:
    return explore(workshop)


def test_random_rules_agree_with_the_oracle_on_every_backend(seen: Counter[str]) -> None:
    print(dict(seen))
    assert seen["rules"] >= COUNT
    assert all(seen[f"comparisons on {name}"] >= COUNT for name in BACKENDS), seen


def test_the_rules_were_as_different_as_they_should_be(seen: Counter[str]) -> None:
    assert seen["different"] >= 0.9 * seen["rules"], seen
    assert all(seen[feature] >= seen["rules"] / 3 for feature in FEATURES), seen
    assert seen["reduction"] >= seen["rules"] / 5, seen
    assert seen["fused"] >= seen["rules"] / 3, seen
    assert {f"{n} equations" for n in range(2, 7)} <= seen.keys(), seen


def test_the_comparisons_left_little_open(seen: Counter[str]) -> None:
    assert seen["decided"] >= 0.9 * seen["elements"], seen
