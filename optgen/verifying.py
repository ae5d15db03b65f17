"""Verifying: generated code compared with its equations, as a table that fills in while it runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from optgen.build import backend as backend_module
from optgen.build import backend_names, compile
from optgen.codecs import check_storage
from optgen.dsl.formats import with_storage
from optgen.dsl.load import load
from optgen.dsl.rule import Rule, Schedule
from optgen.errors import RuleError
from optgen.passes import lower
from optgen.passes.validate import validate
from optgen.verify import Row, Verdict, is_coded, passed, summary, verify_in_interpreter, verify_rule
from optgen.verify.magnitudes import STEPS, WITHIN, distances

BRIEF = ("rule", "backend", "dtype")
FULL = (*BRIEF, "shape")
STYLES = {Verdict.PASS: "green", Verdict.FAIL: "bold red", Verdict.VACUOUS: "red", Verdict.SKIPPED: "yellow"}


def run(
    names: Sequence[str], backends: Sequence[str] | None, brief: bool, console: Console, storage: str | None = None
) -> bool:
    """Verify each rule and print a table; `brief` has one row for all classes of shapes. Whether all passed.

    storage: the formats in which states are kept, as `formats_of` takes them.
    """
    for name in backends or ():
        backend_module(name)
    rules = [load(name) if storage is None else with_storage(load(name), storage) for name in names]
    for rule in rules:
        validate(rule)  # what is wrong is told before the long work
        if isinstance(rule, Rule):
            check_storage(lower(rule))
    found: list[Row] = []
    good = True
    percent = TextColumn("{task.percentage:>3.0f} %")
    columns = TextColumn("{task.description}"), BarColumn(), percent, TimeElapsedColumn()
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task("", total=len(names))
        for position, (name, rule) in enumerate(zip(names, rules, strict=True)):
            rows = list(_rows(name, rule, backends or backend_names(), progress, bar, position))
            good &= passed(rows)
            found += rows
    console.print(_table(summary(found, BRIEF if brief else FULL)))
    failed = sum(row.verdict in (Verdict.FAIL, Verdict.VACUOUS) for row in found)
    skipped = sum(row.verdict is Verdict.SKIPPED for row in found)
    passes = len(found) - failed - skipped
    console.print(f"{len(found)} comparisons: {passes} passed, {failed} failed, {skipped} skipped",
                  style="green" if good else "red")
    _tell_magnitudes([rule for rule in rules if isinstance(rule, Rule) and _has_magnitudes(rule)], console)
    return good


def _has_magnitudes(rule: Rule) -> bool:
    """Whether a rule has states in codes, and can be stepped with gradients alone."""
    return bool(rule.storage) and "param" not in rule.storage and not rule.inputs


def _tell_magnitudes(rules: Sequence[Rule], console: Console) -> None:
    """For gradients of which size states in codes do what those in float32 do."""
    if not rules:
        return
    table = Table(title=f"distance from float32 after {STEPS} steps, over the way gone")
    table.add_column("gradients", justify="right")
    found = []
    for rule in rules:
        plain = rule.otherwise if rule.min_numel is not None else replace(rule, storage={})
        table.add_column(f"{rule.name}: {', '.join(dict.fromkeys(rule.storage.values()))}", justify="right")
        found.append(distances(compile(rule, "numpy"), compile(plain, "numpy")))
    for row in zip(*found, strict=True):
        table.add_row(f"{row[0].magnitude:.0e}", *(f"{one.error:.1%}" for one in row))
    console.print(table)
    for rule, column in zip(rules, found, strict=True):
        good = [f"{one.magnitude:.0e}" for one in column if one.is_within(WITHIN)]
        range_told = f", {good[0]} to {good[-1]}" if good else ""
        told = f"{rule.name} stays within {WITHIN:.0%} at {len(good)} of {len(column)} sizes{range_told}"
        console.print(told, highlight=False)


def _rows(
    name: str, rule: Rule | Schedule, backends: Sequence[str], progress: Progress, bar: TaskID, position: int
) -> Iterator[Row]:
    """All comparisons of one rule. Triton runs in an interpreter of its own, in another process."""
    def advance(done: int, total: int, what: str) -> None:
        progress.update(bar, completed=position + done / max(total, 1), description=f"{rule.name} {what}")

    fused = [] if isinstance(rule, Schedule) else [backend for backend in ("c", "triton") if backend in backends]
    refused = {backend: reason for backend in fused if (reason := _why_refused(rule, backend))}
    modules = {backend: compile(rule, backend) for backend in backends if backend not in ("c", "triton")}
    if "c" in fused and "c" not in refused:
        modules["c"] = compile(rule, "torch")
    reader = compile(rule, "numpy") if is_coded(rule) else None
    yield from verify_rule(rule, modules, advance, reader)
    for backend, reason in refused.items():
        yield Row(rule.name, backend, "", "", "", verdict=Verdict.SKIPPED, reason=reason)
    if "triton" in fused and "triton" not in refused:
        yield from verify_in_interpreter(name, advance)


def _why_refused(rule: Rule | Schedule, backend: str) -> str:
    """Why a backend does not take a rule, or nothing."""
    try:
        compile(rule, backend)
    except RuleError as error:
        return error.problems[0].message
    return ""


def _table(rows: Sequence[Row]) -> Table:
    table = Table(title="generated code against the equations")
    for heading in ("rule", "backend", "dtype", "shapes"):
        table.add_column(heading)
    for heading in ("error / bound", "ulp"):
        table.add_column(heading, justify="right")
    table.add_column("verdict")
    table.add_column("reason", overflow="fold")
    for row in rows:
        verdict = f"[{STYLES[row.verdict]}]{row.verdict.value}[/]"
        table.add_row(row.rule, row.backend, row.dtype, row.shape, f"{row.ratio:.3f}", f"{row.ulp:.3g}", verdict,
                      escape(row.reason))
    return table
