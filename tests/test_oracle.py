"""The oracle against numbers worked out by hand and against torch.optim in float64."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest
import torch

from optgen import oracle
from optgen.bounds import BF16, FP32, FP64, Machine
from optgen.dsl import (
    Abs,
    Eq,
    Max,
    Min,
    Ne,
    Piecewise,
    Rule,
    amax,
    cols,
    elems,
    exp,
    first,
    flag,
    floor,
    hyper,
    literal,
    load,
    log,
    machine_eps,
    matmul,
    mean,
    model,
    norm,
    numel,
    rms,
    rows,
    sign,
    sqrt,
    t,
    tanh,
    tensors,
    total,
    transpose,
)
from optgen.errors import OptgenError

theta, g, m, v, b, p, X, A = tensors("theta g m v b p X A")
lr = hyper("lr", 0.1)
beta = hyper("beta", 0.9)
momentum = hyper("momentum", 0)
nesterov = flag("nesterov", False)


def rule(*equations: Eq, **more: Any) -> Rule:
    """A rule of these equations; without an update of the parameter, the first quantity is its update."""
    return Rule(param=theta, grad=g, equations=equations, name="Tried", **more)


def value_of(expression: Any, param: Any = 0.0, grad: Any = 0.0, count: int = 1, **hypers: Any) -> Any:
    """What theta becomes if the expression is its update."""
    made = rule(Eq(theta[t], expression))
    params, _ = oracle.step(made, [np.asarray(param)], [np.asarray(grad)], [{}], count, hypers)
    return params[0]


@pytest.fixture(autouse=True)
def _literally() -> Any:
    with literal():
        yield


def test_sgd_moves_against_the_gradient() -> None:
    assert value_of(theta[t - 1] - lr * g[t], 2.0, 3.0, lr=0.5) == 0.5


@pytest.mark.parametrize(("expression", "wanted"), [
    (lambda x: exp(x), math.exp(-1.5)),
    (lambda x: log(-x), math.log(1.5)),
    (lambda x: sqrt(-x), math.sqrt(1.5)),
    (lambda x: tanh(x), math.tanh(-1.5)),
    (lambda x: Abs(x), 1.5),
    (lambda x: sign(x), -1.0),
    (lambda x: floor(x), -2.0),
    (lambda x: Max(x, 2), 2.0),
    (lambda x: Min(x, 2), -1.5),
    (lambda x: x**2, 2.25),
    (lambda x: x**3, -3.375),
    (lambda x: x**-2, 1 / 2.25),
    (lambda x: (-x) ** 1.25, 1.5**1.25),
    (lambda x: 2**x, 2**-1.5),
    (lambda x: 1 / x / 2, 1 / -1.5 / 2),
    (lambda x: x - (x - 1), 1.0),
    (lambda x: -(x + 1) * 2 / 4, 0.25),
])
def test_every_function_means_what_mathematics_means_by_it(expression: Callable[[Any], Any], wanted: float) -> None:
    assert value_of(expression(theta[t - 1]), -1.5) == pytest.approx(wanted, rel=1e-15)


def test_a_piecewise_takes_the_first_condition_that_holds() -> None:
    branches = Piecewise((1, t <= 2), (2, t <= 4), (3, True))
    assert [float(value_of(branches, count=n)) for n in (1, 2, 3, 4, 5)] == [1, 1, 2, 2, 3]


def test_a_condition_on_elements_is_decided_for_each() -> None:
    got = value_of(Piecewise((theta[t - 1], (theta[t - 1] * g[t] > 0) & (g[t] < 5)), (0, True)),
                   np.array([1.0, 2.0, 3.0]), np.array([1.0, -1.0, 7.0]))
    assert got.tolist() == [1, 0, 0]


def test_the_branch_not_taken_leaves_no_trace_of_its_domain_error() -> None:
    assert value_of(Piecewise((sqrt(4 - t), t < 4), (7, True)), count=9) == 7


def test_a_state_that_no_possible_branch_reads_does_not_exist() -> None:
    made = rule(Eq(b[t], momentum * b[t - 1] + g[t]),
                Eq(theta[t], theta[t - 1] - lr * Piecewise((b[t], Ne(momentum, 0)), (g[t], True))))
    assert oracle.states_in_force(made, (2,), {}) == {}
    assert oracle.states_in_force(made, (2,), {"momentum": 0.5}) == {"b": False}
    assert oracle.step(made, [np.ones(2)], [np.ones(2)], [{}], 1, {"momentum": 0.5})[1][0].keys() == {"b"}


def test_first_holds_at_the_step_that_creates_the_state_and_not_at_t_one() -> None:
    made = rule(Eq(m[t], Piecewise((g[t], first), (m[t - 1] + g[t], True))), Eq(theta[t], m[t]))
    fresh, kept = oracle.step(made, [np.zeros(1)], [np.full(1, 3.0)], [{}], 7)
    assert (fresh[0], kept[0]["m"]) == (3, 3)
    assert oracle.step(made, [np.zeros(1)], [np.full(1, 2.0)], kept, 8)[0][0] == 5


@pytest.mark.parametrize(("start", "wanted"), [(0, 2.0), (0.5, 2.5), (lr, 2.1), (theta, 12.0), (g, 4.0)])
def test_a_state_starts_at_a_number_a_hyperparameter_the_parameter_or_the_gradient(start: Any, wanted: float) -> None:
    made = rule(Eq(m[t], m[t - 1] + g[t]), Eq(theta[t], m[t]), init={m: start})
    assert oracle.step(made, [np.full(2, 10.0)], [np.full(2, 2.0)], [{}], 1)[0][0] == pytest.approx(wanted)


def test_the_past_of_the_gradient_is_a_state() -> None:
    made = rule(Eq(theta[t], g[t] - g[t - 1]))
    params, state = oracle.step(made, [np.zeros(1)], [np.full(1, 3.0)], [{}], 1)
    assert (params[0], state[0]["g"]) == (3, 3)
    assert oracle.step(made, params, [np.full(1, 5.0)], state, 2)[0][0] == 2


def test_a_recurrence_of_t_and_hyperparameters_is_a_scalar_on_the_host() -> None:
    made = rule(Eq(p[t], p[t - 1] * (1 - beta / t)), Eq(theta[t], theta[t - 1] + p[t] * g[t]), init={p: 1},
                state_keys={p: "mu_product"})
    params, state = [np.zeros(2)], [{}]
    for n in (1, 2):
        params, state = oracle.step(made, params, [np.ones(2)], state, n, {"beta": 0.5})
    assert oracle.states_in_force(made, (2,), {}) == {"mu_product": True}
    assert state[0]["mu_product"] == pytest.approx(0.5 * 0.75)
    assert params[0].tolist() == pytest.approx([0.5 + 0.375] * 2)


@pytest.mark.parametrize(("expression", "wanted"), [
    (total(g[t], elems), 21.0),
    (mean(g[t], elems), 3.5),
    (norm(g[t], elems), math.sqrt(91)),
    (rms(g[t], elems), math.sqrt(91 / 6)),
    (amax(Abs(g[t]), elems), 6.0),
    (total(mean(g[t], cols), rows), 7.0),
    (numel + 0 * rows, 6.0),
])
def test_reductions_of_a_whole_tensor(expression: Any, wanted: float) -> None:
    grad = np.array([[1.0, 2, 3], [4, 5, 6]])
    got = value_of(theta[t - 1] + expression, np.zeros((2, 3)), grad)
    assert got == pytest.approx(np.full((2, 3), wanted))


def test_a_mean_over_cols_leaves_one_number_per_row_and_broadcasts_back() -> None:
    grad = np.array([[1.0, 2, 3], [4, 5, 6]])
    assert value_of(theta[t - 1] + mean(g[t], cols), np.zeros((2, 3)), grad).tolist() == [[2] * 3, [5] * 3]
    assert value_of(theta[t - 1] + amax(g[t], rows), np.zeros((2, 3)), grad).tolist() == [[4, 5, 6]] * 2


def test_rows_and_cols_are_the_last_two_axes_and_leading_ones_a_batch() -> None:
    grad = np.arange(12.0).reshape(2, 2, 3)
    got = value_of(theta[t - 1] + total(g[t], rows) * cols, np.zeros((2, 2, 3)), grad)
    assert got == pytest.approx(np.broadcast_to(grad.sum(-2, keepdims=True) * 3, (2, 2, 3)))


def test_a_factored_second_moment_keeps_a_row_and_a_column() -> None:
    r, c = tensors("r c")
    made = rule(Eq(r[t], beta * r[t - 1] + (1 - beta) * mean(g[t] ** 2, cols)),
                Eq(c[t], beta * c[t - 1] + (1 - beta) * mean(g[t] ** 2, rows)),
                Eq(theta[t], theta[t - 1] - lr * g[t] / sqrt(r[t] * c[t] / mean(r[t], rows))))
    rng = np.random.default_rng(0)
    param, grad = rng.normal(size=(2, 3, 4))
    params, state = oracle.step(made, [param], [grad], [{}], 1)
    row, col = 0.1 * (grad**2).mean(1, keepdims=True), 0.1 * (grad**2).mean(0, keepdims=True)
    assert state[0]["r"] == pytest.approx(row)
    assert state[0]["c"] == pytest.approx(col)
    assert params[0] == pytest.approx(param - 0.1 * grad / np.sqrt(row @ col / row.mean()))


def test_a_global_clip_sees_every_tensor_that_has_a_gradient() -> None:
    made = rule(Eq(theta[t], theta[t - 1] - g[t] / Max(1, sqrt(total(total(g[t] ** 2, elems), model)))))
    grads = [np.array([3.0]), None, np.array([[4.0, 0.0]])]
    params, _ = oracle.step(made, [np.zeros(1), np.ones(1), np.zeros((1, 2))], grads, [{}, {}, {}], 1)
    assert [q.tolist() for q in params] == [[-0.6], [1.0], [[-0.8, 0.0]]]
    same = rule(Eq(theta[t], theta[t - 1] - g[t] / Max(1, norm(g[t], model))))
    assert oracle.step(same, [np.zeros(1)], [np.full(1, 4.0)], [{}], 1)[0][0] == -1


def test_a_newton_schulz_step_is_matrix_algebra_on_whole_number_indices() -> None:
    made = rule(Eq(X[0], g[t] / norm(g[t], elems)),
                *(Eq(X[k + 1], 1.5 * X[k] - 0.5 * matmul(matmul(X[k], transpose(X[k])), X[k])) for k in range(12)),
                Eq(theta[t], theta[t - 1] - lr * X[12]))
    grad = np.random.default_rng(1).normal(size=(3, 5))
    params, state = oracle.step(made, [np.zeros((3, 5))], [grad], [{}], 1, {"lr": 1.0})
    u, _, vt = np.linalg.svd(grad, full_matrices=False)
    assert params[0] == pytest.approx(-u @ vt, abs=1e-6)
    assert state == [{}]


def test_each_parameter_has_its_own_t_and_none_moves_without_a_gradient() -> None:
    made = rule(Eq(theta[t], theta[t - 1] + t * g[t]))
    params, _ = oracle.step(made, [np.zeros(1)] * 3, [np.ones(1), None, np.ones(1)], [{}] * 3, [1, 4, 9])
    assert [float(q[0]) for q in params] == [1, 0, 9]


def test_an_empty_tensor_is_a_no_op_also_for_its_neighbours() -> None:
    made = rule(Eq(theta[t], theta[t - 1] - mean(g[t], elems) / total(total(g[t], elems), model)))
    params, _ = oracle.step(made, [np.zeros((0, 3)), np.zeros(2)], [np.zeros((0, 3)), np.ones(2)], [{}, {}], 1)
    assert params[0].shape == (0, 3)
    assert params[1].tolist() == [-0.5, -0.5]


def test_another_shape_follows_the_other_rule() -> None:
    other = rule(Eq(theta[t], theta[t - 1] - 1))
    made = rule(Eq(theta[t], theta[t - 1] + 1), ndim=2, otherwise=other)
    params, _ = oracle.step(made, [np.zeros((1, 1)), np.zeros(1)], [np.zeros((1, 1)), np.zeros(1)], [{}, {}], 1)
    assert [float(q.sum()) for q in params] == [1, -1]


def test_the_least_number_of_axes_is_enough() -> None:
    made = rule(Eq(theta[t], theta[t - 1] + 1), min_ndim=2, otherwise=rule(Eq(theta[t], theta[t - 1] - 1)))
    assert [oracle.rule_for(made, ndim) is made for ndim in range(4)] == [False, False, True, True]


def test_rules_that_otherwise_joins_share_the_value_of_a_name() -> None:
    """Where none is given it is the default of the first; a name of the second alone is its own."""
    rate, power = hyper("lr", 4.0), hyper("power", 1.0)
    other = rule(Eq(theta[t], theta[t - 1] - rate * power))
    made = rule(Eq(theta[t], theta[t - 1] + lr), ndim=2, otherwise=other)

    def moved(**hypers: float) -> list[float]:
        params, _ = oracle.step(made, [np.zeros((1, 1)), np.zeros(1)], [np.zeros((1, 1)), np.zeros(1)], [{}, {}], 1,
                                hypers)
        return [float(q.sum()) for q in params]

    assert moved() == [0.1, -0.1]
    assert moved(lr=2.0) == [2, -2]
    assert moved(lr=2.0, power=3.0) == [2, -6]


def test_none_is_the_machine_epsilon_of_the_parameter() -> None:
    small = hyper("small", machine_eps)
    made = rule(Eq(theta[t], small * g[t]))
    for machine, epsilon in ((Machine(FP64, FP64, FP64), 2**-52), (Machine(FP32, BF16, FP32), 2**-7)):
        (found,), _ = oracle.enclose(made, [np.zeros(1)], [np.ones(1)], [{}], 1, {}, machine)
        assert found.value[0] == epsilon


def test_in_mpmath_a_cancellation_keeps_what_float64_loses() -> None:
    made = rule(Eq(theta[t], (theta[t - 1] + g[t]) - theta[t - 1]))
    exact, _ = oracle.step(made, [np.ones(1)], [np.full(1, 1e-25)], [{}], 1, mp=True)
    rounded, _ = oracle.step(made, [np.ones(1)], [np.full(1, 1e-25)], [{}], 1)
    assert float(exact[0][0]) == pytest.approx(1e-25, rel=1e-9)
    assert rounded[0][0] == 0
    assert isinstance(exact[0][0], mpmath.ctx_mp_python._mpf)


def test_a_hyperparameter_that_is_not_declared_is_refused() -> None:
    with pytest.raises(OptgenError, match="no hyperparameter rate"):
        oracle.step(load("sgd"), [np.zeros(1)], [np.zeros(1)], [{}], 1, {"rate": 1})


@pytest.mark.parametrize(("name", "reference", "hypers"), [
    ("sgd", torch.optim.SGD, {"lr": 0.1, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.1}),
    ("sgd", torch.optim.SGD, {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    ("adam", torch.optim.Adam, {"lr": 0.1, "weight_decay": 0.1, "amsgrad": True}),
    ("adamw", torch.optim.AdamW, {"lr": 0.1, "betas": (0.5, 0.8)}),
    ("rmsprop", torch.optim.RMSprop, {"lr": 0.1, "momentum": 0.9, "centered": True}),
    ("adagrad", torch.optim.Adagrad, {"lr": 0.1, "lr_decay": 0.1, "initial_accumulator_value": 0.2}),
])
def test_the_oracle_agrees_with_torch_in_float64(name: str, reference: Any, hypers: dict[str, Any]) -> None:
    rng = np.random.default_rng(3)
    made = load(name)
    params: list[Any] = [rng.normal(size=(4, 3)), rng.normal(size=5)]
    theirs = [torch.nn.Parameter(torch.tensor(q)) for q in params]
    optimizer = reference(theirs, **hypers)
    state: list[Any] = [{}, {}]
    for n in range(1, 31):
        grads = [rng.normal(size=q.shape) for q in params]
        for q, grad in zip(theirs, grads, strict=True):
            q.grad = torch.tensor(grad)
        optimizer.step()
        params, state = oracle.step(made, params, grads, state, n, hypers)
    for ours, q in zip(params, theirs, strict=True):
        assert np.abs(ours - q.detach().numpy()).max() <= 1e-12 * np.abs(ours).max()
    for key, kept in state[0].items():
        assert kept == pytest.approx(optimizer.state[theirs[0]][key].numpy(), rel=1e-12)


def test_a_schedule_is_an_expression_of_t() -> None:
    factors = [float(oracle.factor(load("warmup_linear"), n, {"total_steps": 10, "warmup_steps": 2}).value)
               for n in (0, 1, 2, 6, 10, 15)]
    assert factors == [0, 0.5, 1, 0.5, 0, 0]
