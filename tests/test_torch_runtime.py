"""The drop-in contract of the generated classes: what a user of torch.optim relies on, and what torch gets wrong."""

from __future__ import annotations

import copy
import inspect
import math
import pickle
import re
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import needs
import pytest
import torch
from every_class import ALIKE, CLASSES, CODED, equal, stored_in, wide
from faults import invalid_lr
from torch import Tensor
from torch._dynamo.testing import CompileCounter
from torch.optim import Optimizer
from torch.testing._internal.common_optimizers import OptimizerErrorEnum, OptimizerInfo, optim_db

import optgen._generated.pytorch as generated
from optgen import optim

FUSED = [cls for name in optim.__all__ if "cpu" in (cls := getattr(optim, name)).rule.fused]
# Muon takes more than torch's and has tests of its own.
INFOS: list[OptimizerInfo] = [
    info for info in optim_db if info.optim_cls.__name__ in optim.__all__ and info.optim_cls.__name__ != "Muon"
]
every = pytest.mark.parametrize("cls", CLASSES, ids=[cls.__name__ for cls in CLASSES])
mirrored = pytest.mark.parametrize("info", INFOS, ids=[info.name for info in INFOS])


@pytest.fixture
def float64_by_default() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def ours(info: OptimizerInfo) -> type[Optimizer]:
    return getattr(optim, info.name)


def leaf(*shape: int, dtype: torch.dtype = torch.float32, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype).requires_grad_()


def give_gradients(optimizer: Optimizer, seed: int) -> None:
    """Gradients that depend on the seed only."""
    make = torch.Generator().manual_seed(seed)
    for group in optimizer.param_groups:
        for p in group["params"]:
            p.grad = torch.randn(p.shape, generator=make, dtype=torch.float64).to(p.dtype)


def step_with(optimizer: Optimizer, seed: int) -> None:
    give_gradients(optimizer, seed)
    optimizer.step()


def buffered(cls: type[Optimizer]) -> dict[str, Any]:
    """Arguments with which the class keeps a state."""
    return {"momentum": 0.9} if cls is optim.SGD else {}


def sparse(values: Tensor, *rows: int) -> Tensor:
    """A gradient of five rows, most of them zero; a row may be given twice."""
    return torch.sparse_coo_tensor(torch.tensor([rows]), values, (5, 2), check_invariants=True)


def params_of(optimizer: Optimizer) -> list[Tensor]:
    return [p for group in optimizer.param_groups for p in group["params"]]


# --- the class


@mirrored
def test_the_signature_is_torchs(info: OptimizerInfo) -> None:
    def told(cls: type) -> list[tuple[Any, ...]]:
        return [(p.name, p.kind, p.default) for p in inspect.signature(cls).parameters.values()]

    assert told(ours(info)) == told(info.optim_cls)


@mirrored
def test_it_has_every_public_attribute_of_torchs(info: OptimizerInfo) -> None:
    mine, theirs = ours(info)([leaf(2)]), info.optim_cls([leaf(2)])
    assert {name for name in dir(theirs) if name[0] != "_"} <= {name for name in dir(mine) if name[0] != "_"}


@every
def test_states_can_be_shared_among_processes(cls: type[Optimizer]) -> None:
    optimizer = cls([leaf(2)], **buffered(cls))
    step_with(optimizer, 0)
    optimizer.share_memory()
    assert all(value.is_shared() for state in optimizer.state.values() for value in state.values())
    step_with(optimizer, 1)


@mirrored
def test_groups_defaults_and_repr_are_torchs(info: OptimizerInfo) -> None:
    mine, theirs = ours(info)([leaf(2)]), info.optim_cls([leaf(2)])
    assert mine.defaults == theirs.defaults
    assert set(mine.param_groups[0]) == set(theirs.param_groups[0])
    assert repr(mine) == repr(theirs)


@mirrored
def test_bad_input_gives_torchs_error(info: OptimizerInfo) -> None:
    seen = 0
    for bad in info.optim_error_inputs_func(device="cpu", dtype=torch.float32):
        given = bad.optimizer_error_input
        params = [leaf(2, 2)] if given.params is None else given.params
        if bad.error_type is UserWarning:
            with pytest.warns(UserWarning, match=bad.error_regex):
                ours(info)(params, **given.kwargs)
            continue
        if "complex parameters" in bad.error_regex:
            continue  # ours are refused before a step, as another test shows
        assert bad.error_on is OptimizerErrorEnum.CONSTRUCTION_ERROR
        with pytest.raises(bad.error_type) as theirs:
            info.optim_cls(copy.copy(params), **given.kwargs)
        with pytest.raises(bad.error_type, match=bad.error_regex) as mine:
            ours(info)(copy.copy(params), **given.kwargs)
        assert str(mine.value) == str(theirs.value), given.desc
        seen += 1
    assert seen >= 5


