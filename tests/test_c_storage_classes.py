"""Classes with storage formats on the CPU: their steps in C are those that they make eagerly, code by code."""

from __future__ import annotations

import copy
import math
import pickle
from typing import Any

import needs
import pytest
import torch
from c_steps import assert_agree, eagerly_stepped, set_grads, some, stepped, twin
from torch import Tensor
from torch.optim import Optimizer

from optgen import optim

pytestmark = needs.a_c_compiler
CLASSES = ("AdamW8bit", "Adam8bit", "Lion8bit", "AdamW4bit", "AdamWFp8")
SHAPES = ((300, 100), (70, 61), (4096,), (4095,), (7,), (), (0,), (2, 16, 257))
DTYPES = (torch.float32, torch.bfloat16, torch.float16, torch.float64)


def made(name: str, params: list[Tensor], fused: bool | None, **kwargs: Any) -> Optimizer:
    optimizer: Optimizer = getattr(optim, name)([{"params": params, "fused": fused}], lr=0.01, **kwargs)
    return optimizer


def check_state(param: Tensor, fused: dict[str, Any], eager: dict[str, Any]) -> None:
    """Numbers agree to a few units in the last place, codes but where a number lies between two of them."""
    assert fused.keys() == eager.keys()
    for key, value in fused.items():
        other = eager[key]
        assert (value.dtype, value.shape) == (other.dtype, other.shape), key
        if value.dtype is not torch.uint8:
            assert_agree(value, other, 16)
            continue
        is_packed = value.shape != param.shape
        pairs = [(value & 15, other & 15), (value >> 4, other >> 4)] if is_packed else [(value, other)]
        for found, wanted in pairs:
            apart = (found.int() - wanted.int()).abs()
            assert int(apart.max()) <= 1, key
            assert int(apart.sum()) <= 2 + value.numel() // 1000, key


