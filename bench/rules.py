"""How near every rule is to its reference, and what its step costs: `python -m bench.rules`.

Prints a row for each, and writes bench/results/rules.json and docs/rules.md.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import torch
import typer

from bench.accuracy import STEPS, difference, judged
from bench.arguments import console
from bench.candidates import OURS, Candidate, candidates
from bench.measure import Case, measure
from bench.references import EVERY
from bench.report import RESULTS, machine, versions, write
from bench.timing import Cpu
from bench.workloads import SETTINGS, WORKLOADS, bytes_of_equations, optimizer_rule
from optgen import optim
from optgen.passes import lower, without_copies
from optgen.show import launch_counts

TABLE = Path(__file__).resolve().parents[1] / "docs" / "rules.md"
QUICK = 1 << 12  # elements of the probe
HEADINGS = ("class", "reference", "difference", "error/bound", "launches", "bytes", "C/floor", "C ms", "reference/C")
ABOUT = f"""
- **difference** of the parameters from those of the reference after {STEPS} steps in float64, with weight decay,
  missing gradients and a late group where the reference admits them: the worst of several settings, relative to the
  largest value of the tensor. It shows what a reference keeps in fewer bits: QHAdam its weights of the past in float32,
  Muon its products in bfloat16.
- **error/bound**: the largest error of a step in float32 as a part of the rounding error that it may make, over
  variants and classes of shapes.
- **launches** of kernels for a whole group of parameters on a GPU, by variants.
- **bytes** that a step must read and write for each float32 parameter.
- **C/floor, C ms**: a step of a float32 matrix of 4096x4096 in C, over the time that moving those bytes in place takes.
- **reference/C**: the time of the reference's step over that, in the same run; of torch's classes the fastest's.
"""


@dataclass(frozen=True, slots=True)
class Row:
    """A class's figures. settings: how many it was compared with its reference on.

    difference: from the reference, the largest of any parameter and setting, relative to the parameter's largest value.
    error: of a step in float32, the largest as a part of its bound. decided: the part of the numbers that have a bound
    and lie at no edge of a branch. launches: on a GPU, by variants. bytes: that a step must move for a float32 element.
    has_c: whether it is stepped in C. over_floor, ms: of such a step of a matrix of 4096x4096, over the time that
    moving the bytes in place takes. fastest: whose time reference_over_ours tells.
    """

    name: str
    reference: str
    settings: int
    difference: float
    error: float
    decided: float
    launches: list[int]
    bytes: int
    has_c: bool
    over_floor: float | None = None
    ms: float | None = None
    fastest: str = ""
    reference_over_ours: float | None = None


def main(
    rule: Annotated[list[str] | None, typer.Option(help="Of these classes only; then no table is written.")] = None,
    rounds: Annotated[int, typer.Option(help="How often each candidate steps.", min=1)] = 7,
    threads: Annotated[int | None, typer.Option(help="Threads; as many as torch takes if not given.")] = None,
    quick: Annotated[bool, typer.Option(help="Small tensors and few rounds, to try everything.")] = False,
    out: Annotated[Path, typer.Option("--json", help="Where the figures go.")] = RESULTS / "rules.json",
    table: Annotated[Path, typer.Option(help="Where the table goes.")] = TABLE,
) -> None:
    """Measure every rule and write the figures."""
    for name in rule or ():
        if name not in EVERY:
            raise typer.BadParameter(f"there is no class {name!r} here: choose from {', '.join(EVERY)}")
    screen = console()
    if threads:
        torch.set_num_threads(threads)
    device, rows = Cpu(QUICK if quick else 1 << 26), list[Row]()
    for name in rule or EVERY:
        row = accuracy(name)
        if row.has_c:
            row = timed(row, device, 1 if quick else rounds, quick)
            gc.collect()
        rows.append(row)
        screen.print(" | ".join(cells(row)), highlight=False, markup=False, soft_wrap=True)
        told = {"machine": machine(), "versions": versions(), "threads": torch.get_num_threads(), "quick": quick}
        write({**told, "rows": [asdict(row) for row in rows]}, out)
        if not rule:
            table.write_text("\n".join(lines(rows, told)) + "\n", encoding="utf-8")


def accuracy(name: str) -> Row:
    """A class's row without times."""
    reference, program = EVERY[name], without_copies(lower(optimizer_rule(name.lower())))
    worst, decided, elements = 0.0, 0, 0
    for tally in judged(name.lower()):
        assert not tally.faults, f"{name}: {tally.faults[0]}"
        worst, decided, elements = max(worst, tally.ratio), decided + tally.decided, elements + tally.elements
    return Row(
        name,
        reference.name,
        len(reference.settings),
        max(difference(name, reference, settings) for settings in reference.settings),
        worst,
        decided / elements,
        launch_counts(program),
        bytes_of_equations(name.lower(), SETTINGS.get(name.lower(), {}), 1, 4),
        "cpu" in getattr(optim, name).rule.fused,
    )


def timed(row: Row, device: Cpu, rounds: int, quick: bool) -> Row:
    """The row with the times of a matrix, the reference's among them: torch's own classes, or that of a package."""
    case = Case(row.name.lower(), "fp32", WORKLOADS["matrix"])
    result = measure(case.shrunk() if quick else case, others_of(row.name), device, rounds)
    for label, reason in result.refused.items():
        print(f"{label} is left out: {reason}")
    ours, *others = result.measured
    fastest = min(others, key=lambda one: one.over_ours, default=None)
    row = replace(row, over_floor=1 / ours.fraction, ms=ours.median_ms)
    return replace(row, fastest=fastest.candidate, reference_over_ours=fastest.over_ours) if fastest else row


def others_of(name: str) -> Iterator[Candidate]:
    """The class and those it is timed beside: torch's own where it has the rule, else the reference."""
    every = [one for one in candidates(name.lower(), compiled=False) if one.label == OURS or "torch " in one.label]
    yield from every
    reference, settings = EVERY[name], SETTINGS.get(name.lower(), {})
    if len(every) == 1:
        yield Candidate(reference.name, partial(reference.make, **{**settings, **reference.given}))


def cells(row: Row) -> list[str]:
    """A row as texts, one for each heading."""
    peer = "" if row.fastest in ("", row.reference) else f" ({row.fastest})"
    return [
        row.name,
        row.reference,
        f"{row.difference:.1e}",
        f"{row.error:.2f}",
        " or ".join(map(str, row.launches)) or "eager",
        str(row.bytes),
        *(["", "", "products"] if row.over_floor is None else [f"{row.over_floor:.2f}", f"{row.ms:.1f}", (
            "" if row.reference_over_ours is None else f"{row.reference_over_ours:.2f}{peer}")]),
    ]


def lines(rows: Sequence[Row], told: Mapping[str, Any]) -> list[str]:
    """The table as Markdown, with what its columns mean."""
    about = told["machine"]
    return [
        "# Every rule: accuracy and cost",
        "",
        f"Written by `python -m bench.rules` on {about['processor']}, {told['threads']} threads"
        f"{', AVX-512' if about['avx512'] else ''}, torch {told['versions']['torch']}.",
        "",
        *ABOUT.strip().splitlines(),
        "",
        f"| {' | '.join(HEADINGS)} |",
        f"|{'---|' * len(HEADINGS)}",
        *(f"| {' | '.join(cells(row))} |" for row in rows),
    ]


if __name__ == "__main__":
    typer.run(main)