@mirrored
@pytest.mark.parametrize("flags", [{}, {"foreach": True}, {"foreach": False}, {"differentiable": False}], ids=str)
@pytest.mark.usefixtures("float64_by_default")  # where torch keeps a scalar in the default dtype
def test_every_configuration_of_torchs_suite_agrees(info: OptimizerInfo, flags: dict[str, bool]) -> None:
    for given in info.optim_inputs_func(device="cpu"):
        kwargs = {**copy.deepcopy(given.kwargs), **flags}
        if not kwargs.keys() <= inspect.signature(info.optim_cls).parameters.keys():
            continue
        if kwargs.get("foreach") and isinstance(kwargs.get("lr"), Tensor):
            continue
        mine, theirs = (
            cls([leaf(3, 4, dtype=torch.float64), leaf(4, dtype=torch.float64, seed=1)], **copy.deepcopy(kwargs))
            for cls in (ours(info), info.optim_cls)
        )
        for seed in range(7):
            step_with(mine, seed)
            step_with(theirs, seed)
        for a, b in zip(params_of(mine), params_of(theirs), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-14, msg=given.desc)
        assert_same_state(mine, theirs)


def assert_same_state(mine: Optimizer, theirs: Optimizer) -> None:
    a, b = mine.state_dict(), theirs.state_dict()
    assert a["state"].keys() == b["state"].keys()
    for at, state in b["state"].items():
        assert list(a["state"][at]) == list(state)
        for key, value in state.items():
            assert a["state"][at][key].dtype == value.dtype
            assert a["state"][at][key].device == value.device
            torch.testing.assert_close(a["state"][at][key], value, rtol=1e-12, atol=1e-14)


@mirrored
def test_the_loss_falls_with_torchs_schedulers(info: OptimizerInfo) -> None:
    for schedulers in info.scheduler_inputs:
        weight, bias, x = leaf(10, 5), leaf(10, seed=1), leaf(5, seed=2).detach()
        optimizer = ours(info)([{"params": [weight]}, {"params": [bias], "lr": 0.01}], lr=0.01)
        chain = [make(optimizer) for make in schedulers]

        def loss(
            optimizer: Optimizer = optimizer, weight: Tensor = weight, bias: Tensor = bias, x: Tensor = x
        ) -> Tensor:
            optimizer.zero_grad()
            value = (weight @ x + bias).pow(2).sum()
            value.backward()
            return value

        before = loss().item()
        for _ in range(20):
            value = optimizer.step(loss).detach()
            for scheduler in chain:
                scheduler.step(*([value] if "metrics" in inspect.signature(scheduler.step).parameters else []))
        assert loss().item() < before


# --- hyperparameters


@every
@pytest.mark.parametrize("lr", [math.nan, "0.1", -1.0, None, [0.1]], ids=str)
def test_a_learning_rate_that_is_none_is_refused_wherever_it_enters(cls: type[Optimizer], lr: Any) -> None:
    message = "^" + re.escape(invalid_lr(cls, lr)) + "$"
    with pytest.raises(ValueError, match=message):
        cls([leaf(2)], lr=lr)
    optimizer = cls([leaf(2)], lr=0.1)
    with pytest.raises(ValueError, match=message):
        optimizer.add_param_group({"params": [leaf(2)], "lr": lr})
    assert len(optimizer.param_groups) == 1
    optimizer.param_groups[0]["lr"] = lr
    before = params_of(optimizer)[0].clone()
    with pytest.raises(ValueError, match=message):
        step_with(optimizer, 0)
    assert torch.equal(params_of(optimizer)[0], before)
    assert not optimizer.state or all(s["step"] == 0 for s in optimizer.state.values())


