"""Judge the generated Triton kernels by their machine code, without a GPU: `python -m bench.gpu_static [RULE ...]`.

Each kernel is compiled ahead of time for a named target and disassembled with the tools of the Triton wheel. A loop's
figures are those of its usual turn: the way round that moves the most bytes, then calls and executes the least.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated

import triton
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from bench.aot import Verdict, has_kernel, judge
from bench.work import cases
from optgen.build import configuration

TARGETS = (80, 90, 100)
COLUMNS: dict[str, Callable[[Verdict], object]] = {
    "rule": lambda v: f"{v.rule} {v.storage}".strip(),
    "conditions": lambda v: "all" if v.variant else "none",
    "dtypes": lambda v: v.mix,
    "sm": lambda v: v.target,
    "mode": lambda v: "strict" if v.strict else "fast",
    "pass": lambda v: v.number,
    "registers": lambda v: v.registers,
    "loads": lambda v: _widths(v.main.loads),
    "stores": lambda v: _widths(v.main.stores),
    "bytes/elem": lambda v: f"{v.main.bytes:.2f}",
    "minimum": lambda v: f"{v.minimum:.6g}",
    "instr/elem": lambda v: f"{v.main.instructions:.1f}",
    "tail": lambda v: f"{v.tail.instructions:.1f}",
    "spills": lambda v: v.spills + v.stack + v.local,
    "fp64": lambda v: v.main.fp64,
    "atomics": lambda v: v.main.atomics,
    "calls": lambda v: v.main.calls,
    "masked": lambda v: v.main.predicated,
}


def main(
    rules: Annotated[list[str] | None, typer.Argument(help="Rules; all that have kernels if none.")] = None,
    target: Annotated[list[int], typer.Option(help="Compute capability times ten.")] = list(TARGETS),  # noqa: B006
    mode: Annotated[list[str], typer.Option(help="fast or strict.")] = ["fast", "strict"],  # noqa: B006
    storage: Annotated[list[str], typer.Option(help="Formats, as optgen build takes them.")] = [""],  # noqa: B006
    out: Annotated[Path | None, typer.Option("--json", help="Also write the figures to this file.")] = None,
    processes: Annotated[int, typer.Option(help="How many kernels to compile at a time.")] = 2,
) -> None:
    """Print registers, widths, bytes and instructions per element of every kernel."""
    console = Console(width=None if sys.stdout.isatty() else 200)
    if triton.knobs.runtime.interpret:
        console.print("TRITON_INTERPRET is set: a process that interprets kernels cannot compile them")
        raise typer.Exit(2)
    names = rules or [name for name in configuration(Path.cwd()).rules if has_kernel(name)]
    wanted = list(cases(names, target, [one == "strict" for one in mode], storage))
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        results = track(pool.map(judge, wanted), "compiling", len(wanted), console=Console(stderr=True))
        verdicts = list(results)
    console.print(_table(verdicts))
    if out:
        versions = {name: version(name) for name in ("triton", "torch")}
        text = json.dumps({"versions": versions, "verdicts": [asdict(v) for v in verdicts]}, indent=1)
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text + "\n", encoding="utf-8")


def _table(verdicts: Iterable[Verdict]) -> Table:
    title = "Generated Triton kernels: the main loop, and the masked loop's instructions per element as `tail`"
    table = Table(*COLUMNS, title=title)
    for verdict in verdicts:
        table.add_row(*(str(show(verdict)) for show in COLUMNS.values()))
    return table


def _widths(counts: Mapping[str, int]) -> str:
    return " ".join(f"{count}x{8 * int(width)}" for width, count in counts.items())


if __name__ == "__main__":
    typer.run(main)
