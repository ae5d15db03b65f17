"""How far AdamW in each storage format ends from AdamW in fp32: `python -m bench.distance`.

Beside ours those of bitsandbytes and torchao, where they are installed. The same gradients are computed from each one's
own parameters; a distance is divided by the way that fp32 has gone. Prints a table, and writes
bench/results/distance.json.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from rich.table import Table
from torch import Tensor, nn

from bench.arguments import console
from bench.modes import MODES
from bench.report import RESULTS, versions, write
from optgen import optimizer

SHAPE = (64, 128)
LR = 1e-3
Build = Callable[[list[nn.Parameter]], Any]


@dataclass(frozen=True, slots=True)
class Problem:
    """gradient: of parameters, and of standard normal numbers, new ones at each step. Both in float32."""

    title: str
    gradient: Callable[[Tensor, Tensor], Tensor]


def _problems() -> dict[str, Problem]:
    draw = torch.Generator().manual_seed(1)
    curvature, mean, size = (torch.randn(SHAPE, generator=draw) for _ in range(3))
    curvature = 10 ** (-3 * torch.rand(SHAPE, generator=draw))
    return {
        "quadratic": Problem("quadratic, curvatures 1e-3 to 1", lambda x, _: curvature * (x - 1)),
        "noise": Problem("noise around a mean", lambda _, noise: mean / 3 + noise),
        "log-normal": Problem("noise of log-normal sizes", lambda _, noise: torch.exp(3 * size) * (mean / 3 + noise)),
    }


PROBLEMS = _problems()


def others() -> dict[str, tuple[torch.dtype, Build]]:
    """The classes of other packages, by what the table calls them."""
    found: dict[str, tuple[torch.dtype, Build]] = {}
    if find_spec("bitsandbytes"):
        cls = import_module("bitsandbytes").optim.AdamW8bit
        found["bitsandbytes 8 bits"] = torch.float32, partial(cls, lr=LR, weight_decay=1e-2)
    if find_spec("torchao"):
        ao = import_module("torchao.optim")
        for title, name in (("8 bits", "AdamW8bit"), ("fp8", "AdamWFp8"), ("4 bits", "AdamW4bit")):
            found[f"torchao {title}"] = torch.float32, partial(getattr(ao, name), lr=LR)
        stochastic = partial(ao._AdamW, lr=LR, bf16_stochastic_round=True)
        found["torchao bf16, stochastic"] = torch.bfloat16, stochastic
    return found


def walked(build: Build, dtype: torch.dtype, gradient: Callable[[Tensor, Tensor], Tensor], steps: int) -> Tensor:
    """Where the parameters end."""
    draw = torch.Generator().manual_seed(0)
    param = nn.Parameter((0.02 * torch.randn(SHAPE, generator=draw)).bfloat16().to(dtype))
    made = build([param])
    for _ in range(steps):
        param.grad = gradient(param.detach().float(), torch.randn(SHAPE, generator=draw)).to(dtype)
        made.step()
    return param.detach().double()


def distance(end: Tensor, plain: Tensor) -> float:
    """How far an end is from that in fp32, over the way that this has gone."""
    start = (0.02 * torch.randn(SHAPE, generator=torch.Generator().manual_seed(0))).bfloat16().double()
    return float((end - plain).norm() / (plain - start).norm())


def measured(steps: int) -> dict[str, dict[str, float]]:
    """The distance of each way to store AdamW on each problem."""
    ours: dict[str, tuple[torch.dtype, Build]] = {
        mode.title: (mode.dtype, partial(optimizer("adamw", storage=mode.storage), lr=LR)) for mode in MODES.values()
    }
    found: dict[str, dict[str, float]] = {}
    with torch.compiler.set_stance("force_eager"):  # torchao's would compile for minutes
        plain = {name: walked(ours["fp32"][1], torch.float32, one.gradient, steps) for name, one in PROBLEMS.items()}
        for title, (dtype, build) in {**ours, **others()}.items():
            if title != "fp32":
                ends = {name: walked(build, dtype, one.gradient, steps) for name, one in PROBLEMS.items()}
                found[title] = {name: distance(end, plain[name]) for name, end in ends.items()}
    return found


def table(told: Mapping[str, Any]) -> Table:
    """Distances."""
    shown = Table(title=f"AdamW, {told['steps']} steps: how far from fp32, over the way gone")
    for heading in ("", *(one.title for one in PROBLEMS.values())):
        shown.add_column(heading, justify="right" if heading else "left")
    for title, found in told["distances"].items():
        shown.add_row(title, *(f"{found[name]:.2g}" if math.isfinite(found[name]) else "-" for name in PROBLEMS))
    return shown


def main(
    steps: Annotated[int, typer.Option(help="Steps.", min=1)] = 200,
    out: Annotated[Path, typer.Option("--json", help="Where the figures go.")] = RESULTS / "distance.json",
) -> None:
    """Step in every format, and write how far each ends."""
    told = {"versions": versions(), "steps": steps, "distances": measured(steps)}
    console().print(table(told))
    write(told, out)


if __name__ == "__main__":
    typer.run(main)