@pytest.mark.parametrize(
    ("cls", "kwargs", "message"),
    [
        (optim.Adam, {"eps": -1.0}, "Invalid epsilon value: -1.0"),
        (optim.Adam, {"eps": math.nan}, "Invalid epsilon value: nan"),
        (optim.AdamW, {"betas": (0.9, 1.0)}, "Invalid beta parameter at index 1: 1.0"),
        (optim.AdamW, {"betas": (math.nan, 0.9)}, "Invalid beta parameter at index 0: nan"),
        (optim.AdamW, {"betas": (0.9,)}, "Invalid betas value: (0.9,) (it has 2 elements)"),
        (optim.AdamW, {"betas": 0.9}, "Invalid betas value: 0.9 (it has 2 elements)"),
        (optim.AdamW, {"betas": (torch.ones(2), torch.ones(2))}, "Tensor betas[0] must be 1-element"),
        (optim.Lion, {"betas": (0.9, -0.1)}, "Invalid beta parameter at index 1: -0.1"),
        (optim.SGD, {"momentum": -0.1}, "Invalid momentum value: -0.1"),
        (optim.SGD, {"dampening": math.nan}, "Invalid dampening value: nan"),
        (optim.SGD, {"nesterov": True}, "Nesterov momentum requires a momentum and zero dampening"),
        (optim.RMSprop, {"alpha": -1}, "Invalid alpha value: -1"),
        (optim.Adagrad, {"lr_decay": -1}, "Invalid lr_decay value: -1"),
        (optim.Adagrad, {"initial_accumulator_value": -1}, "Invalid initial_accumulator_value value: -1"),
    ],
)
def test_other_hyperparameters_are_refused_in_torchs_words(
    cls: type[Optimizer], kwargs: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match="^" + re.escape(message) + "$"):
        cls([leaf(2)], **kwargs)
    optimizer = cls([leaf(2)])
    with pytest.raises(ValueError, match="^" + re.escape(message) + "$"):
        optimizer.add_param_group({"params": [leaf(2)], **kwargs})


def test_flags_that_exclude_each_other_are_refused_in_torchs_words() -> None:
    with pytest.raises(RuntimeError, match=r"^`fused` and `foreach` cannot be `True` together\.$"):
        optim.AdamW([leaf(2)], fused=True, foreach=True)
    with pytest.raises(RuntimeError, match=r"^`fused` does not support `differentiable`$"):
        optim.AdamW([leaf(2)], fused=True, differentiable=True)
    with pytest.raises(TypeError, match="unexpected keyword argument 'momentum'"):
        optim.AdamW([leaf(2)], momentum=0.9)  # type: ignore[call-arg]


def test_each_group_has_its_own_hyperparameters() -> None:
    groups = [{"lr": 0.1, "betas": (0.5, 0.6)}, {"maximize": True, "weight_decay": 0.3}, {"amsgrad": True, "eps": 1e-3}]
    mine, theirs = (
        cls([{"params": [leaf(3, dtype=torch.float64, seed=i)], **copy.deepcopy(g)} for i, g in enumerate(groups)])
        for cls in (optim.AdamW, torch.optim.AdamW)
    )
    for seed in range(5):
        step_with(mine, seed)
        step_with(theirs, seed)
    for a, b in zip(params_of(mine), params_of(theirs), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-13, atol=0)
    assert_same_state(mine, theirs)


def test_tensor_betas_and_tensor_rates_are_read_at_each_step() -> None:
    lr, betas = torch.tensor([[0.1]]), (torch.tensor(0.5), torch.tensor(0.75))
    mine, plain = optim.Adam([leaf(3)], lr=lr, betas=betas), optim.Adam([leaf(3)], lr=lr.item(), betas=(0.5, 0.75))
    for seed in range(4):
        lr.mul_(0.5)
        plain.param_groups[0]["lr"] = lr.item()
        step_with(mine, seed)
        step_with(plain, seed)
    assert torch.equal(params_of(mine)[0], params_of(plain)[0])
    assert mine.param_groups[0]["lr"] is lr


def test_momentum_switched_on_midway_starts_there() -> None:
    mine, theirs = (cls([leaf(3, dtype=torch.float64)], dampening=0.5) for cls in (optim.SGD, torch.optim.SGD))
    for seed in range(6):
        for one in (mine, theirs):
            one.param_groups[0]["momentum"] = 0.9 if seed > 2 else 0
            step_with(one, seed)
        assert bool(mine.state) == (seed > 2)
    torch.testing.assert_close(params_of(mine)[0], params_of(theirs)[0], rtol=1e-14, atol=0)


