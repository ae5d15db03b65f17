"""Captures of CUDA graphs: what a graph reads is its own, and what it could not follow is refused."""

from __future__ import annotations

import gc
import math
import weakref
from typing import Any

import pytest
import torch
from test_triton_time import give_gradients, stepped, values

from optgen import optim
from optgen._generated.pytorch import _fused
from optgen._generated.triton_gpu import _mirror, _reading

REFUSED = {
    "a gradient less": lambda o, p: setattr(p[0], "grad", None),
    "a parameter elsewhere": lambda o, p: setattr(p[0], "data", p[0].data.clone()),
    "a gradient that lies otherwise": lambda o, p: setattr(p[0], "grad", torch.ones(3, 4).t()),
    "another parameter": lambda o, p: o.add_param_group({"params": [with_gradient()], "fused": True}),
}


def with_gradient() -> torch.Tensor:
    param = torch.ones(3, requires_grad=True)
    param.grad = torch.ones(3)
    return param


@pytest.mark.parametrize("change", REFUSED)
def test_a_capture_is_refused_where_it_would_have_to_make_other_tables(
    change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    optimizer, params = stepped(optim.AdamW, 2, {"fused": True})
    optimizer.step()
    monkeypatch.setattr(_mirror, "capturing", lambda device: True)
    optimizer.step()  # as the last one
    REFUSED[change](optimizer, params)
    before = values(optimizer, params)
    with pytest.raises(RuntimeError, match=r"a CUDA graph is being captured.*take two steps with the same parameters"):
        optimizer.step()
    assert all(map(torch.equal, before, values(optimizer, params)))


class Recorded:
    """A kernel that a capture records instead of launching it."""

    def __init__(self, kernel: Any, launches: list[Any] | None) -> None:
        self.kernel, self.launches = kernel, launches

    def __getitem__(self, grid: Any) -> Any:
        def launch(*given: Any, **options: Any) -> None:
            if self.launches is None:
                self.kernel[grid](*given, **options)
            else:
                self.launches.append(lambda: self.kernel[grid](*given, **options))

        return launch


def captured(optimizer: Any, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The launches of a step, none of them made, as a CUDA graph keeps them."""
    (launcher,) = optimizer._fused_launchers.values()
    launches: list[Any] = []
    with monkeypatch.context() as patch:
        patch.setattr(_mirror, "capturing", lambda device: True)
        for name in ("_kernel", "_prologue"):
            patch.setattr(launcher, name, Recorded(getattr(launcher, name), launches))
        optimizer.step()
    return launches


def pool_of(params: list[torch.Tensor]) -> list[torch.Tensor]:
    """Gradients elsewhere than before, as they are in the pool of a graph."""
    pool = [torch.full_like(param, math.nan) for param in params]
    for param, grad in zip(params, pool, strict=True):
        param.grad = grad
    return pool


@pytest.mark.parametrize("read", ["compiled", "each by itself"])
@pytest.mark.parametrize("cls", [optim.AdamW, optim.NAdam, optim.SGD])
def test_a_graph_keeps_tables_of_its_own(cls: Any, read: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Graphs, the first of them of what was stepped before, in turns with steps of other gradients and rates."""
    if read == "each by itself":
        monkeypatch.setattr(_reading, "Compiled", None)
    optimizer, params = stepped(cls, 2, {"fused": True})
    optimizer.step()
    other, others = stepped(cls, 2, {"fused": True})
    other.step()
    rates, graphs, pools = [optimizer.param_groups[0]["lr"], 0.5, 0.25], [], []
    for rate in rates:
        optimizer.param_groups[0]["lr"] = rate
        pools.append(pool_of(params) if pools else [param.grad for param in params])
        graphs.append(captured(optimizer, monkeypatch))
    make, again = (torch.Generator().manual_seed(1) for _ in range(2))
    for number in range(8):
        which = (number - 1) % 4
        rate = [*rates, 2.0**-number][which]
        if which == 3:
            optimizer.param_groups[0]["lr"] = rate
            give_gradients(params, make)
            optimizer.step()
        else:
            for grad in pools[which]:
                grad.copy_(torch.randn(grad.shape, generator=make))
            for launch in graphs[which]:
                launch()
        other.param_groups[0]["lr"] = rate
        give_gradients(others, again)
        other.step()
        assert all(map(torch.equal, values(optimizer, params), values(other, others))), number


def test_captures_beyond_those_that_there_are_buffers_for_need_a_step_between(monkeypatch: pytest.MonkeyPatch) -> None:
    optimizer, params = stepped(optim.AdamW, 2, {"fused": True})
    optimizer.step()
    for _ in range(2):
        for _ in range(_mirror.CAPTURES):
            pool_of(params)
            captured(optimizer, monkeypatch)
        pool_of(params)
        with pytest.raises(RuntimeError, match="take two steps"):
            captured(optimizer, monkeypatch)
        optimizer.step()


def test_what_a_graph_reads_outlives_what_the_optimizer_forgets(monkeypatch: pytest.MonkeyPatch) -> None:
    optimizer, params = stepped(optim.AdamW, 2, {"fused": True})
    optimizer.step()
    pool_of(params)
    captured(optimizer, monkeypatch)
    (launcher,) = optimizer._fused_launchers.values()
    tables = [weakref.ref(table) for bucket in launcher._plan.buckets for table in (bucket.records, bucket.clocks)]
    optimizer.load_state_dict(optimizer.state_dict())
    give_gradients(params, torch.Generator())
    optimizer.step()
    assert all(table() is not None for table in tables)
    del optimizer, launcher
    gc.collect()
    assert all(table() is None for table in tables)


def test_a_capture_needs_time_on_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_fused, "on_device", lambda group: False)
    optimizer, _ = stepped(optim.AdamW, 2, {"fused": True})
    optimizer.step()
    monkeypatch.setattr(_mirror, "capturing", lambda device: True)
    with pytest.raises(RuntimeError, match="needs capturable=True"):
        optimizer.step()
