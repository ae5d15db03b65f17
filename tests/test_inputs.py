"""Inputs: what a step is given by name besides the gradient, in every way it can be given, absent or wrong."""

from __future__ import annotations

import copy
import gc
import weakref
from typing import Any

import needs
import numpy as np
import pytest
import torch
from torch import Tensor
from torch.optim.lr_scheduler import ExponentialLR

import optgen
from optgen.dsl import Eq, Piecewise, Rule, cols, given, hyper, literal, mean, model, norm, t, tensors
from optgen.optim import Sophia
from optgen.passes import lower
from optgen.runtime.pytorch import _inputs
from optgen.verify import passed, verify_rule

theta, g, h, r, A, B = tensors("theta g h r A B")
lr = hyper("lr", 0.1, at_least=0)
fused_or_not = pytest.mark.parametrize("fused", [False, pytest.param(True, marks=needs.a_c_compiler)])


def model_of(*shapes: tuple[int, ...], seed: int = 0) -> list[Tensor]:
    make = torch.Generator().manual_seed(seed)
    params = [torch.randn(shape, generator=make).requires_grad_() for shape in shapes]
    for param in params:
        param.grad = torch.randn(param.shape, generator=make)
    return params


def estimates(params: list[Tensor], seed: int = 1) -> list[Tensor]:
    make = torch.Generator().manual_seed(seed)
    return [torch.rand(param.shape, generator=make) for param in params]


def rule_of(*equations: Eq, **rest: Any) -> Rule:
    return Rule(param=theta, grad=g, equations=equations, name="Made", **rest)


# A rule that needs A always, can do without B, keeps a number per row, and one whose equation reads g without B.
with literal():
    BOTH = rule_of(
        Eq(r[t], 0.5 * r[t - 1] + mean(A[t], cols)),
        Eq(h[t], Piecewise((0.9 * h[t - 1] + B[t] * A[t], given(B)), (0.5 * h[t - 1] + g[t], True))),
        Eq(theta[t], theta[t - 1] - lr * (g[t] + Piecewise((h[t] * r[t], given(B)), (r[t], True)))),
        inputs={A: "first_one", B: "other"})
    TOGETHER = rule_of(
        Eq(h[t], Piecewise((norm(B[t], model), given(B)), (h[t - 1], True))),
        Eq(theta[t], theta[t - 1] - lr * g[t] * h[t]), inputs={B: "other"})


@pytest.mark.parametrize("rule", [BOTH, TOGETHER])
def test_rules_with_inputs_agree_with_their_equations(rule: Rule) -> None:
    modules = {name: optgen.compile(rule, "torch" if name == "c" else name) for name in ("numpy", "torch", "c")}
    rows = verify_rule(rule, modules)
    assert passed(rows), [row.reason for row in rows if row.reason]


def test_a_state_is_the_same_whatever_is_given() -> None:
    with literal():
        rule = rule_of(Eq(h[t], Piecewise((h[t - 1] + B[t], given(B)), (h[t - 1], True))),
                       Eq(theta[t], theta[t - 1] - Piecewise((h[t], given(B)), (g[t], True))), inputs={B: "other"})
    states = [[(v.name, v.axes, v.place) for v in step.vars if v.key == "h"] for step in lower(rule).steps]
    assert states[0] == states[1] != []
    assert [w.into for w in lower(rule).steps[0].writes] == ["theta_prev", "h_prev"]


@fused_or_not
def test_a_list_and_a_dict_give_the_same(fused: bool) -> None:
    made = []
    for kind in (list, dict):
        params = model_of((3, 4), (5,), ())
        optimizer = Sophia([{"params": params[:1]}, {"params": params[1:]}], bs=1, fused=fused)
        values = estimates(params)
        given_to = values if kind is list else dict(zip(params, values, strict=True))
        optimizer.step(hessian=given_to)
        optimizer.step()
        optimizer.step(hessian=[None, values[1], None] if kind is list else {params[1]: values[1]})
        made.append([*params, *(optimizer.state[p]["hessian"] for p in params)])
    assert all(torch.equal(a, b) for a, b in zip(*made, strict=True))
    assert not torch.equal(made[0][3], torch.zeros(3, 4))


