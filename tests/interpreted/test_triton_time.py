"""Time on the device: what the prologue computes and advances, what a step may not read."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import triton
import triton.language as tl

sys.path.insert(0, str(Path(__file__).parents[1]))

from device_scalars import roundings, scalars
from test_amp import (  # noqa: F401  # the same tests, of classes that kernels step
    test_a_scaled_run_is_the_plain_run_without_the_steps_that_overflow,
    test_an_overflow_in_the_first_step_leaves_no_state_that_counts,
    test_gradients_are_left_as_they_were_scaled,
)
from test_triton_backend import DEVICE, NAMES, few, fused_runner

from bench.candidates import make_strict
from optgen import optim
from optgen._generated.pytorch import _faults, _fused
from optgen._generated.triton_gpu import _tables
from optgen.bounds import EXACT, FP64, MULTI, Bounded, Machine
from optgen.build import compile
from optgen.dsl import Rule, load
from optgen.passes import lower
from optgen.verify import cases
from optgen.verify.runners import Storage

SMALL = cases.Shapes("small", ((3, 5), (), (4,)))
CLASSES = [getattr(optim, name) for name in optim.__all__ if "cuda" in getattr(optim, name).rule.fused]
KWARGS = {"SGD": {"momentum": 0.9}}


@triton.jit
def _one_minus_power(out, x, y, n: tl.constexpr):  # type: ignore[no-untyped-def]
    i = tl.arange(0, n)
    tl.store(out + i, DEVICE.one_minus_power(tl.load(x + i), tl.load(y + i)))


def test_one_minus_a_power_does_not_cancel() -> None:
    small = [0, 1e-300, 0.1, 0.25, 0.5, 0.9, 0.999, 1 - 1e-9, 1 - 1e-15, 1]
    large = [1 + 1e-15, 1 + 1e-9, 1.001, 1.1, 2, 1e3]
    x, y = torch.meshgrid(
        torch.tensor([*small, *large, *(-a for a in (0.1, 0.5, 1 - 1e-9, 1, 1.5)), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
                     dtype=torch.float64),
        torch.tensor([0, 1, 2, 3, 7, 1000, 10**6, 0.5, 1e9, -1, -0.5, -2, 30, 31, 1.5, 4], dtype=torch.float64),
        indexing="ij",
    )  # fmt: skip
    out = torch.empty_like(x)
    _one_minus_power[(1,)](out, x.contiguous(), y.contiguous(), x.numel())
    machine = Machine(EXACT, EXACT, EXACT, reals=MULTI)
    power = machine.power(machine.tensor(x.numpy()), machine.tensor(y.numpy())).value
    wanted = (MULTI.array(1) - power).astype(float)
    with np.errstate(all="ignore"):
        z = np.nan_to_num((y * x.abs().log()).numpy(), nan=0)
        allowed = roundings(z) * FP64.unit * np.abs(wanted)
        off = np.where(wanted == out.numpy(), 0, np.abs(out.numpy() - wanted))
    assert (np.isnan(wanted) == out.isnan().numpy()).all()
    assert (np.isinf(wanted) == out.isinf().numpy()).all()
    known = np.isfinite(wanted)
    assert (off[known] <= allowed[known]).all()


@pytest.mark.parametrize("name", NAMES)
def test_scalars_of_the_device_lie_within_the_bound(name: str) -> None:
    """In float64; each variant of most rules, near the start and far from it."""
    rule, module = load(name), compile(name, "triton")
    assert isinstance(rule, Rule)
    for variant in few(rule):
        storage = Storage(FP64, FP64)
        runner = fused_runner(name, variant, SMALL, storage)
        optimizer: Any = runner.optimizer
        for count in (1, 2, 100_000):
            kept = {state.past: optimizer.state[runner.params[0]][key].item() if optimizer.state else state.init
                    for key, state in states_of(optimizer).items() if state.host}  # fmt: skip
            grads = [storage.round(g) for g in cases.gradients(SMALL, storage.param, count)]
            runner.step(grads, [count] * 3, {})
            hypers = _fused.standing(optimizer._hypers(optimizer.param_groups[0]), torch.float64)
            flags = module.flags(**_fused.answer(module.flags, hypers))
            step = next(s for s in lower(rule).steps if [*s.variant.values()] == [*flags.values()])
            sizes = {"numel": 15.0, "rows": 3.0, "cols": 5.0}
            given = {**hypers, **kept, **sizes, "t": float(count), "first": count == 1}
            wanted = {**given, **scalars(rule, step, {k: v for k, v in given.items() if v is not None})}
            launcher, *_ = optimizer._fused_launchers.values()  # vectors may have one of their own
            (bucket,) = launcher._plan.buckets
            names = launcher._names.scalars  # before what random bits depend on
            assert_within(bucket.rows[0][: len(names)], names, wanted, f"{variant.name}, step {count}")


def states_of(optimizer: Any) -> Any:
    rule, hypers = optimizer.rule, optimizer._hypers(optimizer.param_groups[0])
    return rule.states(**_fused.answer(rule.states, hypers))


def assert_within(row: torch.Tensor, names: tuple[str, ...], wanted: dict[str, Any], where: str) -> None:
    """Each scalar that a prologue wrote is what the host block says. What the variant does not read is NaN."""
    assert len(row) == len(names)
    for got, name in zip(row.tolist(), names, strict=True):
        if math.isnan(got):
            continue
        bound = wanted[name]
        if isinstance(bound, Bounded):
            assert abs(got - bound.value) <= bound.error, (where, name, got, float(bound.value), bound.error)
        else:
            assert got == bound, (where, name)


@pytest.fixture
def unread(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[torch.Tensor]]:
    """Tensors whose values may not be read on the host: such a read would wait for a device."""
    watched: list[torch.Tensor] = []

    def reading(method: Any) -> Any:
        def read(self: torch.Tensor, *args: Any) -> Any:
            assert all(self.data_ptr() != x.data_ptr() for x in watched), f"{method.__name__} waits for the device"
            return method(self, *args)

        return read

    for name in ("item", "tolist", "__bool__", "__int__", "__float__", "numpy"):
        monkeypatch.setattr(torch.Tensor, name, reading(getattr(torch.Tensor, name)))
    yield watched
    watched.clear()


def stepped(cls: Any, steps: int, options: dict[str, Any], hypers: dict[str, Any] | None = None) -> Any:
    """An optimizer, its parameters and gradients, after so many steps."""
    make = torch.Generator().manual_seed(0)
    params = [torch.randn(shape, generator=make).requires_grad_() for shape in ((4, 3), (5,), ())]
    optimizer = cls([{"params": params, **options}], **KWARGS.get(cls.__name__, {}), **(hypers or {}))
    for _ in range(steps):
        give_gradients(params, make)
        optimizer.step()
    give_gradients(params, make)
    return optimizer, params


def give_gradients(params: list[torch.Tensor], make: torch.Generator) -> None:
    for param in params:
        param.grad = torch.randn(param.shape, generator=make)


def values(optimizer: Any, params: list[torch.Tensor]) -> list[torch.Tensor]:
    """Copies of parameters and all that is kept, counts too."""
    kept = (value for param in params for value in optimizer.state[param].values())
    return [x.detach().clone() for x in (*params, *kept)]


def watch(unread: list[torch.Tensor], optimizer: Any, *others: torch.Tensor) -> None:
    unread += [x for state in optimizer.state.values() for x in state.values() if x.dim() == 0]
    unread += others


@pytest.mark.parametrize(("cls", "steps"), [(cls, (1, 3)[k % 2]) for k, cls in enumerate(CLASSES)])
def test_a_step_under_a_scaler_reads_nothing_back(cls: Any, steps: int, unread: list[torch.Tensor]) -> None:
    optimizer, params = stepped(cls, steps, {"fused": True})
    before = values(optimizer, params)
    optimizer.grad_scale, optimizer.found_inf = torch.tensor([8.0]), torch.tensor([1.0])
    watch(unread, optimizer, optimizer.grad_scale, optimizer.found_inf)
    optimizer.step()
    assert all(map(torch.equal, before, values(optimizer, params)))
    for param in params:
        param.grad *= 8
    optimizer.found_inf.zero_()
    optimizer.step()
    unread.clear()
    other, others = stepped(cls, steps, {"fused": True})
    other.step()
    assert all(map(torch.equal, values(other, others), values(optimizer, params)))
    assert not all(map(torch.equal, before, values(optimizer, params)))


def test_a_step_with_other_gradients_reads_nothing_back(unread: list[torch.Tensor]) -> None:
    """What is made anew then, the tables, needs no value of the device."""
    optimizer, params = stepped(optim.NAdam, 2, {"fused": True})
    params[1].grad = None
    optimizer.grad_scale, optimizer.found_inf = None, torch.tensor([1.0])
    before = values(optimizer, params)
    watch(unread, optimizer, optimizer.found_inf)
    optimizer.step()
    unread.clear()
    assert all(map(torch.equal, before, values(optimizer, params)))


@pytest.mark.parametrize("cls", CLASSES)
def test_capturable_steps_are_fused_and_follow_a_rate_on_the_device(
    cls: Any, unread: list[torch.Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_faults, "_get_capturable_supported_devices", lambda: ["cpu"])
    rate = torch.tensor(2.0**-7)
    optimizer, params = stepped(cls, 2, {"capturable": True, "fused": True, "lr": rate})
    assert optimizer._last is not None
    watch(unread, optimizer, rate)
    rate.mul_(0.5)
    optimizer.step()
    unread.clear()
    assert optimizer._last is not None
    other, others = stepped(cls, 2, {"fused": True, "lr": 2.0**-7})
    other.param_groups[0]["lr"] = 2.0**-8
    other.step()
    assert all(map(torch.equal, values(optimizer, params), values(other, others)))


def test_betas_on_the_device_are_read_there(unread: list[torch.Tensor], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_faults, "_get_capturable_supported_devices", lambda: ["cpu"])
    betas = torch.tensor(0.5), torch.tensor(0.0)
    hypers = {"betas": betas, "capturable": True}
    optimizer, params = stepped(optim.Adam, 1, {"fused": True}, hypers)
    watch(unread, optimizer, *betas)
    optimizer.step()
    unread.clear()
    other, others = stepped(optim.Adam, 1, {"fused": True, "betas": (0.5, 0.0)})
    other.step()
    assert all(map(torch.equal, values(optimizer, params), values(other, others)))


def test_counts_on_the_host_are_advanced_with_the_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_fused, "on_device", lambda group: False)
    optimizer, params = stepped(optim.AdamW, 3, {"fused": True})
    assert [optimizer.state[p]["step"].item() for p in params] == [3.0] * 3
    optimizer.state[params[1]]["step"].fill_(9)  # seen, though the tensor is the same
    optimizer.step()
    assert [optimizer.state[p]["step"].item() for p in params] == [4.0, 10.0, 4.0]


def test_more_tensors_than_a_launch_has_rows_are_launched_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    other, others = stepped(optim.AdamW, 2, {"fused": True})
    other.step()
    monkeypatch.setattr(_tables, "_ROWS", 2)
    optimizer, params = stepped(optim.AdamW, 2, {"fused": True})
    (launcher,) = optimizer._fused_launchers.values()
    assert [len(bucket.positions) for bucket in launcher._plan.buckets] == [2, 1]
    optimizer.step()
    assert all(map(torch.equal, values(optimizer, params), values(other, others)))


class Told:
    """A kernel that writes down how it is launched."""

    def __init__(self, kernel: Any, stricts: list[bool]) -> None:
        self.kernel, self.stricts = kernel, stricts

    def __getitem__(self, grid: Any) -> Any:
        def launch(*given: Any, **options: Any) -> None:
            self.stricts.append(options["STRICT"])
            self.kernel[grid](*given, **options)

        return launch


def test_the_strict_candidate_of_the_benchmark_is_strict_in_every_step() -> None:
    optimizer, params = stepped(optim.AdamW, 2, {"fused": True})
    (launcher,) = optimizer._fused_launchers.values()
    stricts: list[bool] = []
    launcher._kernel = Told(launcher._kernel, stricts)
    optimizer.step()
    make_strict(optimizer)
    optimizer.step()  # again
    params[0].grad = None
    optimizer.step()  # anew
    assert stricts == [False, True, True]
