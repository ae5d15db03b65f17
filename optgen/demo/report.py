"""Report: how two training runs compare, in words and as a picture."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

from optgen.demo.lockstep import Gap

TOLERANCE = 1e-3


@dataclass(slots=True)
class Trace:
    """What a training run leaves: losses and learning rates by step, the held-out loss, the worst gap in lock-step."""

    losses: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    held_out: float = math.nan
    gap: Gap = field(default_factory=Gap)


def plot(ours: Trace, theirs: Trace, path: Path) -> None:
    """Both loss curves, and below them the learning rates, as a PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 6), layout="constrained")
    losses, rates = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    for trace, label, style in ((theirs, "torch.optim.AdamW", {"lw": 4, "alpha": 0.35}),
                                (ours, "generated AdamW", {"lw": 1.2})):
        losses.plot(trace.losses, label=f"{label}: {trace.held_out:.4f} held out", **style)
        rates.plot(trace.rates, **style)
    losses.set(ylabel="training loss (nats per character)", title="AdamW with warmup and cosine, generated and torch's")
    losses.legend()
    rates.set(xlabel="step", ylabel="learning rate")
    figure.savefig(path, dpi=130)


def report(ours: Trace, theirs: Trace, picture: Path, console: Console) -> bool:
    """Print how the two runs compare. Whether they agree."""
    table = Table(title="generated AdamW and torch.optim.AdamW from the same seed")
    for heading in ("", "generated", "torch.optim", "difference"):
        table.add_column(heading, justify="left" if not heading else "right")
    gaps = [abs(ours.losses[-1] - theirs.losses[-1]), abs(ours.held_out - theirs.held_out)]
    table.add_row("final training loss", f"{ours.losses[-1]:.6f}", f"{theirs.losses[-1]:.6f}", f"{gaps[0]:.1e}")
    table.add_row("final held-out loss", f"{ours.held_out:.6f}", f"{theirs.held_out:.6f}", f"{gaps[1]:.1e}")
    rate = max(abs(a - b) for a, b in zip(ours.rates, theirs.rates, strict=True))
    table.add_row("learning rate, all steps", f"{max(ours.rates):.6f}", f"{max(theirs.rates):.6f}", f"{rate:.1e}")
    table.add_row("parameters, in lock-step", "", "", f"{ours.gap.difference:.1e}")
    table.add_row("  over both rounding bounds", "", "", f"{ours.gap.both:.3f}")
    table.add_row("  generated from exact, over its bound", "", "", f"{ours.gap.oracle:.3f}")
    console.print(table)
    console.print(f"plot: {picture}", highlight=False, soft_wrap=True)
    agree = max(gaps) <= TOLERANCE and max(ours.gap.oracle, ours.gap.both) <= 1
    console.print("[green]the two agree[/]" if agree else "[red]the two do not agree[/]")
    return agree