# --- step


@every
def test_the_closure_runs_first_with_gradients_and_its_value_is_returned(cls: type[Optimizer]) -> None:
    p = leaf(3)
    optimizer = cls([p])

    def closure() -> Tensor:
        assert torch.is_grad_enabled()
        optimizer.zero_grad()
        loss = p.square().sum()
        loss.backward()
        return loss

    with torch.no_grad():
        loss = optimizer.step(closure)
        if cls is optim.ADOPT:  # its first step only fills its state
            optimizer.step(closure)
    assert loss.item() == pytest.approx(leaf(3).square().sum().item())
    assert not torch.equal(p, leaf(3))
    assert optimizer.step() is None


@every
def test_a_parameter_without_gradient_is_left_alone_and_its_count_stands(cls: type[Optimizer]) -> None:
    a, b = leaf(3), leaf(3, seed=1)
    optimizer = cls([a, b])
    step_with(optimizer, 0)
    step_with(optimizer, 1)
    kept, state = b.clone(), copy.deepcopy(optimizer.state.get(b))
    a.grad, b.grad = torch.ones(3), None
    optimizer.step()
    assert torch.equal(b, kept)
    for key, value in (state or {}).items():
        assert torch.equal(optimizer.state[b][key], optimizer.state[a][key] if key in cls.rule.common else value)
    if "step" in (state or {}):
        assert (optimizer.state[a]["step"].item(), optimizer.state[b]["step"].item()) == (3, 2)


@every
def test_without_gradients_a_step_creates_nothing(cls: type[Optimizer]) -> None:
    optimizer = cls([leaf(3)])
    before = pickle.dumps(optimizer.state_dict())
    optimizer.step()
    optimizer.zero_grad()
    assert pickle.dumps(optimizer.state_dict()) == before


@every
def test_hooks_and_the_profiler_see_a_step(cls: type[Optimizer]) -> None:
    optimizer, seen = cls([leaf(3)]), []
    optimizer.register_step_pre_hook(lambda *_: seen.append("pre"))
    optimizer.register_step_post_hook(lambda *_: seen.append("post"))
    with torch.profiler.profile() as profile:
        step_with(optimizer, 0)
    assert seen == ["pre", "post"]
    assert f"Optimizer.step#{cls.__name__}.step" in {event.key for event in profile.key_averages()}


@pytest.mark.parametrize("cls", [cls for cls in CLASSES if cls.rule.elementwise])  # others refuse them
def test_complex_parameters_step_as_their_real_and_imaginary_parts(cls: type[Optimizer]) -> None:
    z = torch.randn(4, 3, dtype=torch.complex128, generator=torch.Generator().manual_seed(0))
    if not cls.rule.elementwise:  # type: ignore[attr-defined]
        with pytest.raises(ValueError, match=f"^{cls.__name__} does not support complex parameters: parameter 0 of"):
            cls([z.clone().requires_grad_()])
        return
    complex_one, real_one = cls([z.clone().requires_grad_()]), cls([torch.view_as_real(z).clone().requires_grad_()])
    for seed in range(4):
        g = torch.randn(4, 3, dtype=torch.complex128, generator=torch.Generator().manual_seed(seed))
        params_of(complex_one)[0].grad, params_of(real_one)[0].grad = (
            g.conj(),
            torch.view_as_real(g.conj().resolve_conj()),
        )
        complex_one.step()
        real_one.step()
    assert torch.equal(torch.view_as_real(params_of(complex_one)[0]), params_of(real_one)[0])
    if cls in CODED:  # codes stand for real numbers, and so are in their shape
        (mine,), (wanted,) = complex_one.state.values(), real_one.state.values()
        coded = {key: value for key, value in mine.items() if not value.is_complex()}
        assert torch.uint8 in {value.dtype for value in coded.values()}
        assert equal(coded, {key: wanted[key] for key in coded})
        return
    for state in complex_one.state.values():
        assert all(value.is_complex() for value in state.values() if value.ndim)


