"""Time steps on the CPU, ours and those of others in turns: `python -m bench.cpu`.

Prints a table for each case and writes all figures to bench/results/cpu.json.
"""

from __future__ import annotations

import gc
import sys
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.console import Console

from bench.candidates import absent, candidates, class_of
from bench.fresh import apart
from bench.measure import cases, measure
from bench.report import RESULTS, document, show, write
from bench.timing import Cpu
from bench.workloads import WORKLOADS

RULES = ["adamw", "sgd", "rmsprop", "adagrad", "lion", "nadam"]
USUAL = ["gpt", "flat", "matrix", "lora", "tiny"]
QUICK = 1 << 12  # elements of the probe


def main(
    rule: Annotated[list[str], typer.Option(help="A prebuilt rule; may be given several times.")] = RULES,
    workload: Annotated[list[str], typer.Option(help=f"Of {', '.join(WORKLOADS)}.")] = USUAL,
    dtype: Annotated[list[str], typer.Option(help="fp32 or bf16; bf16 is measured for AdamW.")] = ["fp32", "bf16"],  # noqa: B006
    rounds: Annotated[int, typer.Option(help="How often each candidate steps.", min=1)] = 21,
    threads: Annotated[int | None, typer.Option(help="Threads; as many as torch takes if not given.")] = None,
    compiled: Annotated[bool, typer.Option(help="Also torch.compile, which takes minutes to compile.")] = False,
    quick: Annotated[bool, typer.Option(help="Small tensors and few rounds, to try everything.")] = False,
    out: Annotated[Path, typer.Option("--json", help="Where the figures go.")] = RESULTS / "cpu.json",
) -> None:
    """Time steps on the CPU and write the figures."""
    console = Console(width=None if sys.stdout.isatty() else 140)
    try:
        wanted = [(one, class_of(one)) for one in rule] and [WORKLOADS[name] for name in workload]
    except KeyError as error:
        raise typer.BadParameter(str(error.args[0])) from None
    if threads:
        torch.set_num_threads(threads)
    for package, reason in absent().items():
        console.print(f"{package} is left out: {reason}", highlight=False)
    device, rounds = Cpu(QUICK if quick else 1 << 26), min(rounds, 3) if quick else rounds
    compile_s = {one: apart(one) for one in rule}
    results = []
    for case in cases(rule, dtype, [one.shrunk() if quick else one for one in wanted]):
        results.append(measure(case, candidates(case.rule, compiled), device, rounds))
        gc.collect()
        show(console, results[-1])
        write(document(results, compile_s, device="cpu", quick=quick), out)


if __name__ == "__main__":
    typer.run(main)
