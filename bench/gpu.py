"""Time steps on a GPU, ours and those of others in turns: `python -m bench.gpu`.

Prints a table for each case and writes all figures to bench/results/gpu.json. Without a GPU it says so and ends with 2.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import torch
import typer

from bench.arguments import RULES, Dtypes, Rounds, Rules, Workloads, console, wanted
from bench.candidates import OURS, Candidate, candidates, make_strict
from bench.fresh import apart
from bench.measure import Case, Result, measure
from bench.report import RESULTS, document, show, write
from bench.timing import Device, Run, Sample
from bench.workloads import DTYPES

USUAL = ["large", "flat", "lora", "tiny"]
STRICT = "optgen strict"
CLOCK = 2e9  # cycles a second, about the highest of a processor
NO_GPU = "bench.gpu needs an NVIDIA or AMD GPU that torch.cuda can use, and there is none: nothing was measured."


class Gpu:
    """Time between events on the device, and the time until a call returns."""

    name = "cuda"

    def time(self, run: Run) -> Sample:
        """Run it twice: on an idle device, and behind a kernel that keeps the device busy while the host gets ahead."""
        step, host = self._between_events(run)
        torch.cuda._sleep(int(2 * host * CLOCK))
        device, _ = self._between_events(run, idle=False)
        return Sample(step, host, device)

    def times(self, run: Run) -> int:
        """One: what is timed begins on an idle device."""
        return 1

    def _between_events(self, run: Run, idle: bool = True) -> tuple[float, float]:
        before, after = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        if idle:
            torch.cuda.synchronize()
        start = time.perf_counter()
        before.record()
        run()
        after.record()
        host = time.perf_counter() - start
        torch.cuda.synchronize()
        return before.elapsed_time(after) / 1e3, host

    def allocated(self, run: Run) -> int:
        """By how many bytes the peak of torch's allocator lies above what is held before."""
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        held = torch.cuda.memory_allocated()
        run()
        torch.cuda.synchronize()
        return torch.cuda.max_memory_allocated() - held

    def probe(self) -> tuple[Run, int]:
        """A copy: each element is read, and another one is written."""
        source, target = (torch.ones(1 << 27, device="cuda") for _ in range(2))
        return lambda: target.copy_(source), 2 * source.nbytes


def contestants(rule: str, compiled: bool) -> Iterator[Candidate]:
    """All candidates for a rule; ours come fast and strict, fused only."""
    for one in candidates(rule, compiled):
        if one.label == OURS:
            yield from (one, replace(one, label=STRICT))
        elif one.label != "optgen eager":
            yield one


def finish(label: str, optimizer: Any) -> None:
    """Make the strict candidate strict."""
    if label == STRICT:
        make_strict(optimizer)


def run(
    asked: Sequence[Case], compiled: bool, device: Device, rounds: int, told: Callable[[list[Result]], None]
) -> list[Result]:
    """Measure each case; `told` hears of all that is there after each."""
    results: list[Result] = []
    for case in asked:
        results.append(measure(case, contestants(case.rule, compiled), device, rounds, finish))
        gc.collect()
        told(results)
    return results


def main(
    rule: Rules = RULES,
    workload: Workloads = USUAL,
    dtype: Dtypes = [*DTYPES],  # noqa: B006
    rounds: Rounds = 51,
    compiled: Annotated[bool, typer.Option(help="Also torch.compile.")] = True,
    out: Annotated[Path, typer.Option("--json", help="Where the figures go.")] = RESULTS / "gpu.json",
) -> None:
    """Time steps on a GPU and write the figures."""
    screen, asked = console(), wanted(rule, workload, dtype)
    if not torch.cuda.is_available():
        screen.print(NO_GPU, soft_wrap=True)
        raise typer.Exit(2)
    compile_s = {name: apart(name, "cuda") for name in rule}

    def told(results: list[Result]) -> None:
        show(screen, results[-1])
        device = torch.cuda.get_device_name()
        write(document(results, compile_s, device=device, cuda=torch.version.cuda, quick=False), out)

    run(asked, compiled, Gpu(), rounds, told)


if __name__ == "__main__":
    typer.run(main)