@needs.a_c_compiler
@pytest.mark.parametrize("shape", [(7,), (300, 1000)])
def test_fused_and_eager_steps_have_the_same_bits(shape: tuple[int, ...]) -> None:
    ends = []
    for fused in (False, True):
        params = model_of(shape, (3, 2))
        optimizer = Sophia(params, lr=0.01, bs=1, fused=fused)
        for step in range(6):
            values = estimates(params, step)
            values[0] = values[0].t().contiguous().t() if values[0].dim() > 1 else values[0]  # lies otherwise
            optimizer.step(hessian=values if step % 3 == 0 else [None, values[1]] if step == 4 else None)
        ends.append([*params, *(optimizer.state[p]["hessian"] for p in params)])
    assert all(torch.equal(a, b) for a, b in zip(*ends, strict=True))


def test_an_input_that_lies_otherwise_is_laid_as_its_parameter() -> None:
    (param,) = model_of((3, 4))
    value = torch.rand(4, 3).t()
    found = _inputs.of_param(Sophia.rule, {"hessian": {param: value}}, param, param)
    assert found["H"].stride() == param.stride()
    assert torch.equal(found["H"], value)


@fused_or_not
def test_schedulers_closures_hooks_and_scalers_go_on_working(fused: bool) -> None:
    params, seen = model_of((4,)), []
    optimizer = Sophia(params, lr=0.1, fused=fused)
    schedule = ExponentialLR(optimizer, 0.5)
    optimizer.register_step_pre_hook(lambda _, args, kwargs: seen.append(("pre", *kwargs)))
    optimizer.register_step_post_hook(lambda _, args, kwargs: seen.append(("post", *kwargs)))
    assert optimizer.step(lambda: 3.0, hessian=estimates(params)) == 3.0
    schedule.step()
    assert optimizer.param_groups[0]["lr"] == 0.05
    assert seen == [("pre", "hessian"), ("post", "hessian")]
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
    params[0].grad = None
    scaler.scale((params[0] * 2).sum()).backward()
    before = optimizer.state[params[0]]["hessian"].clone()
    scaler.step(optimizer, hessian=[torch.ones(4)])
    wanted = 0.99 * before + torch.full((4,), 0.01)
    torch.testing.assert_close(optimizer.state[params[0]]["hessian"], wanted)
    scaler.update()
    scaler.scale((params[0] * float("inf")).sum()).backward()
    scaler.step(optimizer, hessian=[torch.ones(4)])
    torch.testing.assert_close(optimizer.state[params[0]]["hessian"], wanted)


@fused_or_not
def test_a_parameter_without_a_gradient_stays_whatever_is_given(fused: bool) -> None:
    params = model_of((4,), (3,))
    params[1].grad, before = None, params[1].detach().clone()
    optimizer = Sophia(params, fused=fused)
    optimizer.step(hessian=estimates(params))
    assert torch.equal(params[1], before)
    assert params[1] not in optimizer.state


@needs.a_c_compiler
def test_what_was_given_is_not_kept_alive() -> None:
    params = model_of((4,))
    optimizer = Sophia(params, fused=True)
    value = torch.ones(4)
    optimizer.step(hessian=[value])
    kept = weakref.ref(value)
    del value
    gc.collect()
    assert kept() is None


def test_maximize_negates_the_gradient_only() -> None:
    (plain,), (negated,) = model_of((4,)), model_of((4,))
    assert negated.grad is not None
    negated.grad.neg_()
    one, other = Sophia([plain]), Sophia([negated], maximize=True)
    for optimizer in (one, other):
        optimizer.step(hessian=[torch.ones(4)])
    assert torch.equal(plain, negated)


def test_a_copy_goes_on_as_the_original() -> None:
    params = model_of((4,))
    optimizer = Sophia(params)
    optimizer.step(hessian=estimates(params))
    again, other = copy.deepcopy((params, optimizer))
    for each, of in ((optimizer, params), (other, again)):
        each.step(hessian=estimates(params, 5))
        each.step()
        del of
    assert torch.equal(params[0], again[0])


