"""Verify: generated code against the oracle, for every backend, dtype, variant and class of shapes."""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from functools import partial
from types import ModuleType

from optgen.bounds import BF16, FP16, FP32, FP64
from optgen.dsl.functions import bfloat16
from optgen.dsl.rule import Rule, Schedule
from optgen.errors import OptgenError
from optgen.verify import schedules
from optgen.verify.cases import Shapes, Variant, parameters, shapes_for, smaller, variants, with_eps
from optgen.verify.interpreter import interpreting, verify_in_interpreter
from optgen.verify.lockstep import COUNTS, FEW, Tally, run
from optgen.verify.report import Row, Verdict, judged, passed, summary, table
from optgen.verify.runners import Runner, Storage, machine_of, missing_step, numpy_runner, torch_runner
from optgen.verify.storage import Decoder, decoder

__all__ = ["Row", "Verdict", "is_coded", "passed", "summary", "table", "verify_in_interpreter", "verify_rule"]

Modules = Mapping[str, ModuleType]
Progress = Callable[[int, int, str], None]
NARROW = (Storage(FP32, FP32), Storage(BF16, BF16), Storage(FP16, FP16), Storage(BF16, FP32))
STORAGES = {
    "numpy": (Storage(FP32, FP32), Storage(FP64, FP64)),
    "torch": (*NARROW, Storage(FP64, FP64)),
    "triton": (*NARROW, Storage(FP64, FP64)),
    "c": (*NARROW, Storage(FP64, FP64)),
}
HELD = {"numpy": (Storage(BF16, FP32),)}  # the same of a rule whose parameters have a format, where it differs
FUSED = ("triton", "c")  # stepped through the module of the PyTorch backend
MOST_IN_MPMATH = 400
MOST_IN_INTERPRETER = 5000  # enough for states in codes
SCHEDULES = {"numpy": schedules.run_numpy, "torch": schedules.run_torch}


def verify_rule(
    rule: Rule | Schedule, modules: Modules, progress: Progress | None = None, reader: ModuleType | None = None
) -> list[Row]:
    """Compares the generated modules, by the backend's name, with the oracle. progress(done, total, what) is told.

    For "triton" and "c", pass the module of the PyTorch backend, which calls the fused steps. Those of Triton are
    skipped in a process without TRITON_INTERPRET=1 (see verify_in_interpreter), those in C where none can be compiled.
    reader: the NumPy module of a rule that stores states in codes, which are read by it, where it is not among those.
    Raises OptgenError for a backend that it does not know, and for codes that nothing reads.
    """
    reader = modules.get("numpy", reader)
    work = list(_schedule_work(rule, modules) if isinstance(rule, Schedule) else _work(rule, modules, reader))
    rows: list[Row] = []
    for number, (row, measure) in enumerate(work):
        if progress is not None:
            progress(number, len(work), f"{row.backend} {row.dtype} {row.shape}")
        rows.append(_measured(row, measure))
    if progress is not None:
        progress(len(work), len(work), "")
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.backend, row.dtype), []).append(row)
    rounds = isinstance(rule, Rule) and any(equation.rhs.has(bfloat16) for equation in rule.equations)
    return [row for group in groups.values() for row in judged(group, rounds)]


Work = Iterator[tuple[Row, Callable[[], Tally] | None]]


def _measured(row: Row, measure: Callable[[], Tally] | None) -> Row:
    if measure is None:
        return row
    found = measure()
    verdict, reason = (Verdict.FAIL, found.faults[0]) if found.faults else (Verdict.PASS, found.note)
    return Row(row.rule, row.backend, row.dtype, row.variant, row.shape, found.ratio, found.ulp, found.relative,
               found.decided, found.elements, found.bound, verdict, reason)


def _work(rule: Rule, modules: Modules, reader: ModuleType | None) -> Work:
    if is_coded(rule) and reader is None:
        raise OptgenError(f"{rule.name} stores states in codes, which are read by its NumPy module: pass that too")
    for backend in modules:
        if backend not in STORAGES:
            raise OptgenError(f"verify does not know the backend {backend!r}")
        reason = _why_not(rule, backend, modules[backend])
        if reason:
            yield Row(rule.name, backend, "all", "all", "all", verdict=Verdict.SKIPPED, reason=reason), None
            continue
        held = rule.storage.get("param", "")
        for storage in (HELD if held else STORAGES).get(backend, STORAGES[backend]):
            for variant in variants(rule):
                for shapes in shapes_for(rule):
                    row = Row(rule.name, backend, str(storage), variant.name, shapes.name)
                    limited, read = _limited(shapes, backend, storage), decoder(reader, held)
                    yield row, partial(_compare, rule, backend, modules[backend], storage, variant, limited, read)


def is_coded(rule: Rule | Schedule) -> bool:
    """Whether a rule, or that for other shapes, has storage formats."""
    return isinstance(rule, Rule) and (bool(rule.storage) or is_coded(rule.otherwise))


def _compare(
    rule: Rule, backend: str, module: ModuleType, storage: Storage, variant: Variant, shapes: Shapes, read: Decoder
) -> Tally:
    seed = zlib.crc32(f"{rule.name} {variant.name} {shapes.name}".encode())
    values = parameters(shapes, storage.param, seed)
    runner: Runner
    if backend == "numpy":
        runner = numpy_runner(module, values, variant.hypers, shapes.layout, storage, read)
    else:
        fused = backend in FUSED
        runner = torch_runner(module, values, variant.hypers, shapes.layout, storage, fused=fused, read=read)
    machine = machine_of(storage, runner, read)
    hypers = variant.hypers if machine.param is storage.param else with_eps(rule, variant.hypers, 2 * BF16.unit)
    with interpreting() if backend == "triton" else nullcontext():
        return run(rule, runner, hypers, shapes, storage, seed, FEW if shapes.wild else COUNTS, machine)


def _limited(shapes: Shapes, backend: str, storage: Storage) -> Shapes:
    if storage.param is FP64:
        return smaller(shapes, MOST_IN_MPMATH)
    return smaller(shapes, MOST_IN_INTERPRETER) if backend == "triton" else shapes


def _why_not(rule: Rule, backend: str, module: ModuleType) -> str:
    """Why this backend cannot be compared in this process, or nothing."""
    interprets = os.environ.get("TRITON_INTERPRET") == "1"
    if backend == "triton":
        return "" if interprets else "TRITON_INTERPRET=1 is not set in this process"
    if backend != "c":
        return ""
    return missing_step(module, variants(rule)[0].hypers, shapes_for(rule)[0].shapes[0])


def _schedule_work(schedule: Schedule, modules: Modules) -> Work:
    for backend, module in modules.items():
        if backend in SCHEDULES:
            for variant in variants(schedule):
                row = Row(schedule.name, backend, "fp64", variant.name, "t = 0 to 20")
                yield row, partial(SCHEDULES[backend], schedule, module, variant.hypers)
