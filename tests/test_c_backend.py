"""The C backend: its numbers, layouts and dtypes, how a step is repeated, and what it costs in memory."""

from __future__ import annotations

import copy
import gc
import itertools
import math
import pickle
import weakref
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import needs
import numpy as np
import pytest
import torch
from c_steps import assert_agree, eagerly_stepped, set_grads, some, stepped, twin
from torch import Tensor
from torch.optim import Optimizer

from optgen import Eq, Piecewise, Rule, flag, hyper, optim, sqrt, t, tensors, verify
from optgen._generated.c_cpu import _reading, _runtime, _tables
from optgen._generated.pytorch import _fused
from optgen.build import build, compile, write
from optgen.dsl.load import load
from optgen.errors import RuleError
from optgen.verify import cases, passed, verify_rule

CASES: dict[str, list[dict[str, Any]]] = {
    "SGD": [{}, {"momentum": 0.9, "dampening": 0.3, "weight_decay": 0.1}, {"momentum": 0.9, "nesterov": True}],
    "Adam": [{"amsgrad": True, "weight_decay": 0.1}],
    "AdamW": [{}, {"maximize": True}],
    "Lion": [{"weight_decay": 0.1}],
    "RMSprop": [{"momentum": 0.9, "centered": True}],
    "Adagrad": [{"lr_decay": 0.1, "initial_accumulator_value": 0.2}],
    "NAdam": [{"weight_decay": 0.1}],
    "RAdam": [{"decoupled_weight_decay": True, "weight_decay": 0.1}],
    "Adamax": [{}],
    "Adadelta": [{"weight_decay": 0.1}],
    "ASGD": [{"t0": 1.0, "weight_decay": 0.1}],
    "Rprop": [{}],
    "Adan": [{}],
    "ADOPT": [{}],
    "AdEMAMix": [{}],
    "Signum": [{}],
    "Tiger": [{}],
}
EVERY = [(name, kwargs) for name, cases in CASES.items() for kwargs in cases]
DTYPES = (torch.float32, torch.float64, torch.bfloat16, torch.float16)

pytestmark = needs.a_c_compiler
every = pytest.mark.parametrize(("name", "kwargs"), EVERY, ids=[f"{name} {kwargs}" for name, kwargs in EVERY])


@pytest.fixture(params=[1, 2])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    """A number of threads, told to torch."""
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def made(name: str, params: list[Tensor], kwargs: dict[str, Any], fused: bool | None) -> Optimizer:
    """An optimizer of which some classes take `fused` in their groups only."""
    optimizer: Optimizer = getattr(optim, name)([{"params": params, "fused": fused}], **kwargs)
    return optimizer


