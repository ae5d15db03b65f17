"""Draw the pictures of the README from bench/results: `python -m bench.plot`.

One picture for each of cpu.json, gpu.json and modes.json that is there, as SVG, into docs/. Needs Matplotlib.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import mean
from typing import Annotated, Any

import matplotlib as mpl
import typer
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from bench.report import RESULTS

DOCS = Path(__file__).resolve().parents[1] / "docs"
# The colours of Okabe and Ito, which the colour-blind can tell apart, each with a marker of its own.
STYLES: Mapping[str, tuple[str, str]] = {
    "optgen fused": ("#D55E00", "o"),
    "optgen strict": ("#CC79A7", "o"),
    "optgen eager": ("#E69F00", "D"),
    "torch fused": ("#0072B2", "s"),
    "torch.compile": ("#009E73", "P"),
    "torch foreach": ("#56B4E9", "^"),
    "torch loop": ("#000000", "v"),
    "others": ("#999999", "x"),
}
PANELS = {"cpu": ("gpt", "lora", "tiny"), "gpu": ("large", "lora", "tiny")}
TOLD = {
    "cpu": "time of a step ÷\ntime of an in-place multiplication\nof as many bytes",
    "gpu": "time on the device ÷\ntime of a copy\nof as many bytes",
}
NAMES = {"adamw": "AdamW", "adam": "Adam", "sgd": "SGD momentum", "rmsprop": "RMSprop", "adagrad": "Adagrad",
         "lion": "Lion", "nadam": "NAdam", "lamb": "LAMB",
         "adamw8bit": "AdamW8bit", "adamwbf16": "AdamWBF16"}  # fmt: skip


def draw(told: Mapping[str, Any], kind: str) -> Figure:
    """Times of a step over the time that its bytes take at the bandwidth measured beside it; tiny tensors in time."""
    panels = {name: [r for r in told["results"] if r["workload"] == name] for name in PANELS[kind]}
    panels = {name: results for name, results in panels.items() if results}
    rows = [*dict.fromkeys(_name(result) for results in panels.values() for result in results)][::-1]
    figure = Figure(figsize=(1.4 + 3.3 * len(panels), 1.5 + 0.36 * len(rows)), layout="constrained")
    axes: Sequence[Axes] = figure.subplots(1, len(panels), squeeze=False, sharey=True)[0]
    axes[0].set(yticks=range(len(rows)), yticklabels=rows, ylim=(-0.6, len(rows) - 0.4))
    for ax, (name, results) in zip(axes, panels.items(), strict=True):
        _panel(ax, results, rows, name == "tiny", TOLD[kind])
    found = {text: handle for ax in axes for handle, text in zip(*ax.get_legend_handles_labels(), strict=True)}
    labels = [label for label in STYLES if label in found]
    figure.legend([found[label] for label in labels], labels, loc="outside lower center", ncols=len(labels),
                  frameon=False, fontsize=9)  # fmt: skip
    return figure


def _panel(
    ax: Axes, results: Sequence[Mapping[str, Any]], rows: Sequence[str], is_tiny: bool, told: str
) -> None:
    for result in results:
        for one in sorted(result["measured"], key=lambda one: one["candidate"] == "optgen fused"):
            label = one["candidate"] if one["candidate"] in STYLES else "others"
            colour, marker = STYLES[label]
            x = one["median_ms"] if is_tiny else 1 / one["fraction"]
            ax.plot(x, rows.index(_name(result)), marker, color=colour, label=label, markersize=7)
    ax.set(xscale="log", title=results[0]["title"])
    ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    ax.xaxis.set_minor_formatter(NullFormatter())
    _bare(ax)
    if is_tiny:
        ax.set_xlabel("time of a step (ms)")
    else:
        ax.axvline(1, color="#666666", linewidth=1, linestyle="--")
        ax.set_xlabel(told)


def draw_modes(told: Mapping[str, Any]) -> Figure:
    """Losses after training in each storage format less those in fp32, and what is stored of a weight."""
    first, others = told["modes"][0], told["modes"][:0:-1]
    figure = Figure(figsize=(8, 1.2 + 0.36 * len(others)), layout="constrained")
    ax: Axes = figure.subplots()
    for row, one in enumerate(others):
        apart = [loss - other for loss, other in zip(one["losses"], first["losses"], strict=True)]
        ax.plot(apart, [row] * len(apart), "o", color="#0072B2", alpha=0.5, markersize=5)
        ax.plot(mean(apart), row, "|", color="#D55E00", markersize=16, markeredgewidth=2)
    labels = [f"{one['title']}  ({one['bytes']:.1f} B)" for one in others]
    ax.set(yticks=range(len(others)), yticklabels=labels, ylim=(-0.6, len(others) - 0.4))
    ax.set_xscale("symlog", linthresh=0.01)
    ax.set_xlabel(f"loss on held-out text less that with fp32 ({first['bytes']:.0f} B a weight), nats a character")
    ax.axvline(0, color="#666666", linewidth=1, linestyle="--")
    _bare(ax)
    return figure


def _bare(ax: Axes) -> None:
    ax.grid(axis="x", which="both", color="#dddddd", linewidth=0.6)
    ax.set_axisbelow(True)
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.tick_params(axis="y", length=0)


def _name(result: Mapping[str, Any]) -> str:
    return f"{NAMES.get(result['rule'], result['rule'])} {result['dtype']}"


def main(
    results: Annotated[Path, typer.Option(help="The folder with cpu.json, gpu.json, modes.json.")] = RESULTS,
    out: Annotated[Path, typer.Option(help="The folder for the pictures.")] = DOCS,
) -> None:
    """Draw what was measured."""
    out.mkdir(parents=True, exist_ok=True)
    pictures: dict[str, tuple[str, Callable[[Any], Figure]]] = {
        "cpu": ("steps_cpu", partial(draw, kind="cpu")),
        "gpu": ("steps_gpu", partial(draw, kind="gpu")),
        "modes": ("modes", draw_modes),
    }
    found = [kind for kind in pictures if (results / f"{kind}.json").is_file()]
    if not found:
        raise typer.BadParameter(f"there are no results in {results}: run python -m bench.cpu first")
    with mpl.rc_context({"svg.hashsalt": "optgen", "svg.fonttype": "none", "font.family": "sans-serif"}):
        for kind in found:
            told = json.loads((results / f"{kind}.json").read_text(encoding="utf-8"))
            name, drawn = pictures[kind]
            drawn(told).savefig(out / f"{name}.svg", metadata={"Date": None})
            print(out / f"{name}.svg")


if __name__ == "__main__":
    typer.run(main)
