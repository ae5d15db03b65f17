"""Small parameters that are stepped together get the bits that each gets alone."""

from __future__ import annotations

import sys
from typing import Any

import pytest
import torch
from every_class import ELEMENTWISE, Kwargs, equal, plain, stored_in
from torch.nn import Parameter

from optgen import optim

BATCH = sys.modules[f"{optim.AdamW.__module__.rpartition('.')[0]}._batch"]
SHAPES: list[tuple[int, ...]] = [(3,), (), (5, 4), (0,), (2, 3, 4), (4, 5), (3,), (5, 4)]
PLAIN = [info for info in ELEMENTWISE if not stored_in(info.optim_cls)]
LARGE = BATCH.FEW + 9
Sizes = list[int]


def drawn(shape: tuple[int, ...], seed: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def parameters() -> list[Parameter]:
    """Of several shapes, dtypes and layouts; the last three share memory."""
    made = [drawn(shape, k) for k, shape in enumerate(SHAPES)]
    made += [drawn((6,), 20, dtype) for dtype in (torch.bfloat16, torch.bfloat16, torch.float64, torch.float64)]
    made += [torch.complex(drawn((3,), 21 + k), drawn((3,), 31 + k)) for k in range(2)]
    made += [drawn((5, 4), 40).t(), drawn((5, 8), 41)[:, ::2]]
    shared = drawn((LARGE,), 42)
    return [Parameter(x, requires_grad=True) for x in (*made, shared[:6], shared, shared[3:9])]


def steps(cls: Any, kwargs: Kwargs, params: list[Parameter], **group: Any) -> Any:
    """Four steps, of which one parameter misses one and another is added late."""
    optimizer = cls([{"params": params[:5], **group}, {"params": params[5:-3], **group}], **kwargs)
    for turn in range(4):
        if turn == 1:
            optimizer.add_param_group({"params": params[-3:], **group})
        for k, param in enumerate(params):
            grad = drawn(tuple(param.shape), 100 * turn + k).to(param.dtype)
            param.grad = None if (turn, k) == (2, 3) else grad if k % 2 else torch.empty_like(param).copy_(grad)
        optimizer.step()
    return [p.detach() for p in params], [*optimizer.state.values()]


def sizes_of(batches: pytest.MonkeyPatch) -> Sizes:
    """How many parameters each batch has from now on."""
    sizes: Sizes = []
    own = BATCH.Batch.__init__

    def counted(self: Any, ones: Any) -> None:
        sizes.append(len(ones))
        own(self, ones)

    batches.setattr(BATCH.Batch, "__init__", counted)
    return sizes


@pytest.mark.parametrize("info", PLAIN, ids=lambda info: info.optim_cls.__name__)
def test_every_configuration_steps_to_the_same_bits(info: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for kwargs in plain(info):
        sizes = sizes_of(monkeypatch)
        together = steps(info.optim_cls, kwargs, parameters(), fused=False)
        assert max(sizes) > 2
        assert all(count > 1 for count in sizes)
        with monkeypatch.context() as context:
            context.setattr(BATCH, "FEW", -1)
            sizes.clear()
            assert equal(together, steps(info.optim_cls, kwargs, parameters(), fused=False)), kwargs
            assert not sizes


def test_a_large_parameter_joins_no_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = sizes_of(monkeypatch)
    few = BATCH.FEW
    steps(optim.AdamW, {}, [Parameter(torch.ones(n)) for n in (few, few + 1, few, few + 1, few + 1, *[few] * 6)],
          fused=False)
    assert {*sizes} == {2, 3}


def test_a_batch_ends_where_it_leaves_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BATCH, "length", lambda dtype: 16)
    sizes = sizes_of(monkeypatch)
    params = [Parameter(torch.ones(4)) for _ in range(11)]
    for param in params:
        param.grad = torch.ones(4)
    optim.AdamW(params, fused=False).step()
    assert sizes == [4, 4, 3]


@pytest.mark.parametrize("shape", [(6, 4), (4, 6), (5, 5), (1, 7)])
def test_matrices_of_one_shape_are_a_stack(shape: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    def params() -> list[Parameter]:
        return [Parameter(drawn(shape, k)) for k in range(7)] + [Parameter(drawn((3, 3), 9)), Parameter(drawn((3,), 9))]

    sizes = sizes_of(monkeypatch)
    together = steps(optim.Muon, {}, params())
    assert max(sizes) == 5
    with monkeypatch.context() as context:
        context.setattr(BATCH, "_SMALL_MATRIX", -1)
        context.setattr(BATCH, "FEW", -1)
        sizes.clear()
        alone = steps(optim.Muon, {}, params())
        assert not sizes
    for a, b in zip(together[0], alone[0], strict=True):  # a product may add up in another order
        torch.testing.assert_close(a, b, rtol=0.0, atol=2e-5)
    assert equal(together[1], alone[1])