@every
def test_every_variant_steps_as_the_eager_class_does(
    name: str, kwargs: dict[str, Any], threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    a = some((300, 100), (7,), (), (0,), (129,))
    b = twin(a)
    x, y = made(name, a, kwargs, True), made(name, b, kwargs, False)
    stepped(b, y)
    calls = eagerly_stepped("optgen._generated.pytorch", monkeypatch)
    stepped(a, x)
    assert not calls
    for p, q in zip(a, b, strict=True):
        assert_agree(p, q)
        assert x.state[p].keys() == y.state[q].keys()
        for key, value in x.state[p].items():
            assert_agree(value, y.state[q][key])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@every
def test_every_bit_is_that_of_the_numpy_backend(name: str, kwargs: dict[str, Any], dtype: torch.dtype) -> None:
    a = some((90, 70), (5,), (), dtype=dtype)
    module = import_module(f"optgen._generated.numpy_ref.{name.lower()}")
    hypers = {key: value for key, value in kwargs.items() if key != "maximize"}
    values = [p.detach().numpy().copy() for p in a]
    state = module.init(values, **hypers)
    optimizer = made(name, a, kwargs, True)
    for step in range(1, 4):
        set_grads(a, step)
        optimizer.step()
        sign = -1 if kwargs.get("maximize") else 1
        values, state = module.step(values, [sign * p.grad.numpy() for p in a], state, step, **hypers)
    for p, value, kept in zip(a, values, state, strict=True):
        assert np.array_equal(p.detach().numpy(), value)
        for key, array in kept.items():
            assert np.array_equal(optimizer.state[p][key].numpy(), array), key


def check_mix(param: torch.dtype, grad: torch.dtype, state: torch.dtype) -> None:
    a = some((67,), (8, 9), dtype=param)
    b = twin(a)
    x, y = (made("Adam", side, {"amsgrad": True}, fused) for side, fused in ((a, True), (b, False)))
    for optimizer in (x, y):
        optimizer.param_groups[0]["state_dtype"] = state
    for step in range(3):
        for side in (a, b):
            make = torch.Generator().manual_seed(step)
            for p in side:
                p.grad = None
                p.grad_dtype = grad
                p.grad = torch.randn(p.shape, generator=make).to(grad)
        x.step()
        y.step()
    for p, q in zip(a, b, strict=True):
        assert x.state[p]["exp_avg"].dtype is state
        assert_agree(p, q, 2)
        for key in ("exp_avg", "exp_avg_sq", "max_exp_avg_sq"):
            assert_agree(x.state[p][key], y.state[q][key], 2)


MIXES = [*itertools.product(DTYPES, DTYPES, DTYPES)]


@pytest.mark.parametrize("mix", [m for k, m in enumerate(MIXES) if k % 5 == 0], ids=str)
def test_dtypes_of_parameter_gradient_and_state_mix(mix: tuple[torch.dtype, ...]) -> None:
    check_mix(*mix)


@pytest.mark.slow
@pytest.mark.parametrize("mix", [m for k, m in enumerate(MIXES) if k % 5], ids=str)
def test_all_other_mixes_of_dtypes(mix: tuple[torch.dtype, ...]) -> None:
    check_mix(*mix)


LAYOUTS: dict[str, Callable[[Tensor], Tensor]] = {
    "plain": lambda x: x,
    "transposed": lambda x: x.transpose(-1, -2).contiguous().transpose(-1, -2),
    "channels_last": lambda x: x.contiguous(memory_format=torch.channels_last),
    "outermost last": lambda x: x.movedim(0, -1).contiguous().movedim(-1, 0),
    "slice": lambda x: torch.stack([x, x + 1], -1)[..., 0],
    "padded": lambda x: torch.nn.functional.pad(x, (2, 3))[..., 2:-3],
    "flipped in memory": lambda x: x.permute(3, 2, 1, 0).contiguous().permute(3, 2, 1, 0),
}


@pytest.mark.parametrize(("of_param", "of_grad", "of_state"), [*itertools.product(LAYOUTS, repeat=3)][::3])
def test_strides_of_parameter_gradient_and_state_may_differ(of_param: str, of_grad: str, of_state: str) -> None:
    make = torch.Generator().manual_seed(0)
    value, grad = (torch.randn(6, 5, 4, 7, generator=make) for _ in range(2))
    a, b = LAYOUTS[of_param](value).detach().requires_grad_(), value.clone().requires_grad_()
    x, y = made("AdamW", [a], {}, True), made("AdamW", [b], {}, False)
    for step in range(3):
        a.grad, b.grad = LAYOUTS[of_grad](grad * (step + 1)), grad * (step + 1)
        x.step()
        y.step()
        for key in ("exp_avg", "exp_avg_sq"):
            x.state[a][key] = LAYOUTS[of_state](x.state[a][key])
    assert_agree(a, b)


def test_expanded_gradients_and_those_of_a_length_that_blocks_do_not_divide() -> None:
    a, b = some((2500, 3)), some((2500, 3))
    x, y = made("AdamW", a, {}, True), made("AdamW", b, {}, False)
    for step in range(3):
        row = torch.randn(3, generator=torch.Generator().manual_seed(step))
        a[0].grad, b[0].grad = row.expand(2500, 3), row.expand(2500, 3).contiguous()
        x.step()
        y.step()
    assert_agree(a[0], b[0])


def test_half_precision_numbers_are_read_and_rounded_as_torch_does() -> None:
    """Every fp16 and bf16 is read; every fp32 near a border of rounding, and the special ones, is written."""
    patterns = torch.arange(-(2**15), 2**15, dtype=torch.int32).to(torch.int16)
    around = torch.arange(-(2**15), 2**15, dtype=torch.int32) << 16
    lows = [0, 1, 0x0FFF, 0x1000, 0x1001, 0x2FFF, 0x3000, 0x3001, 0x7FFF, 0x8000, 0x8001, 0xFFFF]
    wide = torch.cat([(around + low).view(torch.float32) for low in lows])
    for dtype in (torch.float16, torch.bfloat16):
        narrow = patterns.view(dtype)
        for source, into in ((narrow, torch.float32), (wide, dtype)):
            # SGD without momentum from 0 with lr = -1 stores the gradient
            p = torch.zeros(source.shape, dtype=into, requires_grad=True)
            p.grad_dtype = source.dtype
            p.grad = source.clone()
            made("SGD", [p], {"lr": 1.0, "maximize": True}, True).step()
            wanted = source.to(into) + 0.0
            nan = wanted.isnan()
            assert torch.equal(p.isnan(), nan)
            assert torch.equal(p.detach()[~nan], wanted[~nan])


def test_the_step_of_a_group_is_repeated_without_looking_at_each_parameter() -> None:
    a = some(*[(5,)] * 20)
    optimizer: Any = made("AdamW", a, {}, None)
    stepped(a, optimizer, 1)
    last = optimizer._last
    assert last is not None
    seen: list[int] = []
    optimizer._found = lambda *rest: seen.append(1) or iter(())
    stepped(a, optimizer, 3)
    assert optimizer._last is last
    assert not seen
    assert all(int(optimizer.state[p]["step"]) == 4 for p in a)


CHANGES: dict[str, Callable[[Any, list[Tensor]], None]] = {
    "a learning rate": lambda o, a: o.param_groups[0].update(lr=0.3),
    "a tensor as learning rate": lambda o, a: o.param_groups[0].update(lr=torch.tensor(0.2)),
    "weight decay": lambda o, a: o.param_groups[0].update(weight_decay=0.4),
    "a variant": lambda o, a: o.param_groups[0].update(amsgrad=True),
    "maximize": lambda o, a: o.param_groups[0].update(maximize=True),
    "a gradient that is missing": lambda o, a: setattr(a[1], "grad", None),
    "a parameter moved": lambda o, a: setattr(a[0], "data", a[0].data.clone()),
    "a parameter transposed": lambda o, a: setattr(a[0], "data", a[0].data.t().contiguous().t()),
    "a state replaced": lambda o, a: o.state[a[0]].update(exp_avg=torch.ones_like(a[0])),
    "a state moved": lambda o, a: o.state[a[0]]["exp_avg"].share_memory_(),
    "a step count": lambda o, a: o.state[a[0]]["step"].fill_(40),
    "a step count of whole numbers": lambda o, a: o.state[a[0]].update(step=torch.tensor(7)),
    "an entry of the state": lambda o, a: o.state.update({a[0]: copy.deepcopy(dict(o.state[a[0]]))}),
    "a gradient transposed": lambda o, a: setattr(a[0], "grad", a[0].grad.t().contiguous().t()),
    "a gradient negated when it is read": lambda o, a: setattr(a[0], "grad", torch._neg_view(a[0].grad)),
    "a new group": lambda o, a: o.add_param_group({"params": [a[3]]}),
    "a checkpoint": lambda o, a: o.load_state_dict(copy.deepcopy(o.state_dict())),
    "an option": lambda o, a: o.param_groups[0].update(foreach=True, fused=None),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_changes_between_two_steps_is_seen(change: str) -> None:
    a = some((6, 4), (9,), (4,), (2,))
    b = twin(a)
    x, y = made("AdamW", a[:3], {"lr": 0.1}, True), made("AdamW", b[:3], {"lr": 0.1}, False)
    for optimizer, side in ((x, a), (y, b)):
        stepped(side, optimizer, 3)
        set_grads(side, 50)
        CHANGES[change](optimizer, side)
        optimizer.step()
        stepped(side, optimizer, 2)
    for p, q in zip(a, b, strict=True):
        assert_agree(p, q, 16)
        assert x.state[p].keys() == y.state[q].keys()
        for key, value in x.state[p].items():
            assert_agree(value.double(), y.state[q][key].double(), 2**30)


HOST_CHANGES: dict[str, Callable[[Any, list[Tensor]], None]] = {
    "nothing": lambda o, a: None,
    "one host state": lambda o, a: o.state[a[1]]["mu_product"].fill_(0.5),
    "the first host state": lambda o, a: o.state[a[0]]["mu_product"].fill_(0.5),
    "a host state replaced": lambda o, a: o.state[a[1]].update(mu_product=torch.tensor(0.25, dtype=torch.float64)),
    "a host state removed": lambda o, a: o.state[a[1]].pop("mu_product"),
    "the first step count": lambda o, a: o.state[a[0]]["step"].fill_(40),
    "another step count": lambda o, a: o.state[a[2]]["step"].fill_(40),
    "an infinity": lambda o, a: vars(o).update(found_inf=torch.ones(()), grad_scale=torch.tensor(2.0)),
}


@pytest.mark.parametrize("change", HOST_CHANGES)
def test_states_on_the_host_pass_from_step_to_step(change: str) -> None:
    a = some((6, 4), (9,), (4,))
    b = twin(a)
    x, y = made("NAdam", a, {}, True), made("NAdam", b, {}, False)
    for optimizer, side in ((x, a), (y, b)):
        stepped(side, optimizer, 3)
        assert bool(optimizer._last) is (side is a)
        HOST_CHANGES[change](optimizer, side)
        set_grads(side, 50)
        optimizer.step()
        vars(optimizer).pop("found_inf", None), vars(optimizer).pop("grad_scale", None)
        stepped(side, optimizer, 2)
    for p, q in zip(a, b, strict=True):
        assert_agree(p, q, 16)
        assert {key: v.item() for key, v in x.state[p].items() if not v.dim()} == {
            key: v.item() for key, v in y.state[q].items() if not v.dim()
        }


def test_known_tensors_are_told_from_others() -> None:
    a = [torch.randn(3, 4), torch.randn(5).requires_grad_(), torch.zeros(())]
    known = _reading.Known(a, keep=True)
    assert known.are_as_before([*a])
    assert [*known.addresses] == [x.data_ptr() for x in a]
    alias = a[0].detach()
    assert not known.are_as_before([alias, *a[1:]])
    assert known.are_alike([alias, *a[1:]])
    assert not known.are_as_before(a[:2])
    a[1].data = a[1].data.clone()
    assert not known.are_as_before(a)


@pytest.mark.parametrize("move", [
    lambda x: setattr(x, "data", x.data.clone()), lambda x: x.set_(torch.zeros(3, 4)),
    lambda x: x.share_memory_(), lambda x: torch.utils.swap_tensors(x, torch.zeros_like(x)),
    lambda x: x.untyped_storage().resize_(0),
], ids=["data", "set_", "shared", "swapped", "freed"])  # fmt: skip
@pytest.mark.parametrize("fast", [True, False])
def test_a_known_tensor_that_moves_is_seen(
    move: Callable[[Tensor], Any], fast: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    _reading._reader.cache_clear()
    if not fast:
        monkeypatch.setattr(_reading, "_inner", lambda: None)
    else:
        assert _reading._inner() is not None
        assert _reading._torch_function("aoti_torch_get_data_ptr") is not None
    a = [torch.zeros(0), torch.randn(3, 4), torch.nn.Parameter(torch.randn(5))]
    known = _reading.Known(a, keep=True)
    assert known.are_as_before([*a])
    kept = torch.empty(3, 4)  # what is freed must not come back at its place
    move(a[1])
    assert not known.are_as_before([*a]), kept
    _reading._reader.cache_clear()


@pytest.mark.parametrize("other", [
    torch.zeros(4, 3), torch.zeros(4, 3).t(), torch.zeros(3, 4, 1), torch.zeros(3, 4).bfloat16(),
    torch.zeros(3, 4, device="meta"), torch.zeros(3, 4).to_sparse(), torch.zeros(12),
    torch.zeros(49, dtype=torch.uint8)[1:].view(torch.uint8),
], ids=str)  # fmt: skip
def test_tensors_of_another_kind_are_seen(other: Tensor) -> None:
    known = _reading.Known([torch.zeros(3, 4)], keep=False)
    assert known.are_alike([torch.ones(3, 4)])
    assert not known.are_alike([other])
    assert known.are_alike([torch.ones(3, 4)])


def test_where_nothing_reads_tensors_a_step_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_reading, "_reader", lambda: None)
    a, b = some((6, 4), (9,)), some((6, 4), (9,))
    x, y = made("AdamW", a, {}, True), made("AdamW", b, {}, False)
    for _ in range(2):
        stepped(a, x, 2)
        stepped(b, y, 2)
    for p, q in zip(a, b, strict=True):
        assert_agree(p, q, 16)


def test_hyperparameters_that_change_in_themselves_are_read_at_every_step() -> None:
    a, b = some((6, 4)), some((6, 4))
    rate, betas = torch.tensor(0.1), [0.9, 0.99]
    x, y = made("AdamW", a, {}, True), made("AdamW", b, {}, False)
    for step in range(6):
        rate.fill_(0.1 / (step + 1))
        betas[0] = 0.9 - 0.1 * step
        for optimizer, side in ((x, a), (y, b)):
            optimizer.param_groups[0].update(lr=rate, betas=betas)
            stepped(side, optimizer, 1)
    assert x._last
    assert_agree(a[0], b[0], 16)
    x.param_groups[0]["lr"] = -1.0
    with pytest.raises(ValueError, match=r"Invalid learning rate: -1\.0"):
        x.step()


def test_parameters_that_start_late_keep_their_own_count() -> None:
    a = some((6,), (4,))
    b = twin(a)
    x, y = made("AdamW", a, {}, True), made("AdamW", b, {}, False)
    for step in range(6):
        for side, optimizer in ((a, x), (b, y)):
            set_grads(side, step)
            if step in (0, 3):
                side[1].grad = None
            optimizer.step()
    assert [int(x.state[p]["step"]) for p in a] == [6, 4]
    for p, q in zip(a, b, strict=True):
        assert_agree(p, q)


@pytest.mark.parametrize("name", CASES)
def test_a_parameter_listed_twice_or_tied_is_stepped_in_turn(name: str) -> None:
    sides = []
    for fused in (True, False):
        (p,) = some((50,))
        alias = p.detach()[10:40].requires_grad_()
        with pytest.warns(UserWarning, match="duplicate"):
            optimizer = made(name, [p, p, alias], {}, fused)
        for step in range(3):
            set_grads([p, alias], step)
            optimizer.step()
        sides.append(p)
    assert_agree(*sides)


@pytest.mark.parametrize("scale", [1.0, 1024.0])
def test_amp_scales_in_the_kernel_and_leaves_all_as_it_was_on_inf(scale: float) -> None:
    a = some((40, 50), (3,))
    b = twin(a)
    x, y = made("AdamW", a, {}, True), made("AdamW", b, {}, False)
    stepped(a, x, 2)
    stepped(b, y, 2)
    assert x._step_supports_amp_scaling  # type: ignore[attr-defined]
    scaler = torch.amp.GradScaler("cpu", init_scale=scale)
    for infinite in (False, True, False):
        for side, optimizer in ((a, x), (b, y)):
            set_grads(side, 5)
            if side is a:
                scaler.scale(torch.ones(()))
                for p in side:
                    p.grad *= scaler.get_scale()
                if infinite:
                    side[1].grad[1] = math.inf
                before = [p.grad.clone() for p in side]
                scaler.step(optimizer)
                assert all(torch.equal(p.grad, old) for p, old in zip(side, before, strict=True))
                scaler.update()
            elif not infinite:
                optimizer.step()
    assert [int(x.state[p]["step"]) for p in a] == [4, 4]
    for p, q in zip(a, b, strict=True):
        assert_agree(p, q)


def test_found_inf_is_heeded_by_the_call_itself() -> None:
    module = import_module("optgen._generated.c_cpu.sgd")
    p, g = torch.ones(5), torch.ones(5)
    launcher, flags = module.launcher(), module.flags(momentum=0.0, weight_decay=0.0, nesterov=False)
    given = ([p], [g], [None], [0], [{"lr": 0.5}], flags)
    assert launcher.step(*given, found_inf=torch.ones(())) is None
    assert torch.equal(p, torch.ones(5))
    assert launcher.step(*given, found_inf=torch.zeros(()), grad_scale=torch.tensor(2.0)) == []
    assert torch.equal(p, torch.full((5,), 0.75))
    with pytest.raises(ValueError, match="float32 scalars on the CPU"):
        launcher.step(*given, found_inf=torch.zeros((), dtype=torch.float64))


def test_what_a_call_cannot_take_is_stepped_eagerly() -> None:
    class Mine(Tensor):
        pass

    def sides() -> list[Tensor]:
        return [torch.arange(1.0, 7.0).reshape(2, 3)[:, ::2].requires_grad_(),
                torch.ones(4).as_subclass(Mine).requires_grad_(), *some((5,))]

    a, b = sides(), sides()
    x, y = made("AdamW", a, {}, True), made("AdamW", b, {}, False)
    stepped(a, x)
    stepped(b, y)
    for p, q in zip(a, b, strict=True):
        assert_agree(p.as_subclass(Tensor), q.as_subclass(Tensor))


def test_a_gradient_at_an_odd_address_is_no_matter() -> None:
    raw = torch.zeros(41, dtype=torch.uint8)
    odd = torch.frombuffer(memoryview(raw.numpy())[1:], dtype=torch.float32)
    assert odd.data_ptr() % 4
    odd.copy_(torch.arange(10.0))
    a, b = some((10,)), some((10,))
    x, y = made("AdamW", a, {}, True), made("AdamW", b, {}, False)
    stepped(a, x)
    stepped(b, y)
    a[0].grad, b[0].grad = odd, torch.arange(10.0)
    x.step()
    y.step()
    assert_agree(a[0], b[0])


def test_autograd_learns_that_a_parameter_was_overwritten() -> None:
    (p,) = some((3,))
    saved = (p * p).sum()
    optimizer = made("AdamW", [p], {}, True)
    stepped([p], optimizer, 1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        saved.backward()


def test_copies_and_pickles_continue_bit_for_bit() -> None:
    a = some((30, 3), (7,))
    optimizer = made("AdamW", a, {}, None)
    stepped(a, optimizer)
    others = [copy.deepcopy(optimizer), pickle.loads(pickle.dumps(optimizer))]
    stepped(a, optimizer)
    for other in others:
        params = other.param_groups[0]["params"]
        stepped(params, other)
        assert all(torch.equal(p, q) for p, q in zip(a, params, strict=True))


def test_the_same_threads_give_the_same_bits_and_so_do_others() -> None:
    results = []
    before = torch.get_num_threads()
    for threads in (1, 2, 2, 3):
        torch.set_num_threads(threads)
        a = some((301, 307), (99,), (64, 65))
        stepped(a, made("AdamW", a, {}, True))
        results.append(a)
    torch.set_num_threads(before)
    for other in results[1:]:
        assert all(torch.equal(p, q) for p, q in zip(results[0], other, strict=True))


def test_a_step_runs_on_as_many_threads_as_torch_says(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    groups: list[int] = []
    own = _tables.Bucket.step

    def told(bucket: Any, *rest: Any) -> int:
        done = own(bucket, *rest)
        groups.append(bucket.group.threads)
        return done

    monkeypatch.setattr(_tables.Bucket, "step", told)
    a = some((300, 300))
    stepped(a, made("AdamW", a, {}, True))
    assert groups == [threads] * 3


def test_a_change_of_torchs_threads_between_two_steps_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    own = _tables.Bucket.step
    seen: list[int] = []

    def told(bucket: Any, *rest: Any) -> int:
        done = own(bucket, *rest)
        seen.append(bucket.group.threads)
        return done

    monkeypatch.setattr(_tables.Bucket, "step", told)
    a, b = some((301, 307)), some((301, 307))
    before = torch.get_num_threads()
    changing, steady = made("AdamW", a, {}, True), made("AdamW", b, {}, True)
    for threads in (3, 1, 2):
        torch.set_num_threads(threads)
        stepped(a, changing, 1)
    torch.set_num_threads(before)
    assert seen == [3, 1, 2]
    for _ in range(3):
        stepped(b, steady, 1)
    assert torch.equal(a[0], b[0])


def test_a_step_keeps_no_gradient_alive_and_allocates_nothing_of_a_parameters_size() -> None:
    a = some((1024, 1024), (1024, 1024))
    optimizer = made("AdamW", a, {}, True)
    stepped(a, optimizer)
    gone = [weakref.ref(p.grad) for p in a]
    set_grads(a, 1)
    gc.collect()
    assert [ref() for ref in gone] == [None, None]
    with torch.profiler.profile(profile_memory=True) as profile:
        optimizer.step()
    assert max((abs(event.cpu_memory_usage) for event in profile.events()), default=0) < 4096


def test_a_rule_of_several_passes_is_refused_by_name_and_so_is_a_name_of_the_kernels_own() -> None:
    from_ten = build_error("adamw_like", "count")
    assert "the name 'count' is one that the generated kernel uses itself" in from_ten
    assert "the name 'block' is one that the generated kernel uses itself" in build_error("adamw_like", "g", "block")


def build_error(name: str, gradient: str, switch: str = "bright") -> str:
    theta, g, m = tensors(f"theta {gradient} m")
    lr, on = hyper("lr", 0.1), flag(switch, False)
    rule = Rule(param=theta, grad=g, name=name.title().replace("_", ""), equations=[
        Eq(m[t], m[t - 1] + Piecewise((g[t], on), (2 * g[t], True))),
        Eq(theta[t], theta[t - 1] - lr * m[t] / (sqrt(m[t] ** 2) + 1))])
    with pytest.raises(RuleError) as raised:
        build([rule], ["c"])
    return str(raised.value)


@pytest.mark.parametrize("layout", ["plain", "transposed"])
def test_verify_compares_the_calls_themselves_with_the_equations(layout: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = [s for s in cases.SHAPES if s.layout == layout and s.name not in ("large", "extreme", "3-d", "wide")]
    monkeypatch.setattr(cases, "SHAPES", tuple(kept))
    monkeypatch.setitem(verify.STORAGES, "c", verify.NARROW)
    rows = verify_rule(load("sgd"), {"c": compile("sgd", "torch")})
    assert passed(rows)
    assert {row.reason for row in rows} == {""}


@pytest.mark.parametrize(("old", "new"), [("g + weight_decay", "g - weight_decay"), ("lr * d", "d"),
                                          ("momentum * b_prev", "b_prev"), ("factor * load", "load"),
                                          ("first ? g_wd", "first ? g")])
def test_verify_sees_a_step_in_c_that_is_wrong(
    old: str, new: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = build([load("sgd")], ["torch", "c"]).files
    assert old in files["c_cpu/sgd.c"]
    package = f"wrong_{abs(hash((old, new)))}"
    write({**files, "c_cpu/sgd.c": files["c_cpu/sgd.c"].replace(old, new)}, tmp_path / package)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(cases, "SHAPES", tuple(s for s in cases.SHAPES if s.name == "several"))
    monkeypatch.setitem(verify.STORAGES, "c", verify.NARROW[:1])
    module = import_module(f"{package}.pytorch.sgd")
    a = some((40,))
    scaled = module.SGD([{"params": a, "fused": True}], lr=1.0)
    a[0].grad, scaled.grad_scale = torch.ones(40), torch.tensor(2.0)
    start = a[0].detach().clone()
    scaled.step()
    rows = verify_rule(load("sgd"), {"c": module})
    assert not passed(rows) or not torch.equal(a[0], start - 0.5)


def test_verify_skips_with_a_reason_where_nothing_can_be_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "no-such-compiler")
    rows = verify_rule(load("adagrad"), {"c": compile("adagrad", "torch")})
    assert not passed(rows)
    assert [row.verdict.value for row in rows] == ["skipped"]
    assert "there is no C compiler (CC is no-such-compiler)" in rows[0].reason


def test_nothing_warns_where_all_is_there(recwarn: pytest.WarningsRecorder) -> None:
    a = some((20, 20))
    stepped(a, made("Lion", a, {}, None))
    assert not [w for w in recwarn if "fused" in str(w.message)]
    assert _runtime.supports(a[0], torch.ones(20, 20), []) == ""
    assert _fused.reads(torch.ones(()), torch.device("cpu"))
