"""Arguments: what is asked of the benchmarks on the command line, for a CPU and a GPU alike."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.console import Console

from bench.measure import Case, cases
from bench.workloads import DTYPES, WORKLOADS

RULES = ["adamw", "sgd", "rmsprop", "adagrad", "lion", "nadam"]

Rules = Annotated[list[str], typer.Option("--rule", help="A prebuilt rule; may be given several times.")]
Workloads = Annotated[list[str], typer.Option("--workload", help=f"Of {', '.join(WORKLOADS)}.")]
Dtypes = Annotated[list[str], typer.Option("--dtype", help=f"Of {', '.join(DTYPES)}; more than fp32 for AdamW only.")]
Rounds = Annotated[int, typer.Option(help="How often each candidate steps.", min=1)]


def wanted(rules: Sequence[str], workloads: Sequence[str], dtypes: Sequence[str]) -> list[Case]:
    """What is to be measured. Raises BadParameter for a name that there is not, with those that there are."""
    try:
        return [*cases(rules, dtypes, workloads)]
    except KeyError as error:
        raise typer.BadParameter(str(error.args[0])) from None


def console() -> Console:
    """Where tables go: as wide as the terminal, or as they need in a file."""
    return Console(width=None if sys.stdout.isatty() else 140)
