"""Demo: a small character-level transformer, trained by generated AdamW and again by torch's own."""

from __future__ import annotations

import importlib.util
import inspect
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, LRScheduler, SequentialLR

from optgen.build import compile, optimizer
from optgen.demo.lockstep import LockStep
from optgen.demo.model import BATCH, CONTEXT, DEPTH, SEED, Corpus, batches, fresh_model, loss_of, read_corpus
from optgen.demo.report import Trace, plot, report
from optgen.errors import OptgenError

LR, WARMUP = 3e-3, 0.1
Made = tuple[torch.optim.Optimizer, LRScheduler]


def run(steps: int, folder: Path, console: Console) -> bool:
    """Both trainings, their comparison and a plot in `folder`. Whether they agree."""
    if importlib.util.find_spec("matplotlib") is None:
        raise OptgenError('the demo draws with Matplotlib, which is not installed\nhint: pip install "optgen[demo]"')
    if steps < 10:
        raise OptgenError(f"the demo needs at least 10 steps, not {steps}\nhint: the first tenth of them is the warmup")
    folder.mkdir(parents=True, exist_ok=True)  # before the long work
    warmup = round(steps * WARMUP)
    built, warmup_cosine = optimizer("adamw"), compile("warmup_cosine", "torch").WarmupCosine
    corpus = read_corpus()

    introduce(corpus, steps, built, console)
    models = [fresh_model(corpus) for _ in range(2)]
    generated, stock = built(models[0].parameters(), lr=LR), torch.optim.AdamW(models[1].parameters(), lr=LR)
    schedule = warmup_cosine(generated, total_steps=steps, warmup_steps=warmup)
    columns = TextColumn("{task.description:<20}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console) as progress, ThreadPoolExecutor(2) as pool, single_threaded():
        bars = [progress.add_task(name, total=steps) for name in ("generated AdamW", "torch.optim.AdamW")]
        ours = pool.submit(train, corpus, models[0], (generated, schedule), steps, True,
                           lambda: progress.advance(bars[0]))
        theirs = pool.submit(train, corpus, models[1], (stock, torch_schedule(stock, steps, warmup)), steps, False,
                             lambda: progress.advance(bars[1]))
        traces = ours.result(), theirs.result()
    plot(*traces, folder / "loss.png")
    return report(*traces, folder / "loss.png", console)


def introduce(corpus: Corpus, steps: int, built: type[torch.optim.Optimizer], console: Console) -> None:
    """Say what is about to happen, and where the compiled optimizer lies."""
    characters = len(corpus.train) + len(corpus.held_out)
    parameters = sum(p.numel() for p in fresh_model(corpus).parameters())
    console.print(f"compiled rules/adamw.py to {inspect.getfile(built)}", highlight=False, soft_wrap=True)
    console.print(f"text: Python's own reference manual, {characters:,} characters, {corpus.vocabulary} different ones")
    console.print(f"model: {DEPTH}-layer transformer, {parameters:,} parameters; {steps} steps of {BATCH} x {CONTEXT} "
                  f"characters, learning rate {LR:g} with warmup and cosine")


def train(corpus: Corpus, model: nn.Module, made: Made, steps: int, compare: bool,
          advance: Callable[[], None]) -> Trace:
    """One run. `compare` also steps torch's AdamW from the same point each time."""
    chosen, schedule = made
    trace = Trace()
    beside = LockStep(model.parameters()) if compare else None
    for x, y in batches(corpus.train, steps, SEED):
        loss = loss_of(model, x, y)
        chosen.zero_grad()
        torch.autograd.backward(loss)
        if beside:
            beside.prepare(chosen)
        trace.rates.append(float(chosen.param_groups[0]["lr"]))
        chosen.step()
        schedule.step()
        if beside:
            trace.gap = trace.gap.worst(beside.compare())
        trace.losses.append(loss.item())
        advance()
    with torch.no_grad():
        held_out = [loss_of(model, x, y).item() for x, y in batches(corpus.held_out, 10, SEED)]
    trace.held_out = sum(held_out) / len(held_out)
    return trace


def torch_schedule(stock: torch.optim.Optimizer, steps: int, warmup: int) -> LRScheduler:
    """Warmup from (nearly) 0, then a cosine to 0, from torch's own parts: LinearLR refuses to start at exactly 0."""
    rise = LinearLR(stock, start_factor=1e-12, total_iters=warmup)
    return SequentialLR(stock, [rise, CosineAnnealingLR(stock, steps - warmup)], milestones=[warmup])


@contextmanager
def single_threaded() -> Iterator[None]:
    """One core for each of the two runs: torch's own threads wait for each other whenever a core is busy elsewhere."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
