"""Time steps on the CPU, ours and those of others in turns: `python -m bench.cpu`.

Prints a table for each case and writes all figures to bench/results/cpu.json.
"""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Annotated

import torch
import typer

from bench.arguments import RULES, Dtypes, Rounds, Rules, Workloads, console, wanted
from bench.candidates import absent, candidates
from bench.fresh import apart
from bench.measure import measure
from bench.report import RESULTS, document, show, write
from bench.timing import Cpu
from bench.workloads import DTYPES

USUAL = ["gpt", "flat", "matrix", "lora", "tiny"]
QUICK = 1 << 12  # elements of the probe


def main(
    rule: Rules = RULES,
    workload: Workloads = USUAL,
    dtype: Dtypes = [*DTYPES],  # noqa: B006
    rounds: Rounds = 21,
    threads: Annotated[int | None, typer.Option(help="Threads; as many as torch takes if not given.")] = None,
    compiled: Annotated[bool, typer.Option(help="Also torch.compile, which takes minutes to compile.")] = False,
    quick: Annotated[bool, typer.Option(help="Small tensors and few rounds, to try everything.")] = False,
    out: Annotated[Path, typer.Option("--json", help="Where the figures go.")] = RESULTS / "cpu.json",
) -> None:
    """Time steps on the CPU and write the figures."""
    screen, asked = console(), wanted(rule, workload, dtype)
    if threads:
        torch.set_num_threads(threads)
    for package, reason in absent().items():
        screen.print(f"{package} is left out: {reason}", highlight=False)
    device, rounds = Cpu(QUICK if quick else 1 << 26), min(rounds, 3) if quick else rounds
    compile_s = {one: apart(one) for one in rule}
    results = []
    for case in [one.shrunk() for one in asked] if quick else asked:
        results.append(measure(case, candidates(case.rule, compiled), device, rounds))
        gc.collect()
        show(screen, results[-1])
        write(document(results, compile_s, device="cpu", quick=quick), out)


if __name__ == "__main__":
    typer.run(main)
