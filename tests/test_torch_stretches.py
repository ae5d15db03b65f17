"""Large parameters in stretches: the same bits as in one piece, and nothing allocated that has a parameter's size."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch
from every_class import CODED, ELEMENTWISE, Kwargs, equal, plain, stored_in
from torch import Tensor
from torch.optim import Optimizer
from torch.utils._python_dispatch import TorchDispatchMode

from optgen import optim
from optgen.runtime.pytorch._stretches import in_stretches

WHOLE, SHORT = 2**60, 2**9
Make = Callable[[], tuple[Tensor, Tensor]]


def draw(*shape: int, dtype: torch.dtype = torch.float32, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(dtype)


def channels_last(seed: int) -> Tensor:
    return draw(6, 5, 8, 7, seed=seed).contiguous(memory_format=torch.channels_last)


CUT: dict[str, Make] = {
    "matrix": lambda: (draw(37, 41), draw(37, 41, seed=1)),
    "multiple": lambda: (draw(512), draw(512, seed=1)),
    "transposed": lambda: (draw(37, 41).t(), draw(37, 41, seed=1).t()),
    "channels_last": lambda: (channels_last(0), channels_last(1)),
    "double": lambda: (draw(37, 41, dtype=torch.float64), draw(37, 41, dtype=torch.float64, seed=1)),
    "bfloat16": lambda: (draw(37, 41, dtype=torch.bfloat16), draw(37, 41, dtype=torch.bfloat16, seed=1)),
    "mixed": lambda: (draw(37, 41), draw(37, 41, dtype=torch.float16, seed=1)),
    "complex": lambda: (draw(37, 41, dtype=torch.complex64) * (1 + 2j), draw(37, 41, dtype=torch.complex64) * 1j),
    "one": lambda: (draw(1, 300, 1), draw(1, 300, 1, seed=1)),
}
TURNED = {"transposed", "channels_last", "slice"}
KEPT_WHOLE: dict[str, Make] = {
    "expanded gradient": lambda: (draw(37, 41), draw(41, seed=1).expand(37, 41)),
    "transposed gradient": lambda: (draw(37, 41), draw(41, 37, seed=1).t()),
    "slice": lambda: (draw(37, 82)[:, ::2], draw(37, 41, seed=1)),
    "conjugated gradient": lambda: (draw(37, 5, dtype=torch.complex64), draw(5, 37, dtype=torch.complex64).mH),
}


def spied(monkeypatch: pytest.MonkeyPatch, size: int, cls: Any = optim.AdamW) -> list[bool]:
    """Sets the bytes of a stretch; what is returned fills with whether each parameter beyond it was cut.

    cls: a class of the folder whose runtime is looked at.
    """
    told: list[bool] = []

    def watched(*given: Any) -> Any:
        views = in_stretches(*given)
        told.append(views is not None)
        return views

    folder = cls.__module__.rpartition(".")[0]
    monkeypatch.setattr(sys.modules[f"{folder}._stretches"], "_BYTES", size)
    monkeypatch.setattr(sys.modules[f"{folder}._run"], "in_stretches", watched)
    return told


def stepped(cls: Any, kwargs: Kwargs, make: Make, steps: int = 3) -> tuple[Tensor, dict[str, Any]]:
    param, grad = make()
    param.requires_grad_()
    if param.dtype != grad.dtype:
        param.grad_dtype = None
    optimizer: Optimizer = cls([{"params": [param], "fused": False}], **kwargs)
    for _ in range(steps):
        param.grad = grad
        optimizer.step()
    return param.detach(), optimizer.state[param]


@pytest.mark.parametrize("info", ELEMENTWISE, ids=lambda info: info.optim_cls.__name__)
def test_every_configuration_steps_to_the_same_bits(info: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for kwargs in plain(info):
        told = spied(monkeypatch, SHORT, info.optim_cls)
        cut = stepped(info.optim_cls, kwargs, CUT["matrix"])
        assert told == [True] * 3
        spied(monkeypatch, WHOLE, info.optim_cls)
        assert equal(cut, stepped(info.optim_cls, kwargs, CUT["matrix"])), kwargs


LAID_OUT = [optim.AdamW, optim.Rprop, optim.NAdam, optim.SGD, *CODED]


@pytest.mark.parametrize("cls", LAID_OUT, ids=lambda cls: cls.__name__)
@pytest.mark.parametrize("name", [*CUT, *KEPT_WHOLE])
def test_every_layout_and_dtype_steps_to_the_same_bits(cls: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kwargs: Kwargs = {"momentum": 0.9, "nesterov": True} if cls is optim.SGD else {}
    make = (CUT | KEPT_WHOLE)[name]
    # codes that lie two in a byte run through the elements as they are numbered
    cuts = [] if "int4" in stored_in(cls) and name in TURNED else [name in CUT] * 3
    told = spied(monkeypatch, SHORT, cls)
    cut = stepped(cls, kwargs, make)
    assert told == cuts
    spied(monkeypatch, WHOLE, cls)
    assert equal(cut, stepped(cls, kwargs, make))


def test_states_of_another_dtype_and_scaled_gradients_are_cut_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(size: int) -> Any:
        told = spied(monkeypatch, size)
        param, grad = CUT["bfloat16"]()
        optimizer = optim.Lion([param.requires_grad_()], fused=False, state_dtype=torch.float32)
        optimizer.grad_scale = torch.tensor(3.0)
        param.grad = grad
        optimizer.step()
        assert told == [True] * (size == SHORT)
        return param.detach(), optimizer.state[param]

    assert equal(run(SHORT), run(WHOLE))


def test_a_state_that_lies_otherwise_than_its_parameter_keeps_it_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(size: int) -> Any:
        told = spied(monkeypatch, size)
        param, grad = CUT["matrix"]()
        optimizer = optim.AdamW([param.requires_grad_()], fused=False)
        param.grad = grad
        optimizer.step()
        state = optimizer.state[param]
        state["exp_avg"] = state["exp_avg"].t().contiguous().t()
        optimizer.step()
        assert told == [True, False] * (size == SHORT)
        return param.detach(), state

    assert equal(run(SHORT), run(WHOLE))


@pytest.mark.parametrize("cls", [optim.LARS, optim.CautiousAdamW], ids=lambda cls: cls.__name__)
def test_a_rule_that_looks_at_other_elements_keeps_a_parameter_whole(cls: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    told = spied(monkeypatch, SHORT)
    cut = stepped(cls, {}, CUT["matrix"])
    assert not told
    spied(monkeypatch, WHOLE)
    assert equal(cut, stepped(cls, {}, CUT["matrix"]))


def test_autograd_sees_a_parameter_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    told = spied(monkeypatch, SHORT)
    start = draw(300).requires_grad_()
    param = start.clone()
    param.grad = draw(300, seed=1)
    optimizer = optim.SGD([draw(300).requires_grad_()], lr=0.1, differentiable=True, fused=False)
    optimizer.param_groups[0]["params"] = [param]
    optimizer.step()
    param.sum().backward()
    assert told == [False]
    assert torch.equal(start.grad, torch.ones(300))


class Allocations(TorchDispatchMode):
    """Counts the bytes of the largest storage that operations made."""

    def __init__(self, known: list[Tensor]) -> None:
        super().__init__()
        self.known = {x.untyped_storage().data_ptr() for x in known}
        self.largest = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        for x in out if isinstance(out, (list, tuple)) else [out]:
            if isinstance(x, Tensor) and x.untyped_storage().data_ptr() not in self.known:
                self.largest = max(self.largest, x.untyped_storage().nbytes())
        return out


@pytest.mark.parametrize("cls", [info.optim_cls for info in ELEMENTWISE], ids=lambda cls: cls.__name__)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16], ids=str)
def test_a_step_allocates_nothing_of_a_parameters_size(cls: Any, dtype: torch.dtype) -> None:
    param = draw(1400, 1000, dtype=dtype).requires_grad_()
    param.grad = draw(1400, 1000, dtype=dtype, seed=1)
    optimizer: Optimizer = cls([{"params": [param], "fused": False}])
    optimizer.step()
    state = [x for x in optimizer.state[param].values() if isinstance(x, Tensor)]
    with Allocations([param, param.grad, *state]) as seen:
        optimizer.step()
    assert 2**17 < seen.largest <= 2**18 * torch.get_num_threads()


@pytest.mark.parametrize("threads", [2, 3])
def test_threads_change_no_bit(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def make() -> tuple[Tensor, Tensor]:
        return draw(300_001), draw(300_001, seed=1)

    spied(monkeypatch, WHOLE)
    whole = stepped(optim.AdamW, {"amsgrad": True}, make)
    told = spied(monkeypatch, 2**18)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        cut = stepped(optim.AdamW, {"amsgrad": True}, make)
    finally:
        torch.set_num_threads(before)
    assert told == [True] * 3
    assert equal(cut, whole)
