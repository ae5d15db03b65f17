"""The demo, on so few steps that it only shows that everything is connected."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
import torch
from rich.console import Console

from optgen import demo
from optgen.build import optimizer
from optgen.demo.lockstep import LockStep
from optgen.demo.model import fresh_model, read_corpus


@pytest.mark.slow
def test_a_short_demo_agrees_and_leaves_a_picture(tmp_path: Path) -> None:
    printed = io.StringIO()
    assert demo.run(10, tmp_path / "plots", Console(width=120, file=printed))
    assert (tmp_path / "plots/loss.png").read_bytes().startswith(b"\x89PNG")
    assert "the two agree" in printed.getvalue()


def stepped(change: float) -> tuple[float, float]:
    """The shares of the rounding allowance that two steps of a slightly wrong learning rate take."""
    parameter = torch.linspace(-1, 1, 1000).requires_grad_()
    chosen = optimizer("adamw")([parameter], lr=1e-2)
    beside = LockStep([parameter])
    parameter.grad = torch.linspace(1, 2, 1000)
    beside.prepare(chosen)
    chosen.param_groups[0]["lr"] *= 1 + change
    chosen.step()
    gap = beside.compare()
    return gap.oracle, gap.both


def test_lock_step_accepts_a_right_step_and_sees_a_learning_rate_off_by_a_thousandth() -> None:
    assert max(stepped(0.0)) <= 1
    assert min(stepped(1e-3)) > 1


def test_the_text_is_prose_and_the_model_has_half_a_million_parameters() -> None:
    corpus = read_corpus()
    assert len(corpus.train) > 300_000
    assert 50 < corpus.vocabulary < 200
    assert 400_000 < sum(p.numel() for p in fresh_model(corpus).parameters()) < 600_000
