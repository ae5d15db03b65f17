"""Kernels of rules with inputs: each is one more stream beside the gradient, wherever it lies at a step."""

from __future__ import annotations

import gc
import sys
import weakref
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parents[1]))

from c_steps import assert_agree, eagerly_stepped, set_grads, some, twin
from workshop import Workshop

from optgen.bounds import FP32
from optgen.build import compile
from optgen.dsl import Eq, Piecewise, Rule, elems, given, hyper, literal, mean, model, norm, t, tensors
from optgen.verify import cases
from optgen.verify.lockstep import FEW, run
from optgen.verify.runners import Storage, optimizer_class, torch_runner

SOPHIA = compile("sophia", "torch")
theta, g, m, u, A, B = tensors("theta g m u A B")
lr = hyper("lr", 0.05, at_least=0)


def estimates(params: list[Tensor], number: int) -> list[Tensor]:
    make = torch.Generator().manual_seed(number)
    return [torch.rand(p.shape, generator=make, dtype=p.dtype) for p in params]


def made(params: list[Tensor], fused: bool, **hypers: Any) -> Any:
    make: Any = optimizer_class(SOPHIA)
    return make([{"params": params, "fused": fused}], **{"lr": 0.1, "bs": 1, **hypers})


def test_steps_with_and_without_an_input_are_those_of_the_eager_class(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some parameters may be given one, and others none."""
    calls = eagerly_stepped(SOPHIA.__package__ or "", monkeypatch)
    a = some((3, 683), (7,), ())
    b = twin(a)
    x, y = made(a, True), made(b, False)
    for step in range(4):
        for side, one in ((a, x), (b, y)):
            set_grads(side, step)
            values = estimates(side, step)
            calls.clear()
            one.step(hessian=[None, values, [values[0], None, values[2]], values][step])
            assert bool(calls) is (one is y)
    for p, q in zip(a, b, strict=True):
        assert_agree(p, q)
        assert_agree(x.state[p]["hessian"], y.state[q]["hessian"])
    assert x.state[a[0]]["hessian"].any()


def test_an_input_may_lie_elsewhere_at_each_step_without_other_tables() -> None:
    plans: list[Any] = []
    a = some((2500,), (40, 30))
    b = twin(a)
    x, y = made(a, True), made(b, False)
    rooms = [[torch.empty(p.numel() + 1)[step % 2 :][: p.numel()].view(p.shape) for p in a] for step in range(3)]
    slow = []
    for step, room in enumerate(rooms):  # the second is at odd addresses
        for place, value in zip(room, estimates(a, step), strict=True):
            place.copy_(value)
        for side, one in ((a, x), (b, y)):
            set_grads(side, step)
            one.step(hessian=room)
        (launcher,) = x._launchers().values()
        plans.append(launcher._plan)
        slow.append([*launcher._plan.buckets[0].slow])
    assert plans[0] is plans[1] is plans[2]
    assert slow == [[False, False], [True, True], [False, False]]
    for p, q in zip(a, b, strict=True):
        assert_agree(x.state[p]["hessian"], y.state[q]["hessian"])


def test_an_odd_address_of_an_input_makes_a_tensor_slow_and_another_order_a_copy() -> None:
    launcher = compile("sophia", "triton").launcher()
    params, grads = [torch.zeros(40, 30), torch.zeros(40, 30)], [torch.ones(40, 30), torch.ones(40, 30)]
    states: Any = [[torch.zeros(40, 30) for _ in params] for _ in range(2)]
    odd, turned = torch.rand(1201)[1:].view(40, 30), torch.rand(30, 40).t()
    scalars = [{"one_minus_beta2": 0.5, "beta2": 0.5, "one_minus_beta1": 0.1, "beta1": 0.9, "lr": 0.1, "rho_bs": 1.0,
                "one_minus_lr_weight_decay": 1.0}]
    assert launcher.step(params, grads, [*states, [odd, turned]], [0, 0], scalars, {"has_H": True}) == []
    assert [*launcher._plan.buckets[0].slow] == [True, False]
    assert torch.equal(states[1][0], 0.5 * odd)
    assert torch.equal(states[1][1], 0.5 * turned)


def test_what_was_given_is_not_kept_alive() -> None:
    params = some((4,))
    optimizer = made(params, True)
    set_grads(params, 0)
    values = estimates(params, 0)
    optimizer.step(hessian=values)
    kept = weakref.ref(values.pop())
    gc.collect()
    assert kept() is None


def test_a_scale_and_maximize_are_of_the_gradient_only() -> None:
    (plain,), (scaled,) = some((300,)), some((300,))
    x, y = made([plain], True), made([scaled], True, maximize=True)
    set_grads([plain], 0)
    assert plain.grad is not None
    scaled.grad = -4 * plain.grad
    y.grad_scale, y.found_inf = torch.full((1,), 4.0), torch.zeros(1)
    (value,) = estimates([plain], 0)
    x.step(hessian=[value])
    y.step(hessian=[value])
    assert torch.equal(plain, scaled)
    assert torch.equal(x.state[plain]["hessian"], y.state[scaled]["hessian"])


def reducing() -> Rule:
    """Two inputs, one of which may be missing, in passes that wait for one another."""
    return Rule(param=theta, grad=g, name="Reducing", inputs={A: "first_one", B: "other"}, equations=[
        Eq(u[t], g[t] * A[t] / (1 + norm(g[t] * A[t], model))),
        Eq(m[t], 0.5 * m[t - 1] + mean(u[t] * Piecewise((B[t], given(B)), (theta[t - 1], True)), elems)),
        Eq(theta[t], theta[t - 1] - lr * u[t] / (1 + Piecewise((m[t] * B[t], given(B)), (m[t], True)) ** 2)),
    ])


def test_sums_may_be_of_inputs(tmp_path: Path) -> None:
    with literal():
        rule = reducing()
    module = Workshop(tmp_path).build(rule, ["numpy", "torch", "triton"])["torch"]
    shapes = cases.Shapes("several chunks", ((2500,), (3, 683), ()))
    storage = Storage(FP32, FP32)
    every = cases.variants(rule)
    assert len(every) > 1
    for variant in every:
        values = cases.parameters(shapes, storage.param, 1)
        runner = torch_runner(module, values, variant.hypers, "plain", storage, True)
        tally = run(rule, runner, variant.hypers, shapes, storage, 1, FEW)
        assert not tally.faults, tally.faults[0]
        assert not tally.note
        assert tally.decided > 1000