@pytest.mark.parametrize(("wrong", "says"), [
    (lambda p: torch.ones(4), "Sophia: hessian is one tensor, but there are 2 parameters: give a list beside them"),
    (lambda p: [torch.ones(4)], "Sophia: hessian is 1, but there are 2 parameters"),
    (lambda p: {torch.ones(4): torch.ones(4)}, "for a parameter that the optimizer does not have"),
    (lambda p: [None, torch.ones(4)], r"parameter 1 of group 0: hessian is torch.float32 of shape \(4,\) on cpu, the "),
    (lambda p: [torch.ones(4, dtype=torch.int64), None], "hessian is torch.int64"),
    (lambda p: [1.0, None], "hessian is a float"),
    (lambda p: [torch.ones(4).to_sparse(), None], "hessian has layout torch.sparse_coo"),
])
def test_what_does_not_fit_is_refused_before_anything_changes(wrong: Any, says: str) -> None:
    params = model_of((4,), (3,))
    before = [p.detach().clone() for p in params]
    optimizer = Sophia(params)
    with pytest.raises(ValueError, match=says):
        optimizer.step(hessian=wrong(params))
    assert all(torch.equal(a, b) for a, b in zip(params, before, strict=True))
    assert not optimizer.state


def test_an_unknown_input_is_no_argument() -> None:
    with pytest.raises(TypeError, match="hesian"):
        Sophia(model_of((4,))).step(hesian=[None])  # type: ignore[call-overload]


def test_an_input_that_the_rule_always_reads_has_to_be_given() -> None:
    params = model_of((4, 2), (3, 5))
    optimizer: Any = optgen.optimizer(BOTH)(params)
    with pytest.raises(TypeError, match="first_one"):
        optimizer.step()
    with pytest.raises(ValueError, match="parameter 1 of group 0: first_one is not given"):
        optimizer.step(first_one=[torch.ones(4, 2), None])


def test_a_rule_that_looks_at_all_tensors_is_given_all_or_none() -> None:
    params = model_of((4,), (3,))
    optimizer: Any = optgen.optimizer(TOGETHER)(params)
    with pytest.raises(ValueError, match="give other for every parameter that has a gradient, or for none"):
        optimizer.step(other=[torch.ones(4), None])
    params[1].grad = None
    optimizer.step(other=[torch.ones(4), None])
    module = optgen.compile(TOGETHER, "numpy")
    arrays = [np.ones(4), np.ones(3)]
    with pytest.raises(ValueError, match="other is not given for parameter 1 but for others"):
        module.step(arrays, arrays, module.init(arrays), 1, other=[np.ones(4), None])


@pytest.mark.parametrize(("wrong", "says"), [
    ([np.ones(4)], "there are 2 parameters, but hessian is 1"),
    ([np.ones(3), None], r"parameter 0 has shape \(4,\), its hessian \(3,\)"),
    ([np.ones(4, complex), None], "hessian of parameter 0 is complex128"),
])
def test_numpy_refuses_what_does_not_fit(wrong: Any, says: str) -> None:
    module = optgen.compile("sophia", "numpy")
    arrays = [np.ones(4), np.ones(3)]
    with pytest.raises(ValueError, match=says):
        module.step(arrays, arrays, module.init(arrays), 1, hessian=wrong)


@pytest.mark.parametrize("out", [False, True])
def test_numpy_steps_long_arrays_in_stretches_of_all_that_is_given(out: bool) -> None:
    module = optgen.compile("sophia", "numpy")
    make = np.random.default_rng(0)
    p, grad, hessian = (make.random((300, 500)) for _ in range(3))
    whole, wanted = module.step([p], [grad], module.init([p]), 1, hessian=[hessian], bs=1)
    rows = [module.step([a], [b], module.init([a]), 1, hessian=[c], bs=1)
            for a, b, c in zip(p, grad, hessian, strict=True)]
    assert np.array_equal(whole[0], np.stack([made[0] for made, _ in rows]))
    assert np.array_equal(wanted[0]["hessian"], np.stack([state[0]["hessian"] for _, state in rows]))
    del out
