"""Train the demo's language model with AdamW in every storage format: `python -m bench.modes`.

Each format from the same weights and on the same text as fp32, for several seeds. The model computes in fp32 whatever
its weights are stored in, so that the formats alone differ. Prints a table, and writes bench/results/modes.json.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from statistics import mean, stdev
from typing import Annotated, Any

import torch
import typer
from rich.progress import track
from rich.table import Table
from torch import Tensor, nn
from torch.func import functional_call

from bench.arguments import console
from bench.report import RESULTS, machine, versions, write
from optgen import optimizer
from optgen.demo import LR, WARMUP, single_threaded
from optgen.demo.model import CharTransformer, Corpus, batches, fresh_model, loss_of, read_corpus
from optgen.schedules import WarmupCosine

HELD_OUT = 20  # batches


@dataclass(frozen=True, slots=True)
class Mode:
    """A way to store AdamW. storage: as `optgen.optimizer` takes it, None for all in the weights' dtype."""

    title: str
    dtype: torch.dtype = torch.float32
    storage: Mapping[str, str] | str | None = None


def _bf16(title: str, param: str | None = None) -> Mode:
    return Mode(f"bf16, {title}", torch.bfloat16, param and {"param": param, "states": "bf16"})


MODES = {
    "fp32": Mode("fp32"),
    "int8": Mode("8 bits, bitsandbytes' map", storage="int8"),
    "root8": Mode("8 bits, linear and root", storage="root8"),
    "fp8": Mode("8 bits, fp8 e4m3", storage="fp8_e4m3"),
    "int4": Mode("4 bits", storage="int4"),
    "bf16": _bf16("to nearest"),
    "bf16_sr": _bf16("stochastic", "bf16_sr"),
    "bf16_kahan": _bf16("Kahan", "bf16_kahan"),
    "bf16_split8": _bf16("8 bits beside", "bf16_split8"),
    "bf16_split16": _bf16("16 bits beside", "bf16_split16"),
}


def train(
    corpus: Corpus, start: CharTransformer, cls: Any, dtype: torch.dtype, steps: int, seed: int
) -> dict[str, Any]:
    """One run: the loss on text that was held out, in nats a character, and the bytes that are stored of a weight."""
    model = copy.deepcopy(start)  # a call with other weights changes it
    weights = {name: nn.Parameter(x.detach().to(dtype, copy=True)) for name, x in model.named_parameters()}
    chosen = cls(weights.values(), lr=LR)
    schedule = WarmupCosine(chosen, total_steps=steps, warmup_steps=round(steps * WARMUP))

    def predict(x: Tensor) -> Tensor:
        made: Tensor = functional_call(model, {name: weight.float() for name, weight in weights.items()}, (x,))
        return made

    for x, y in batches(corpus.train, steps, seed):
        chosen.zero_grad()
        torch.autograd.backward(loss_of(predict, x, y))
        chosen.step()
        schedule.step()
    with torch.no_grad():
        loss = mean(loss_of(predict, x, y).item() for x, y in batches(corpus.held_out, HELD_OUT, 0))
    kept = [*weights.values(), *(x for state in chosen.state.values() for x in state.values() if x.dim())]
    return {"loss": loss, "bytes": sum(x.nbytes for x in kept) / sum(x.numel() for x in weights.values())}


def table(told: Mapping[str, Any]) -> Table:
    """Losses and bytes of every mode."""
    seeds = told["seeds"]
    shown = Table(title=f"AdamW, {told['steps']} steps: loss on held-out text after training, in nats a character")
    for heading in ("", "bytes a weight", *(f"seed {seed}" for seed in range(seeds)), "mean", "less fp32"):
        shown.add_column(heading, justify="right" if heading else "left")
    for one in told["modes"]:
        apart = [loss - other for loss, other in zip(one["losses"], told["modes"][0]["losses"], strict=True)]
        spread = f" ± {stdev(apart):.4f}" if seeds > 1 else ""
        losses = [f"{loss:.4f}" for loss in one["losses"]]
        beside = f"{mean(apart):+.4f}{spread}" if one is not told["modes"][0] else ""
        shown.add_row(one["title"], f"{one['bytes']:.2f}", *losses, f"{mean(one['losses']):.4f}", beside)
    return shown


def main(
    steps: Annotated[int, typer.Option(help="Steps of each training.", min=10)] = 500,
    seeds: Annotated[int, typer.Option(help="Trainings of each mode.", min=1)] = 3,
    workers: Annotated[int, typer.Option(help="Trainings at a time, with one thread each.", min=1)] = 2,
    out: Annotated[Path, typer.Option("--json", help="Where the figures go.")] = RESULTS / "modes.json",
) -> None:
    """Train in every mode, and write how it ended."""
    screen, corpus = console(), read_corpus()
    built = {name: optimizer("adamw", storage=mode.storage) for name, mode in MODES.items()}
    models = [fresh_model(corpus, seed) for seed in range(seeds)]
    runs = [*product(MODES, range(seeds))]
    with single_threaded(), ThreadPoolExecutor(workers) as pool:
        waiting = [
            pool.submit(train, corpus, models[seed], built[name], MODES[name].dtype, steps, seed) for name, seed in runs
        ]
        ended = [one.result() for one in track(waiting, "trainings", console=screen)]
    found = dict(zip(runs, ended, strict=True))
    modes = [
        {
            "mode": name,
            "title": mode.title,
            "bytes": found[name, 0]["bytes"],
            "losses": [found[name, seed]["loss"] for seed in range(seeds)],
        }
        for name, mode in MODES.items()
    ]
    told = {"machine": machine(), "versions": versions(), "steps": steps, "seeds": seeds, "modes": modes}
    screen.print(table(told))
    write(told, out)


if __name__ == "__main__":
    typer.run(main)
