"""Running error bounds: every allowed float32 evaluation lies within, and little else does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from optgen import oracle
from optgen.bounds import BF16, EXACT, FP16, FP32, FP64, MULTI, Bounded, Format, Machine, branches, reductions
from optgen.dsl import load

MACHINE = Machine(FP32, FP32, FP32)
DOUBLE = Machine(FP64, FP64, FP64, reals=MULTI)
SIZE = 12
F = np.float32
Array = Any


@dataclass(frozen=True)
class Made:
    """An expression: its bound, what correct backends may compute for it, and its text."""

    bound: Bounded
    outcomes: list[Array]
    text: str


def one_of(data: st.DataObject, outcomes: list[Array]) -> list[Array]:
    """At most three of them, so that the number of combinations stays small."""
    if len(outcomes) <= 3:
        return outcomes
    return [outcomes[data.draw(st.integers(0, len(outcomes) - 1))] for _ in range(3)]


def leaf(data: st.DataObject) -> Made:
    rng = np.random.default_rng(data.draw(st.integers(0, 10**6)))
    spread = data.draw(st.sampled_from([0, 1, 6, 12]))
    values = F(rng.normal(size=SIZE) * 10 ** rng.uniform(-spread, spread, SIZE))
    values[rng.random(SIZE) < 0.1] = 0
    return Made(MACHINE.tensor(values), [values], "x")


def scalar(data: st.DataObject) -> Made:
    number = data.draw(st.sampled_from([0.1, 0.9, 0.999, 1e-8, 3.7, -2.5, 123.456, 1 / 3]))
    return Made(MACHINE.scalar(number), [F(number)], str(number))


def unary(data: st.DataObject, a: Made) -> Made:
    names = ["square", "cube", "sqrt", "abs", "sign", "exp", "tanh", "log", "negate", "floor"]
    name = data.draw(st.sampled_from(names))
    x = a.bound
    positive = MACHINE.absolute(x)
    made: dict[str, tuple[Callable[[], Bounded], Callable[[Array], Array]]] = {
        "square": (lambda: MACHINE.multiply(x, x), lambda o: o * o),
        "cube": (lambda: MACHINE.power(x, MACHINE.constant(3)), lambda o: o * o * o),
        "sqrt": (lambda: MACHINE.sqrt(positive), lambda o: np.sqrt(np.abs(o))),
        "abs": (lambda: positive, np.abs),
        "sign": (lambda: MACHINE.step_function("sign", x), np.sign),
        "exp": (lambda: MACHINE.call("exp", x), np.exp),
        "tanh": (lambda: MACHINE.call("tanh", x), np.tanh),
        "log": (lambda: MACHINE.call("log", positive), lambda o: np.log(np.abs(o))),
        "negate": (lambda: MACHINE.negate(x), lambda o: -o),
        "floor": (lambda: MACHINE.step_function("floor", x), np.floor),
    }
    bound, compute = made[name]
    return Made(bound(), [F(compute(o)) for o in a.outcomes], f"{name}({a.text})")


def binary(data: st.DataObject, a: Made, b: Made) -> Made:
    name = data.draw(st.sampled_from(["add", "subtract", "multiply", "divide", "max", "min", "where"]))
    x, y = a.bound, b.bound
    pairs = [(o, q) for o in one_of(data, a.outcomes) for q in one_of(data, b.outcomes)]
    made: dict[str, tuple[Callable[[], Bounded], Callable[[Array, Array], Array]]] = {
        "add": (lambda: MACHINE.add(x, y), lambda o, q: o + q),
        "subtract": (lambda: MACHINE.add(x, MACHINE.negate(y)), lambda o, q: o - q),
        "multiply": (lambda: MACHINE.multiply(x, y), lambda o, q: o * q),
        "divide": (lambda: MACHINE.divide(x, y), lambda o, q: o / q),
        "max": (lambda: MACHINE.larger(x, y), np.maximum),
        "min": (lambda: MACHINE.smaller(x, y), np.minimum),
        "where": (lambda: branches.select(MACHINE, [
            (x, branches.compare(MACHINE, np.greater, x, y)), (y, branches.known(True))]),
            lambda o, q: np.where(o > q, o, q)),
    }
    bound, compute = made[name]
    return Made(bound(), [F(compute(o, q)) for o, q in pairs], f"{name}({a.text}, {b.text})")


def contracted(data: st.DataObject, a: Made, b: Made, c: Made) -> Made:
    """a * b + c, in two roundings or in one."""
    bound = MACHINE.add(MACHINE.multiply(a.bound, b.bound), c.bound)
    outcomes = []
    for x in one_of(data, a.outcomes):
        for y, z in zip(one_of(data, b.outcomes), one_of(data, c.outcomes), strict=False):
            outcomes += [F(F(x * y) + z), F(np.float64(x) * np.float64(y) + np.float64(z))]
    return Made(bound, outcomes, f"({a.text} * {b.text} + {c.text})")


def scaled(data: st.DataObject, a: Made) -> Made:
    """a * s / r with scalars: in this order, gathered on the host in float64, or by the reciprocal."""
    s, r = (data.draw(st.sampled_from([0.1, 0.9, 1e-3, 3.7, 2.0, 0.999])) for _ in range(2))
    hosts = MACHINE.scalar(s), MACHINE.scalar(r)
    bound = MACHINE.divide(MACHINE.multiply(a.bound, hosts[0]), hosts[1])
    outcomes = [made for o in one_of(data, a.outcomes)
                for made in (F(o * F(s)) / F(r), F(o * F(s / r)), F(F(o * F(s)) * F(1 / r)), F(F(o / F(r)) * F(s)))]
    return Made(bound, outcomes, f"({a.text} * {s} / {r})")


def summed(data: st.DataObject, a: Made) -> Made:
    """The sum of all elements, one after the other, backwards, or pairwise; broadcast back."""
    total = reductions.total(MACHINE, a.bound, (0,))
    parts = (np.broadcast_to(part, SIZE) for part in (total.value, total.error, total.edge, total.nonnegative))
    bound = Bounded(*parts)
    outcomes = []
    for o in one_of(data, a.outcomes):
        forward, backward = F(0), F(0)
        for x, y in zip(o, o[::-1], strict=True):
            forward, backward = F(forward + x), F(backward + y)
        outcomes += [np.full(SIZE, s, F) for s in (forward, backward, o.sum(dtype=F))]
    return Made(bound, outcomes, f"total({a.text})")


def expression(data: st.DataObject, depth: int) -> Made:
    kinds = ["leaf", "unary", "binary", "fma", "scaled", "sum", "with scalar"]
    kind = data.draw(st.sampled_from(kinds)) if depth else "leaf"
    if kind == "leaf":
        return leaf(data)
    a = expression(data, depth - 1)
    match kind:
        case "unary":
            return unary(data, a)
        case "binary":
            return binary(data, a, expression(data, depth - 1))
        case "fma":
            return contracted(data, a, leaf(data), expression(data, depth - 1))
        case "scaled":
            return scaled(data, a)
        case "sum":
            return summed(data, a)
    return binary(data, a, scalar(data))


def excess(bound: Bounded, outcome: Array) -> Any:
    """How far the outcome lies beyond its bound, element by element; 0 where it is within, or not finite."""
    value, error = np.broadcast_to(bound.value, outcome.shape), np.broadcast_to(bound.error, outcome.shape)
    off = np.abs(outcome.astype(np.float64) - value)
    known = np.isfinite(error)
    return np.where(known & ~(off <= error), np.where(np.isnan(off), np.inf, off - error), 0)


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_every_allowed_float32_evaluation_lies_within_the_bound(data: st.DataObject) -> None:
    with np.errstate(all="ignore"):
        made = expression(data, data.draw(st.integers(1, 5)))
        for outcome in made.outcomes:
            assert not excess(made.bound, outcome).any(), made.text


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.5, 3), st.floats(-2, 2))
def test_real_powers_of_positive_numbers_lie_within_the_bound(seed: int, base: float, exponent: float) -> None:
    values = F(base * 10 ** np.random.default_rng(seed).uniform(-3, 3, SIZE))
    bound = MACHINE.power(MACHINE.multiply(MACHINE.tensor(values), MACHINE.scalar(1.1)), MACHINE.scalar(exponent))
    for outcome in (np.power(F(values * F(1.1)), F(exponent)), np.exp2(F(F(exponent) * np.log2(F(values * F(1.1)))))):
        assert not excess(bound, F(outcome)).any()


@pytest.mark.parametrize("form", [FP16, BF16])
def test_storing_adds_one_rounding_of_the_narrow_format(form: Format) -> None:
    values = np.random.default_rng(0).normal(size=999) * 10 ** np.random.default_rng(1).uniform(-9, 5, 999)
    bound = Machine(FP32, form, form).stored(MACHINE.device(MACHINE.tensor(values)), form)
    stored = np.round(values / form.spacing(np.abs(values))) * form.spacing(np.abs(values))
    within = np.abs(values) < form.huge / 2
    assert (np.abs(stored - values) <= bound.error)[within].all()
    assert (np.abs(stored - values) / bound.error)[within].max() > 0.9


def test_what_a_format_holds_is_stored_without_error() -> None:
    held = np.array([0.0, 1.0, -0.375, 65504.0, 2.0**-24, 0.1])
    bound = Machine(FP32, FP16, FP16).stored(MACHINE.tensor(held), FP16)
    assert (bound.error == 0).tolist() == [True] * 5 + [False]


def test_a_sign_in_doubt_covers_both_outcomes_and_is_marked() -> None:
    a, b = MACHINE.tensor(F([1, 2])), MACHINE.tensor(F([1, 1]))
    third = MACHINE.multiply(a, MACHINE.scalar(1 / 3))
    sign = MACHINE.step_function("sign", MACHINE.add(third, MACHINE.negate(MACHINE.multiply(b, MACHINE.scalar(1 / 3)))))
    assert sign.edge.tolist() == [True, False]
    assert sign.error.tolist() == [1, 0]


def test_a_root_of_what_may_be_negative_is_left_open_and_one_of_a_square_is_not() -> None:
    x = MACHINE.multiply(MACHINE.tensor(F([1e-30, 1.0])), MACHINE.scalar(0.1))
    difference = MACHINE.add(MACHINE.multiply(x, x), MACHINE.negate(MACHINE.multiply(x, x)))
    assert not np.isfinite(MACHINE.sqrt(difference).error).any()
    assert np.isfinite(MACHINE.sqrt(MACHINE.multiply(x, x)).error).all()


def test_an_overflow_leaves_an_element_open_and_an_underflow_does_not() -> None:
    x = MACHINE.tensor(F([1e30, 1e-30]))
    assert np.isfinite(MACHINE.multiply(x, x).error).tolist() == [False, True]
    assert MACHINE.multiply(x, x).error[1] >= 2.0**-150


def test_exact_arithmetic_has_no_error() -> None:
    machine = Machine(EXACT, EXACT, EXACT)
    x = machine.divide(machine.tensor(np.array([1.0, 2.0])), machine.scalar(3.0))
    assert machine.sqrt(machine.add(x, machine.scalar(0.1))).error.tolist() == [0, 0]


def test_float64_is_judged_in_more_bits_than_it_has() -> None:
    x = np.random.default_rng(0).normal(size=50)
    bound = DOUBLE.multiply(DOUBLE.add(DOUBLE.tensor(x), DOUBLE.scalar(0.1)), DOUBLE.scalar(0.3))
    off = np.abs((x + 0.1) * 0.3 - bound.value).astype(float)
    assert 0.1 < (off / bound.error).max() <= 1


def adamw(count: int, **changed: Any) -> tuple[Any, Any]:
    """AdamW's bound at step 3 with its defaults, and the numbers of a float64 backend with something changed."""
    rng = np.random.default_rng(5)
    shape = (400,)
    param, grad, mean = (F(rng.normal(size=shape) * 10 ** rng.uniform(-6, 0, shape)) for _ in range(3))
    state = [{"exp_avg": mean, "exp_avg_sq": F(10 ** rng.uniform(-12, 0, shape))}]
    wanted, _ = oracle.enclose(load("adamw"), [param], [grad], state, 3, {}, MACHINE)
    got, _ = oracle.step(load("adamw"), [param], [grad], state, count, changed)
    return wanted[0], got[0]


