"""Kernels of rules that store in formats: bit by bit what NumPy stores, in whatever way tensors lie in memory."""

from __future__ import annotations

import copy
import math
import sys
from collections.abc import Callable
from functools import cache, partialmethod
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
import triton
import triton.language as tl
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parents[1]))

from c_codes import BY_ROWS, FLAT, by_rows, of_model, of_tensor, summed_last
from c_steps import assert_agree, eagerly_stepped, set_grads, some, stepped, twin

import optgen
from optgen import compile, load, stored
from optgen.bounds import BF16, FP16, FP32, FP64
from optgen.dsl import Rule, literal
from optgen.verify import cases
from optgen.verify.lockstep import FEW, run
from optgen.verify.runners import Storage, TorchRunner, numpy_runner, torch_runner
from optgen.verify.storage import decoder

CODES = import_module(f"{compile('adamw8bit', 'triton').__package__}._codes")
FORMATS = {
    "int8": {"states": "int8"},
    "int4": {"states": "int4"},
    "fp8_e4m3": {"states": "fp8_e4m3"},
    "root8": {"states": "root8"},
    "mixed": {"m": "int4", "v": "bf16"},
    "plain": {"m": "fp16", "v": "fp32"},
}
HELD = {  # of parameters beside states, each at least once
    f"{form}, {states}": {**FORMATS[states], "param": form}
    for form, states in (("bf16_sr", "int8"), ("bf16_kahan", "fp8_e4m3"), ("bf16_split8", "root8"), ("master", "int4"),
                         ("bf16_split16", "mixed"), ("bf16_sr", "plain"))
}
SUMMED: dict[str, tuple[Callable[[], Rule], dict[str, str]]] = {  # of parameters in rules that look at whole tensors
    f"{form}, {make.__name__}, {states}": (make, {**FORMATS.get(states, {}), "param": form})
    for form, make, states in (("bf16_sr", of_tensor, "int8"), ("bf16_kahan", of_model, "fp32"),
                               ("bf16_split8", of_tensor, "int4"), ("bf16_split16", of_model, "fp8_e4m3"),
                               ("master", of_tensor, "fp32"))
}
TILED: dict[str, tuple[Callable[[], Rule], dict[str, str]]] = {  # and in rules that look at rows and columns
    f"{form}, {make.__name__}, {states}": (make, {**FORMATS.get(states, {}), "param": form})
    for form, make, states in (("bf16_sr", by_rows, "root8"), ("bf16_split8", summed_last, "int4"))
}
BRAIN = Storage(BF16, FP32)
MIXES = (Storage(FP32, FP32), Storage(FP64, FP64), Storage(BF16, FP32), Storage(FP16, FP16))
SHAPES = cases.Shapes("blocks", ((1025,), (3, 171), (), (127,)))  # whole blocks and a rest; a rest alone
MATRICES = cases.Shapes(  # blocks end where rows do, or not; a span begins in the middle of a row; a whole tile
    "matrices", ((5, 260), (20, 61), (2, 4, 64), (1, 256), (70, 1), (9, 512))
)
every = pytest.mark.parametrize("name", FORMATS)


def coded(name: str) -> Rule:
    """AdamW with its states in formats, from 100 elements on, or its parameters too; or what looks at whole tensors."""
    if name in FLAT | BY_ROWS:
        with literal():
            return (FLAT | BY_ROWS)[name][1]()
    if name in SUMMED | TILED:
        make, formats = (SUMMED | TILED)[name]
        with literal():
            return stored(make(), name="Coded", min_numel=100, **formats)
    rule = load("adamw")
    assert isinstance(rule, Rule)
    return stored(rule, name="Coded", min_numel=100, **(FORMATS | HELD)[name])


@cache
def modules(name: str) -> dict[str, ModuleType]:
    return {backend: compile(coded(name), backend) for backend in ("numpy", "torch")}


def shapes_of(name: str) -> cases.Shapes:
    return MATRICES if name in BY_ROWS or name in TILED else SHAPES


def sibling(module: ModuleType, name: str) -> Any:
    package = str(module.__package__).removesuffix("pytorch")
    return import_module(f"{package}{name}")