@every
@pytest.mark.parametrize("layout", ["transposed", "sliced", "expanded", "channels_last"])
def test_gradients_of_any_layout_give_the_same_step(cls: type[Optimizer], layout: str) -> None:
    def shaped(g: Tensor) -> Tensor:
        match layout:
            case "transposed":
                return g.transpose(0, 1).contiguous().transpose(0, 1)
            case "sliced":
                return torch.stack([g, -g], -1)[..., 0]
            case "expanded":
                return g[:1].expand_as(g)
        return g.contiguous(memory_format=torch.channels_last)

    a, b = (cls([leaf(4, 3, 2, 5)]) for _ in range(2))
    for seed in range(3):
        g = shaped(leaf(4, 3, 2, 5, seed=seed).detach())
        params_of(a)[0].grad, params_of(b)[0].grad = g, g.contiguous().clone()
        a.step()
        b.step()
    few = 0 if cls.rule.elementwise else 16 * torch.finfo(torch.float32).eps  # type: ignore[attr-defined]  # of a sum
    torch.testing.assert_close(params_of(a)[0], params_of(b)[0], rtol=few, atol=few)


@every
def test_scalars_and_empty_tensors_are_parameters_too(cls: type[Optimizer]) -> None:
    optimizer = cls([leaf(), leaf(0), leaf(3, 0, 2)])
    step_with(optimizer, 0)
    step_with(optimizer, 1)
    assert all(torch.isfinite(p).all() for p in params_of(optimizer))
    assert not torch.equal(params_of(optimizer)[0], leaf())


@every
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_computes_in_float32_even_with_tiny_gradients(cls: type[Optimizer], dtype: torch.dtype) -> None:
    alike = ALIKE.get(cls.__name__, {})
    kept, stored, exact = torch.ones(5, dtype=dtype), torch.ones(5, dtype=dtype), torch.ones(5)
    optimizers = [
        cls([kept.requires_grad_()], **alike),
        cls([{"params": [stored.requires_grad_()], **wide(cls)}], **alike),
        cls([exact.requires_grad_()], **alike),
    ]
    for _ in range(3):
        for p, optimizer in zip((kept, stored, exact), optimizers, strict=True):
            p.grad = torch.full_like(kept, 1e-7).to(p.dtype)
            optimizer.step()
    assert kept.dtype == dtype
    assert torch.isfinite(kept).all()  # torch's loop squares in float16, where 1e-14 is 0
    torch.testing.assert_close(stored.float(), exact, rtol=0, atol=4 * torch.finfo(dtype).eps)


def test_none_is_the_machine_epsilon_of_each_parameter_s_dtype() -> None:
    dtypes = (torch.float32, torch.float64, torch.bfloat16)
    shared = [torch.full((2, 3), 0.5, dtype=dtype).requires_grad_() for dtype in dtypes]
    together = optim.Adafactor(shared)
    for p in shared:
        alone = p.detach().clone().requires_grad_()
        single = optim.Adafactor([alone], eps=(torch.finfo(p.dtype).eps, 1e-3))
        p.grad, alone.grad = (torch.full_like(p, 1e-9) for _ in range(2))
        single.step()
        before = p.detach().clone()
        together.step()
        p.grad = None
        assert torch.equal(p, alone)
        assert p.dtype == torch.bfloat16 or not torch.equal(p, before)


@every
def test_a_gradient_may_have_another_dtype_than_its_parameter(cls: type[Optimizer]) -> None:
    p, q = leaf(6), leaf(6)
    p.grad_dtype = torch.bfloat16
    a, b = cls([p]), cls([q])
    for seed in range(3):
        p.grad = leaf(6, seed=seed).detach().bfloat16()
        q.grad = p.grad.float()
        a.step()
        b.step()
    assert torch.equal(p, q)


@pytest.mark.parametrize("cls", [optim.SGD, optim.Adagrad])
@pytest.mark.parametrize("kwargs", [{}, {"momentum": 0.9}, {"maximize": True}], ids=str)
def test_sparse_gradients_give_torchs_result_where_torch_takes_them(
    cls: type[Optimizer], kwargs: dict[str, Any]
) -> None:
    if cls is optim.Adagrad and "momentum" in kwargs:
        return
    mine, theirs = (
        one([leaf(5, 2, dtype=torch.float64)], lr=0.1, **kwargs) for one in (cls, getattr(torch.optim, cls.__name__))
    )
    for seed in range(4):
        values = leaf(3, 2, dtype=torch.float64, seed=seed).detach()
        for one in (mine, theirs):
            params_of(one)[0].grad = sparse(values, 0, 3, 0)
            one.step()
    torch.testing.assert_close(params_of(mine)[0], params_of(theirs)[0], rtol=1e-14, atol=0)