@pytest.mark.parametrize(("count", "changed"), [
    (3, {"lr": 0.5e-3}),
    (3, {"lr": 1e-3 * (1 + 2.0**-18)}),
    (3, {"betas": (0.999, 0.9)}),
    (3, {"betas": (0.9, 0.9990001)}),
    (10**9, {}),  # no bias correction
    (4, {}),
    (3, {"eps": 1e-6}),
    (3, {"weight_decay": -1e-2}),
    (3, {"weight_decay": 0.0}),
])
def test_a_wrong_constant_is_beyond_the_bound(count: int, changed: dict[str, Any]) -> None:
    bound, got = adamw(count, **changed)
    assert excess(bound, got).any()


def test_the_right_constants_are_within_the_bound() -> None:
    bound, got = adamw(3)
    assert not excess(bound, got).any()
    assert np.isfinite(bound.error).all()


def test_a_branch_taken_on_the_device_is_no_number_of_the_host() -> None:
    """So it is rounded as what is computed there, though each of its values is exact on the host."""
    third, zero = MACHINE.scalar(1 / 3), MACHINE.scalar(0.0)
    for number, host in ((MACHINE.scalar(1.0), True), (MACHINE.tensor(np.ones(3)), False)):
        chosen = branches.select(MACHINE, [(third, branches.compare(MACHINE, np.greater, number, zero)),
                                           (zero, branches.known(True))])
        assert chosen.host is host