def one_step_each(a: list[Tensor], x: Any, b: list[Tensor], y: Any, seed: int) -> None:
    """Both step once from where the eager one is."""
    with torch.no_grad():
        for p, q in zip(a, b, strict=True):
            p.copy_(q)
            for key, value in y.state[q].items():
                x.state[p][key].copy_(value) if key in x.state[p] else None
    for side in (a, b):
        set_grads(side, seed)
        for p in side:
            if p.numel() > 1:
                p.grad *= torch.logspace(-6, 0, p.numel(), dtype=torch.float64).reshape(p.shape)
    x.step()
    y.step()


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", CLASSES)
def test_a_class_steps_in_c_as_it_does_eagerly(name: str, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    a = some(*SHAPES, dtype=dtype)
    b = twin(a)
    x, y = made(name, a, True), made(name, b, False)
    calls = eagerly_stepped("optgen._generated.pytorch", monkeypatch)
    for step in range(3):
        one_step_each(a, x, b, y, step)
        for p, q in zip(a, b, strict=True):
            assert_agree(p, q, 16)
            check_state(p, x.state[p], y.state[q])
    assert len(calls) == 3 * len([q for q in b if q.numel()])  # the eager side alone


def test_small_parameters_keep_numbers_and_all_are_stepped_in_c(monkeypatch: pytest.MonkeyPatch) -> None:
    a = some((64, 64), (4095,))
    optimizer = made("AdamW8bit", a, None)
    calls = eagerly_stepped("optgen._generated.pytorch", monkeypatch)
    stepped(a, optimizer, 3)
    assert not calls
    assert [optimizer.state[p]["exp_avg"].dtype for p in a] == [torch.uint8, torch.float32]
    assert ["exp_avg_absmax" in optimizer.state[p] for p in a] == [True, False]
    assert [int(optimizer.state[p]["step"]) for p in a] == [3, 3]


def turned(x: Tensor) -> Tensor:
    return x.detach().t().contiguous().t().requires_grad_()


@pytest.mark.parametrize("name", ["AdamW8bit", "AdamW4bit"])
def test_parameters_may_lie_in_any_order(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    a = [turned(p) for p in some((80, 90), (129, 33))]
    b = twin(a)
    x, y = made(name, a, None), made(name, b, False)
    calls = eagerly_stepped("optgen._generated.pytorch", monkeypatch)
    for step in range(3):
        one_step_each(a, x, b, y, step)
        for p, q in zip(a, b, strict=True):
            assert_agree(p, q, 16)
            check_state(p, x.state[p], y.state[q])
    assert len(calls) == (6 if name == "AdamW8bit" else 12)  # two codes in a byte follow the indices


@pytest.mark.parametrize(("of_param", "of_grad"), [(torch.float32, torch.bfloat16), (torch.bfloat16, torch.float32)])
def test_gradients_may_have_another_dtype(of_param: torch.dtype, of_grad: torch.dtype) -> None:
    a = some((70, 61), dtype=of_param)
    b = twin(a)
    x, y = made("AdamW8bit", a, True), made("AdamW8bit", b, False)
    for side, optimizer in ((a, x), (b, y)):
        side[0].grad_dtype = of_grad
        side[0].grad = torch.randn((70, 61), generator=torch.Generator().manual_seed(1)).to(of_grad)
        optimizer.step()
    assert_agree(a[0], b[0], 16)
    check_state(a[0], x.state[a[0]], y.state[b[0]])


def test_copies_pickles_and_checkpoints_go_on_bit_for_bit() -> None:
    a = some((130, 70), (7,))
    optimizer = made("AdamW8bit", a, None)
    stepped(a, optimizer)
    others: list[Any] = [copy.deepcopy(optimizer), pickle.loads(pickle.dumps(optimizer))]
    fresh = twin(a)
    others.append(made("AdamW8bit", fresh, None))
    others[-1].load_state_dict(copy.deepcopy(optimizer.state_dict()))
    stepped(a, optimizer)
    for other in others:
        params = other.param_groups[0]["params"]
        stepped(params, other)
        for p, q in zip(a, params, strict=True):
            assert torch.equal(p, q)
            assert all(torch.equal(value, other.state[q][key]) for key, value in optimizer.state[p].items())


CHANGES: dict[str, Any] = {
    "codes moved": lambda o, p: o.state[p].update(exp_avg=o.state[p]["exp_avg"].clone()),
    "largest values replaced": lambda o, p: o.state[p].update(exp_avg_absmax=o.state[p]["exp_avg_absmax"] * 2),
    "codes transposed": lambda o, p: o.state[p].update(exp_avg=o.state[p]["exp_avg"].t().contiguous().t()),
    "a variant": lambda o, p: o.param_groups[0].update(amsgrad=True),
    "the parameter transposed": lambda o, p: setattr(p, "data", p.data.t().contiguous().t()),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_changes_between_two_steps_is_seen(change: str) -> None:
    a = some((80, 90))
    b = twin(a)
    x, y = made("AdamW8bit", a, True), made("AdamW8bit", b, False)
    stepped(a, x, 2)
    stepped(b, y, 2)
    for side, optimizer in ((a, x), (b, y)):
        CHANGES[change](optimizer, side[0])
    for step in range(2):
        one_step_each(a, x, b, y, step)
        assert_agree(a[0], b[0], 16)
        check_state(a[0], x.state[a[0]], y.state[b[0]])


def test_an_infinite_gradient_poisons_its_block_as_it_does_eagerly() -> None:
    a = some((70, 61))
    b = twin(a)
    x, y = made("AdamW8bit", a, True), made("AdamW8bit", b, False)
    for step, bad in enumerate((1.0, math.inf, 1.0)):
        one_step_each(a, x, b, y, step)
        for side, optimizer in ((a, x), (b, y)):
            set_grads(side, 10 + step)
            side[0].grad[5, 5] *= bad
            optimizer.step()
        assert torch.equal(a[0].isnan(), b[0].isnan())
    assert 0 < int(a[0].isnan().sum()) <= 256
    assert all(torch.equal(x.state[a[0]][key], y.state[b[0]][key]) for key in ("exp_avg", "exp_avg_sq"))


def test_a_step_allocates_nothing_of_a_parameters_size() -> None:
    a = some((1024, 1024))
    optimizer = made("AdamW8bit", a, True)
    stepped(a, optimizer)
    with torch.profiler.profile(profile_memory=True) as profile:
        optimizer.step()
    assert max((abs(event.cpu_memory_usage) for event in profile.events()), default=0) < 4096