@pytest.mark.parametrize(
    ("cls", "message"),
    [
        (optim.Adam, "Adam does not support sparse gradients, please consider SparseAdam instead"),
        (optim.AdamW, "Adam does not support sparse gradients, please consider SparseAdam instead"),
        (optim.RMSprop, "RMSprop does not support sparse gradients"),
        (optim.Lion, "Lion does not support sparse gradients"),
    ],
)
def test_sparse_gradients_are_refused_elsewhere(cls: type[Optimizer], message: str) -> None:
    optimizer = cls([leaf(5, 2)])
    params_of(optimizer)[0].grad = sparse(torch.ones(1, 2), 0)
    with pytest.raises(RuntimeError, match=f"^{message}$"):
        optimizer.step()
    assert not optimizer.state


@pytest.mark.parametrize("cls", [optim.SGD, optim.Adagrad])
def test_weight_decay_and_sparse_gradients_exclude_each_other_as_in_torch(cls: type[Optimizer]) -> None:
    for one in (cls, getattr(torch.optim, cls.__name__)):
        optimizer = one([leaf(5, 2)], weight_decay=0.1)
        params_of(optimizer)[0].grad = sparse(torch.ones(1, 2), 0)
        with pytest.raises(RuntimeError):
            optimizer.step()
        assert torch.equal(params_of(optimizer)[0], leaf(5, 2))


@every
def test_a_fresh_optimizer_makes_all_its_state_in_a_step_that_changes_nothing(cls: type[Optimizer]) -> None:
    """What torch.distributed.checkpoint does before it loads: gradients and rate of zero, `step(closure=None)`."""
    p = leaf(3)
    optimizer = cls([p], **buffered(cls))
    p.grad = torch.zeros(3)
    for group in optimizer.param_groups:
        group["lr"] = torch.tensor(0.0) if isinstance(group["lr"], Tensor) else 0.0
    optimizer.step(closure=None)
    assert torch.equal(p, leaf(3))
    trained = cls([leaf(3)], **buffered(cls))
    step_with(trained, 0)
    assert list(optimizer.state[p]) == list(next(iter(trained.state.values())))
    assert all(torch.isfinite(value).all() for value in optimizer.state[p].values())


@every
def test_parameters_that_cannot_be_updated_are_refused_at_construction(cls: type[Optimizer]) -> None:
    with pytest.raises(
        ValueError, match=rf"{cls.__name__} cannot update parameter 1 of group 0: its elements share memory"
    ):
        cls([leaf(2), torch.zeros(3, 1).expand(3, 4).requires_grad_()])
    optimizer = cls([leaf(2)])
    with pytest.raises(ValueError, match="cannot update parameter 0 of group 1"):
        optimizer.add_param_group({"params": [torch.zeros(3, dtype=torch.int32)]})
    assert len(optimizer.param_groups) == 1
    with pytest.raises(ValueError, match=rf"{cls.__name__} cannot update parameter 'x': its dtype is torch.int64"):
        cls([("x", torch.zeros(3, dtype=torch.int64))])
    strided = torch.zeros(4, 6)[:, ::2].t()
    cls([strided.requires_grad_(), torch.zeros(0, 3).expand(0, 3).requires_grad_()])


@every
def test_duplicate_parameters_warn_and_step_twice_as_in_torch(cls: type[Optimizer]) -> None:
    p = leaf(3)
    with pytest.warns(UserWarning, match="duplicate parameters"):
        twice = cls([p, p])
    once = cls([leaf(3)])
    p.grad = torch.ones(3)
    twice.step()
    for _ in range(2):
        params_of(once)[0].grad = torch.ones(3)
        once.step()
    if cls.rule.combine:  # type: ignore[attr-defined]  # to the norm of the model it counts twice
        return
    assert torch.equal(p, params_of(once)[0])


def test_a_gradient_or_state_of_another_shape_is_named() -> None:
    p = leaf(3)
    optimizer = optim.AdamW([("layer.weight", p)])
    step_with(optimizer, 0)
    optimizer.state[p]["exp_avg"] = torch.zeros(4)
    with pytest.raises(
        ValueError, match=r"^parameter 'layer.weight': the state 'exp_avg' is torch.float32 of shape \(4,\) on cpu"
    ):
        step_with(optimizer, 1)
    assert optimizer.state[p]["step"] == 1
    q = leaf(3)
    optimizer = optim.SGD([leaf(2), q])
    q.grad = torch.ones(3)
    q.data = torch.zeros(2, 2)
    with pytest.raises(
        ValueError, match=r"^parameter 1 of group 0: the gradient is torch.float32 of shape \(3,\) on cpu"
    ):
        optimizer.step()