@pytest.mark.parametrize("machine", [MACHINE, DOUBLE], ids=["float32", "float64"])
def test_what_started_as_a_scalar_of_the_host_is_still_known_to_equal_it(machine: Machine) -> None:
    """Both are rounded alike: exactly so where it was stored, and where it is about to be."""
    scalar, tenth = machine.scalar(0.1), 0.1 if machine is DOUBLE else float(F(0.1))
    held = machine.tensor(np.array([tenth, np.nextafter(F(tenth), F(1)), 0.2]))
    starting = machine.stored(machine.device(scalar), machine.state)
    for a, b in ((scalar, held), (held, scalar)):
        equal, less = (branches.compare(machine, relation, a, b) for relation in (np.equal, np.less_equal))
        assert (equal.certain[0], less.certain[0]) == (True, True)
        assert equal.possible[2] == np.False_
    assert branches.compare(machine, np.equal, scalar, starting).certain.all()
    assert not branches.compare(machine, np.not_equal, starting, scalar).possible.any()
    computed = machine.multiply(machine.tensor(np.array([1.0])), scalar)
    other = machine.multiply(computed, machine.tensor(np.array([1.0])))
    assert branches.compare(machine, np.equal, scalar, machine.add(other, other)).holds.tolist() == [False]
    assert branches.compare(machine, np.equal, machine.tensor(np.array([tenth])), other).doubtful.all()