def on_the_host(module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Scalars are made on the host, as in NumPy, and every operation is rounded once."""
    launcher = sibling(module, "triton_gpu._runtime").Launcher
    monkeypatch.setattr(sibling(module, "pytorch._fused"), "on_device", lambda group: False)
    monkeypatch.setattr(launcher, "again", partialmethod(launcher.again, strict=True))


def fused(name: str, variant: cases.Variant, storage: Storage) -> TorchRunner:
    values, made = cases.parameters(shapes_of(name), storage.param, 1), modules(name)
    read = decoder(made["numpy"], coded(name).storage.get("param", ""))
    return torch_runner(made["torch"], values, variant.hypers, "plain", storage, fused=True, read=read)


@pytest.mark.parametrize(("name", "storage"), [
    *((name, storage) for name in (*FORMATS, *FLAT) for storage in MIXES[:2]),
    *((name, BRAIN) for name in (*HELD, *SUMMED, *TILED)),
    *((name, MIXES[k]) for k, name in enumerate(("by rows, int8", "by rows, int4"))),
    *((name, MIXES[0]) for name in BY_ROWS if name.startswith("summed last, m") or "at times" in name),
], ids=str)
def test_what_is_stored_equals_numpy_to_the_last_bit(
    name: str, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = modules(name)
    on_the_host(made["torch"], monkeypatch)
    shapes, variant = shapes_of(name), cases.variants(coded(name))[:2][-1]
    values = cases.parameters(shapes, storage.param, 1)
    kernel = fused(name, variant, storage)
    numpy = numpy_runner(made["numpy"], values, variant.hypers, "plain", storage, kernel.decoder)
    for count in (1, 2, 3):
        grads = [storage.round(g) for g in cases.gradients(shapes, storage.param, count)]
        for runner in (kernel, numpy):
            runner.step(grads, [count] * len(grads), {})
    assert not kernel.note()
    for param, state, value in zip(kernel.params, numpy.state, numpy.params, strict=True):
        assert np.array_equal(raw(param.detach()), value)
        found = kernel.optimizer.state[param]
        assert found.keys() - {"step"} == state.keys() - {"step"}
        for key, wanted in state.items():
            if key != "step":
                assert np.array_equal(raw(found[key]), np.asarray(wanted)), key


def raw(x: Tensor) -> Any:
    return x.view(torch.uint16).numpy() if x.dtype is torch.bfloat16 else x.numpy()


@every
def test_every_variant_is_within_the_bound_in_any_dtypes_aligned_or_not(name: str) -> None:
    rule = coded(name)
    for number, variant in enumerate(cases.variants(rule)[:2]):
        storage = MIXES[2 + number]
        runner = fused(name, variant, storage)
        param = runner.params[0]
        room = torch.empty(param.numel() + 1, dtype=param.dtype)[1:]
        param.data = room.view(param.shape).copy_(param.data)
        tally = run(rule, runner, variant.hypers, SHAPES, storage, number, FEW)
        assert not tally.faults, tally.faults[0]
        assert tally.decided
        assert not tally.note


SUMS = {"lamb": "int8", "stableadamw": "root8", "lars": "int4", "adammini": "int8"}


@pytest.mark.parametrize("name", SUMS)
def test_codes_beside_sums_are_within_the_bound(name: str) -> None:
    loaded = load(name)
    assert isinstance(loaded, Rule)
    state = "b" if name == "lars" else "m"
    rule = stored(loaded, min_numel=100, name="Coded", **{state: SUMS[name]})
    read, made = decoder(compile(rule, "numpy")), compile(rule, "torch")
    for number, variant in enumerate((cases.variants(rule)[0], cases.variants(rule)[-1])):
        storage = (MIXES[0], BRAIN)[number]
        values = cases.parameters(SHAPES, storage.param, 1)
        runner = torch_runner(made, values, variant.hypers, "plain", storage, fused=True, read=read)
        tally = run(rule, runner, variant.hypers, SHAPES, storage, number, FEW)
        assert not tally.faults, tally.faults[0]
        assert tally.decided
        assert not tally.note


LATE = {"int8": "bf16_sr", "": "master"}  # states, and parameters
ODD = (2, 3, 50)  # whose blocks of codes reach from one matrix into the next


@pytest.mark.parametrize("states", LATE)
def test_groups_may_be_late_and_gradients_missing_beside_what_is_stepped_eagerly(
    states: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with literal():
        rule = stored(by_rows(), states, name="Coded", min_numel=100, param=LATE[states])
    cls, sides = optgen.optimizer(rule), []
    on_the_host(compile(rule, "torch"), monkeypatch)
    calls = eagerly_stepped(cls.__module__.rpartition(".")[0], monkeypatch)
    for fused in (True, False):
        params = [p.detach().bfloat16().requires_grad_() for p in some((5, 257), ODD, (10, 61), (3, 4))]
        params[2] = turned(params[2])
        optimizer = cls([{"params": params[:3], "fused": fused, "state_dtype": torch.float32}])
        for step in range(3):
            if step == 1:
                optimizer.add_param_group({"params": params[3:], "fused": fused, "state_dtype": torch.float32})
            set_grads(params, step)
            params[step % 2].grad = None
            optimizer.step()
        sides.append((optimizer, params))
        eager = {odd for odd, given in ((ODD, states), ((10, 61), True)) if given}
        assert fused is False or {*calls} == {math.prod(shape) for shape in eager}
    same(*sides[0], *sides[1])


@triton.jit
def _inverse(out, x, STRICT: tl.constexpr, n: tl.constexpr):  # type: ignore[no-untyped-def]
    i = tl.arange(0, n)
    tl.store(out + i, CODES.inverse_of(tl.load(x + i), STRICT))


def test_a_reciprocal_is_exact_or_right_to_a_few_units() -> None:
    x = torch.cat([torch.logspace(-37, 38, 4094), torch.tensor([math.inf, math.nan])])
    strict, fast = torch.empty_like(x), torch.empty_like(x)
    _inverse[(1,)](strict, x, True, 4096)
    _inverse[(1,)](fast, x, False, 4096)
    assert torch.equal(strict[:-1], 1 / x[:-1])
    torch.testing.assert_close(fast, strict, rtol=5 * torch.finfo(torch.float32).eps, atol=0, equal_nan=True)


# --- the class that is generated beforehand


KINDS = ("uint8/2", "fp32/128")


def test_what_lies_otherwise_beside_its_parameter_is_refused() -> None:
    supports = import_module("optgen._generated.triton_gpu._layout").supports
    param, codes, absmax = torch.zeros(20, 33), torch.zeros(330, dtype=torch.uint8), torch.zeros(6)
    assert supports(param, [param], [codes, absmax], KINDS) == ""
    assert "torch.int8" in supports(param, [param], [codes.to(torch.int8), absmax], KINDS)
    assert "(329,)" in supports(param, [param], [codes[1:], absmax], KINDS)
    assert "(5,)" in supports(param, [param], [codes, absmax[1:]], KINDS)
    assert "otherwise" in supports(param, [param], [codes, torch.zeros(12)[::2]], KINDS)
    turned = torch.zeros(33, 20).t()
    assert "otherwise" in supports(turned, [param], [codes, absmax], KINDS)


def made(name: str, params: list[Tensor], fused: bool, **settings: Any) -> Any:
    make: Any = getattr(import_module("optgen.optim"), name)
    return make([{"params": params, "fused": fused}], lr=0.01, **settings)


def same(x: Any, a: list[Tensor], y: Any, b: list[Tensor]) -> None:
    for p, q in zip(a, b, strict=True):
        assert torch.equal(p, q)
        assert all(torch.equal(value, y.state[q][key]) for key, value in x.state[p].items())


def test_large_and_small_parameters_are_launched_once_each(monkeypatch: pytest.MonkeyPatch) -> None:
    launched: list[int] = []
    adamw8bit, otherwise = (import_module(f"optgen._generated.triton_gpu.{n}") for n in (
        "adamw8bit", "adamw8bit_otherwise"))  # fmt: skip
    for module in (adamw8bit, otherwise):
        monkeypatch.setattr(module, "_step", Counted(module._step, launched))
    a = some((64, 64), (4097,), (4095,), (7,))
    optimizer = made("AdamW8bit", a, True)
    stepped(a, optimizer, 2)
    assert len(launched) == 2 * 2
    assert ["exp_avg_absmax" in optimizer.state[p] for p in a] == [True, True, False, False]


class Counted:
    """A kernel that writes down its launches."""

    def __init__(self, kernel: Any, launched: list[int]) -> None:
        self.kernel, self.launched, self.fn = kernel, launched, kernel.fn

    def __getitem__(self, grid: Any) -> Any:
        self.launched.append(grid[0])
        return self.kernel[grid]


def turned(x: Tensor) -> Tensor:
    return x.detach().t().contiguous().t().requires_grad_()


@pytest.mark.parametrize(("name", "calls"), [("AdamW8bit", 0), ("AdamW4bit", 1)])
def test_two_codes_in_a_byte_follow_indices_and_others_the_memory(
    name: str, calls: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    a = [turned(p) for p in some((65, 70))]
    b = twin(a)
    x, y = made(name, a, True), made(name, b, False)
    eager = eagerly_stepped("optgen._generated.pytorch", monkeypatch)
    for optimizer, params in ((x, a), (y, b)):
        set_grads(params, 3)
        optimizer.step()
    assert len(eager) == 1 + calls
    for p, q in zip(a, b, strict=True):
        assert_agree(p, q, 16)
        assert torch.equal(x.state[p]["exp_avg"], y.state[q]["exp_avg"])


def test_an_infinite_gradient_poisons_its_block_alone() -> None:
    a = some((17, 256))
    optimizer = made("AdamW8bit", a, True)
    for number, bad in enumerate((1.0, math.inf, 1.0)):
        set_grads(a, number)
        assert a[0].grad is not None
        a[0].grad[5, 5] *= bad
        optimizer.step()
    assert a[0].isnan().sum(1).tolist() == [0] * 5 + [256] + [0] * 11


def test_a_tiny_block_is_stored_as_nothing() -> None:
    """Its largest value has no reciprocal in float32. Lion's momentum is a hundredth of the first gradient."""
    a = some((16, 256))
    optimizer = made("Lion8bit", a, True)
    grad = torch.ones(16, 256)
    grad[3], grad[4] = 1e-37, 1e-34
    a[0].grad = grad
    optimizer.step()
    state = optimizer.state[a[0]]
    assert state["exp_avg"].unique(dim=1).flatten().tolist() == [255] * 3 + [127] + [255] * 12
    assert state["exp_avg_absmax"][3] > 0


@pytest.mark.parametrize("shift", [1, 4])
def test_codes_that_lie_anywhere_are_stepped(shift: int) -> None:
    """One of three streams is unaligned, be it that of codes: whole blocks then go through the masked loop, too."""
    a = some((32, 257))
    b = twin(a)
    x, y = made("AdamW8bit", a, True), made("AdamW8bit", b, True)
    stepped(a, x, 1)
    stepped(b, y, 1)
    codes = x.state[a[0]]["exp_avg"]
    room = torch.empty(codes.numel() + shift, dtype=torch.uint8)[shift:]
    x.state[a[0]]["exp_avg"] = room.view(codes.shape).copy_(codes)
    stepped(a, x, 2)
    stepped(b, y, 2)
    same(x, a, y, b)
    (plan,) = (launcher._plan for launcher in x._launchers().values())
    assert bool(plan.buckets[0].slow[0]) is (shift == 1)


def test_a_scaled_step_is_the_plain_one_and_infinities_leave_codes_as_they_were() -> None:
    a = some((17, 256))
    b = twin(a)
    x, y = made("AdamW4bit", a, True), made("AdamW4bit", b, True)
    set_grads(a, 3)
    set_grads(b, 3)
    a[0].grad = a[0].grad * 1024  # type: ignore[operator]  # set just before
    x.grad_scale, x.found_inf = torch.full((1,), 1024.0), torch.zeros(1)
    x.step()
    y.step()
    same(x, a, y, b)
    x.found_inf = torch.ones(1)
    x.step()
    same(x, a, y, b)


def test_a_copy_and_a_checkpoint_go_on_with_the_same_bits() -> None:
    a = some((64, 65))
    x = made("AdamW4bit", a, True)
    stepped(a, x)
    y, b = copy.deepcopy((x, a))
    c = twin(a)
    z = made("AdamW4bit", c, True)
    z.load_state_dict(copy.deepcopy(x.state_dict()))
    for optimizer, params in ((x, a), (y, b), (z, c)):
        set_grads(params, 5)
        optimizer.step()
    same(x, a, y, b)
    same(x, a, z, c)