# --- state


@every
def test_states_follow_the_parameter_and_the_default_dtype_of_the_count(cls: type[Optimizer]) -> None:
    p = leaf(2, 3, 4, 5).detach().contiguous(memory_format=torch.channels_last).requires_grad_()
    optimizer = cls([p], **buffered(cls))
    step_with(optimizer, 0)
    for key, value in optimizer.state[p].items():
        if key == "step":
            assert (value.dtype, value.shape, value.device.type) == (torch.float32, (), "cpu")
        elif not value.ndim:  # of the host, where Python computes in float64, or reduced from the parameter
            assert value.dtype in (torch.float64, p.dtype)
        else:
            assert value.dtype == p.dtype or cls in CODED
            assert value.shape != p.shape or value.stride() == p.stride()


@every
@pytest.mark.usefixtures("float64_by_default")
def test_the_count_has_the_default_dtype_if_that_is_float64(cls: type[Optimizer]) -> None:
    optimizer = cls([leaf(2)])
    step_with(optimizer, 0)
    assert all(s["step"].dtype == torch.float64 for s in optimizer.state.values() if "step" in s)


@every
def test_the_dtype_of_states_can_be_chosen_per_group(cls: type[Optimizer]) -> None:
    kwargs = buffered(cls)
    p = torch.ones(3, dtype=torch.bfloat16, requires_grad=True)
    optimizer = cls([{"params": [p], **wide(cls)}], **kwargs)
    step_with(optimizer, 0)
    assert cls in CODED or {value.dtype for value in optimizer.state[p].values() if value.ndim} == {torch.float32}


def test_adagrad_has_its_state_from_the_start() -> None:
    optimizer = optim.Adagrad([leaf(2)], initial_accumulator_value=0.5)
    assert optimizer.state[params_of(optimizer)[0]]["sum"].tolist() == [0.5, 0.5]
    assert_same_state(optimizer, torch.optim.Adagrad([leaf(2)], initial_accumulator_value=0.5))


# --- AMP, capture, the fused path


@pytest.mark.parametrize(
    ("cls", "fused"),
    [*((cls, None) for cls in CLASSES), *(pytest.param(cls, True, marks=needs.a_c_compiler) for cls in FUSED)],
)
def test_a_gradscaler_that_finds_infinities_leaves_all_as_it_was(cls: type[Optimizer], fused: bool | None) -> None:
    optimizer = cls([leaf(3)])
    step_with(optimizer, 0)
    optimizer.param_groups[0]["fused"] = fused
    assert getattr(optimizer, "_step_supports_amp_scaling", False) is bool(fused)
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
    before = copy.deepcopy((params_of(optimizer), optimizer.state_dict()["state"]))
    params_of(optimizer)[0].grad = torch.tensor([1.0, math.inf, 1.0])
    scaler.scale(torch.ones(()))
    scaler.step(optimizer)
    scaler.update()
    assert scaler.get_scale() == 2.0
    assert torch.equal(params_of(optimizer)[0], before[0][0])
    assert str(optimizer.state_dict()["state"]) == str(before[1])


@every
def test_a_step_unscales_where_it_says_that_it_does(cls: type[Optimizer]) -> None:
    a, b = cls([leaf(3)]), cls([leaf(3)])
    params_of(a)[0].grad, params_of(b)[0].grad = torch.full((3,), 8.0), torch.full((3,), 2.0)
    a.grad_scale, a.found_inf = torch.tensor(4.0), torch.tensor(0.0)  # type: ignore[attr-defined]
    a.step()
    b.step()
    assert torch.equal(params_of(a)[0], params_of(b)[0])


def test_capturable_on_the_cpu_is_refused_in_torchs_words() -> None:
    optimizer = optim.AdamW([leaf(3)], capturable=True)
    with pytest.raises(AssertionError, match="If capturable=True, params and state_steps must be on supported devices"):
        step_with(optimizer, 0)


