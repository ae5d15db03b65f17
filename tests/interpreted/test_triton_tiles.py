"""Kernels over tiles of matrices: how they share them out, what they leave for one another, and what is left eager."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parents[1]))

from c_steps import assert_agree, eagerly_stepped, set_grads, some, stepped, twin

from optgen import optim
from optgen._generated.triton_gpu import _matrices, _phases, adafactor

NAMES = ("Adafactor", "AdafactorHF", "AdamMini")
# Tiles have at most 64 rows and 128 columns.
SHAPES = ((130, 9), (3, 260), (2, 70, 4), (9, 136), (9, 132), (1, 7), (5, 1), (0, 3))
every = pytest.mark.parametrize("name", NAMES)


def made(name: str, params: list[Tensor], fused: bool) -> Any:
    return getattr(optim, name)([{"params": params, "fused": fused}])


def states(optimizer: Any, param: Tensor) -> list[Tensor]:
    return [x for key, x in optimizer.state[param].items() if key != "step"]


def assert_same_steps(a: list[Tensor], b: list[Tensor], x: Any, y: Any) -> None:
    for side, one in ((a, x), (b, y)):
        stepped(side, one)
    for p, q in zip(a, b, strict=True):
        assert_agree(p, q, 64)
        for s, t in zip(states(x, p), states(y, q), strict=True):
            assert_agree(s, t, 64)


@every
def test_steps_are_those_of_the_eager_class_aligned_or_not(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = eagerly_stepped("optgen._generated.pytorch", monkeypatch)
    a = some(*SHAPES)
    for k in (0, 3):  # of which one has rows that could be read by whole accesses
        room = torch.empty(a[k].numel() + 1)[1:]
        a[k].data = room.view(a[k].shape).copy_(a[k].data)
    b = twin(a)
    x = made(name, a, True)
    assert_same_steps(a, b, x, made(name, b, False))
    (launcher,) = x._launchers().values()
    assert [*launcher._plan.buckets[0].slow] == [k in (0, 3) or (p.size(-1) % 4 != 0 and p.numel() > 0)
                                                 for k, p in enumerate(a)]
    assert sorted({*calls}) == sorted({p.numel() for p in b if p.numel()})  # of the twin alone


@every
def test_vectors_take_launches_of_their_own(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    a = some((70, 5), (300,), (), (4, 6))
    b = twin(a)
    x = made(name, a, True)
    assert_same_steps(a, b, x, made(name, b, False))
    assert len(x._launchers()) == 2
    assert all(launcher._plan.rest == [] for launcher in x._launchers().values())


@pytest.mark.parametrize(("name", "tiles", "lines"), [("Adafactor", 3, 1), ("AdafactorHF", 3, 1), ("AdamMini", 2, 1)])
def test_each_phase_is_one_launch_for_all_matrices(
    name: str, tiles: int, lines: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One more between them finishes rows and columns."""
    calls: list[str] = []
    for launch in ("each_chunk", "each_line", "each_span", "each_tensor", "_combine"):
        own = getattr(_phases.Launches, launch)
        monkeypatch.setattr(_phases.Launches, launch,
                            lambda self, *rest, own=own, launch=launch: (calls.append(launch), own(self, *rest)))
    params = some((3, 70), (0, 3), (2, 4, 5))
    stepped(params, made(name, params, True), 1)
    assert sorted(calls) == ["each_chunk"] * tiles + ["each_line"] * lines


def test_numbers_are_the_same_in_every_run_and_beside_any_other_matrices() -> None:
    results = []
    for others in ((), ((5, 7), (300,)), ((0, 3), (10, 40))):
        params = [*some((70, 140)), *some(*others)]
        stepped(params, made("Adafactor", params, True), 2)
        results.append(params[0])
    assert all(torch.equal(results[0], other) for other in results[1:])


@every
def test_a_step_with_infinities_leaves_rows_and_columns_as_they_were(name: str) -> None:
    a = some((70, 5), (3, 130))
    b = twin(a)
    x, y = made(name, a, True), made(name, b, True)
    for side, one in ((a, x), (b, y)):
        stepped(side, one, 1)
    kept = [v.clone() for p in a for v in (p.detach(), *states(x, p))]
    for number, scale in enumerate((4.0, 8.0)):
        set_grads(a, number)
        set_grads(b, number)
        for p in a:
            assert p.grad is not None
            p.grad *= scale
        x.grad_scale, x.found_inf = torch.full((1,), scale), torch.ones(1)
        x.step()
        assert all(map(torch.equal, kept, [v for p in a for v in (p.detach(), *states(x, p))]))
        x.found_inf = torch.zeros(1)
        x.step()
        y.step()
        kept = [v.clone() for p in a for v in (p.detach(), *states(x, p))]
    for p, q in zip(a, b, strict=True):
        assert torch.equal(p, q)
        assert all(map(torch.equal, states(x, p), states(y, q)))


TURNED = torch.randn(6, 9).t()
REFUSED = {
    "does not lie row by row": lambda: TURNED.clone(memory_format=torch.preserve_format),
    "too many": lambda: torch.randn(8193, 1, 2),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_what_tiles_cannot_be_made_of_is_stepped_eagerly(reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside what they can be made of."""
    calls = eagerly_stepped("optgen._generated.pytorch", monkeypatch)
    odd = REFUSED[reason]().requires_grad_()
    assert reason in _matrices.fault_of(odd)
    a = [odd, *some((3, 70))]
    b = twin(a)
    assert_same_steps(a, b, made("Adafactor", a, True), made("Adafactor", b, False))
    assert calls.count(odd.numel()) == 2 * calls.count(a[1].numel()) > 0


def test_what_stores_codes_goes_through_the_rows_of_each_matrix() -> None:
    """Where its blocks end where matrices do; of one matrix they always do."""
    assert _matrices.fault_of(torch.empty(3, 50), 256) == _matrices.fault_of(torch.empty(2, 4, 64), 256) == ""
    assert "from one matrix into the next" in _matrices.fault_of(torch.empty(2, 3, 50), 256)
    tiling = _matrices.Tiling(_matrices.Tiles(0, 0, 0, 0, 0), [(60, 70), (2, 4, 512), (0, 3)], 4, 8)
    assert tiling.spans(1024).tolist() == [5, 4, 0]


def test_a_state_of_another_shape_is_refused() -> None:
    launcher = adafactor.launcher()
    form = launcher._form
    param, wrong = torch.randn(3, 5), [torch.zeros(3, 1), torch.zeros(5, 1)]
    from_tables = sys.modules[f"{adafactor.__package__}._layout"]
    assert from_tables.supports(param, [param], [torch.zeros(3, 1), torch.zeros(1, 5)], form.kinds) == ""
    assert "a tensor of shape (5, 1)" in from_tables.supports(param, [param], wrong, form.kinds)


@pytest.mark.parametrize("shape", [(1, 1), (64, 128), (65, 129), (3, 5000), (5000, 3), (7, 70, 200), (100_000, 4096)])
@pytest.mark.parametrize("vector", [2, 4, 8])
def test_tiles_cover_a_matrix_and_a_large_one_has_few(shape: tuple[int, ...], vector: int) -> None:
    """Each program of a later launch adds up the parts of all tiles of its tensor."""
    one = _matrices.Tiles(lines=1, row_parts=1, col_parts=1, row_values=1, col_values=1)
    tiling = _matrices.Tiling(one, [shape, (0, 4), (2, 2)], vector, 1000)
    rows, cols = shape[-2:]
    matrices = shape[0] if len(shape) > 2 else 1
    across, down = -(-cols // tiling.cols), -(-rows // tiling.tall)
    assert tiling.counts.tolist() == [matrices * across * down, 0, 1]
    assert tiling.counts[0] <= 2048
    assert tiling.lines.tolist() == [matrices * (-(-rows // 128) + -(-cols // 128)), 0, 2]
    numbers = matrices * (rows * (across + 1) + cols * (down + 1))
    numbers += -numbers % vector  # so that those of the next begin where whole accesses do
    assert tiling.columns == [[rows, 0, 2], [cols, 0, 2], [0, tiling.lines[0], tiling.lines[0]], [0, numbers, numbers]]
    assert tiling.size == numbers + 8
    assert tiling.rows * tiling.cols == 1024
    assert tiling.cols == 32 * vector
    assert tiling.tall % tiling.rows == 0