def is_differentiable(cls: type[Optimizer]) -> bool:
    return "differentiable" in inspect.signature(cls).parameters


def test_a_class_differentiates_unless_it_mirrors_one_of_torch_that_does_not() -> None:
    """Muon, which takes more than torch's, does."""
    theirs = {cls: getattr(torch.optim, cls.__name__, None) for cls in CLASSES}
    lacking = {cls.__name__ for cls, other in theirs.items() if other and not is_differentiable(other)}
    assert lacking == {"Adafactor", "Muon"}
    assert {cls.__name__ for cls in CLASSES if not is_differentiable(cls)} == lacking - {"Muon"}


UNCODED = [cls for cls in CLASSES if is_differentiable(cls) and not stored_in(cls)]  # a code has no gradient


@pytest.mark.parametrize("cls", UNCODED, ids=lambda cls: cls.__name__)
def test_one_differentiable_step_passes_gradcheck(cls: type[Optimizer]) -> None:
    kwargs = buffered(cls)
    p, g = leaf(4, dtype=torch.float64), leaf(4, dtype=torch.float64, seed=1)
    lr = torch.tensor(0.1, dtype=torch.float64, requires_grad=True)
    model = cls([leaf(4, dtype=torch.float64)], **kwargs)
    step_with(model, 3)
    before = next(iter(model.state.values()))
    keys = [key for key, value in before.items() if value.ndim]
    scalars = {key: value for key, value in before.items() if key not in keys}
    states = [leaf(4, dtype=torch.float64, seed=2).detach().abs().add(0.5).requires_grad_() for _ in keys]

    def one_step(p: Tensor, g: Tensor, lr: Tensor, *states: Tensor) -> tuple[Tensor, ...]:
        p = p.clone()
        p.grad = g
        optimizer = cls([p], lr=lr, differentiable=True, **kwargs)
        kept = {**scalars, **dict(zip(keys, states, strict=True))}
        optimizer.state[p].update({key: kept[key].clone() for key in kept})
        optimizer.step()
        return (p, *(optimizer.state[p][key] for key in keys))

    assert torch.autograd.gradcheck(one_step, (p, g, lr, *states))


# --- the compiler, imports


@every
def test_a_compiled_step_is_one_graph_that_a_new_rate_does_not_compile_again(cls: type[Optimizer]) -> None:
    torch._dynamo.reset()
    counter = CompileCounter()
    mine, plain = (cls([leaf(3), leaf(2, seed=1)], lr=torch.tensor(0.1), **buffered(cls)) for _ in range(2))
    compiled = torch.compile(lambda: mine.step(), backend=counter, fullgraph=True)
    compilations = []
    for seed in range(5):
        for one in (mine, plain):
            one.param_groups[0]["lr"].mul_(0.5)
            give_gradients(one, seed)
        compiled()
        plain.step()
        compilations.append(counter.frame_count)
    assert compilations[1] <= 2  # once to create states, once without
    assert compilations[1:] == compilations[1:2] * 4
    for a, b in zip(params_of(mine), params_of(plain), strict=True):
        torch.testing.assert_close(a, b)


IMPORTED = """
import sys, optgen.optim, optgen.schedules
print([m for m in ("sympy", "jinja2", "triton") if m in sys.modules])
"""


def test_importing_the_classes_needs_neither_sympy_nor_jinja() -> None:
    done = subprocess.run([sys.executable, "-c", IMPORTED], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[]", done.stderr


COPIED = """
import sys, torch
from copied.adamw import AdamW
from copied.cosine import Cosine
p = torch.ones(2, requires_grad=True)
optimizer = AdamW([p])
scheduler = Cosine(optimizer, 3)
p.sum().backward()
optimizer.step()
scheduler.step()
assert (p < 1).all()
print([m for m in sys.modules if m.startswith("optgen")])
"""


def test_the_folder_works_where_it_is_copied_alone(tmp_path: Path) -> None:
    (tmp_path / "copied").mkdir()
    for file in Path(next(iter(generated.__path__))).glob("*.py"):
        (tmp_path / "copied" / file.name).write_text(file.read_text(encoding="utf-8"), encoding="utf-8")
    done = subprocess.run([sys.executable, "-c", COPIED], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.stdout.strip() == "[]", done.stderr


def test_no_warning_comes_from_ordinary_use() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for cls in CLASSES:
            step_with(cls([leaf(3)]), 0)
