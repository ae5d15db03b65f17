"""Triton: one kernel a rule; one launch of it steps every tensor of a parameter group."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from optgen.codecs import plain
from optgen.dsl.rule import Schedule
from optgen.fused import check_one_pass, flag_arguments, flag_names, flags_text, scalars, stream, streams, tuple_text
from optgen.ir import Map, Role, Step
from optgen.languages import TRITON
from optgen.listing import header, names_in, quoted, woven
from optgen.passes import Program
from optgen.passes.phase import phase
from optgen.printers import to_text
from optgen.render import render_python
from optgen.weave import Item

FOLDER = "triton_gpu"
RUNTIME = Path(__file__).parents[1] / "runtime" / FOLDER
ALWAYS = frozenset(["chunk_of", "load", "row_of", "store", "stream", "tensor_of", "whole_blocks"])
DEVICE = ALWAYS | {"div", "maximum", "minimum", "power", "sign", "sqrt", "tanh", "truth", "whole_power"}
TAKEN = DEVICE | {
    "at",
    "chunk",
    "left",
    "record",
    "records",
    "row",
    "scalars",
    "start",
    "tail",
    "whole",
    "word",
    "words",
    "BLOCK",
    "COMPUTE",
    "MAXIMIZE",
    "STRICT",
    "VEC",
}


def emit(program: Program) -> str:
    """The text of the rule's module. Raises RuleError for a rule that needs more than one pass over memory."""
    conditions, stored, read = flag_names(program), streams(program), scalars(program)
    derived = {f"{name}_{end}" for name in stored for end in ("at", "type")}
    made = {name for name, c in zip(conditions, program.conditions, strict=True) if not c.is_Symbol}
    check_one_pass(program, "Triton", TAKEN | derived | made)
    body = woven(program, lambda s: _body(program, s), conditions=conditions)
    prologue = [f"{name}_at = stream(record, {i}, {name}_type, start)" for i, name in enumerate(stored)]
    prologue += [f"left = tl.minimum(tl.load(record + {len(stored)}) - start, chunk).to(tl.int32)"]
    prologue += [f"{v.name} = {'truth' if v.boolean else 'tl.load'}(row + {i})" for i, v in enumerate(read)]
    return render_python(
        "triton.jinja",
        header=header(program.rule, "triton"),
        functions=sorted(names_in([*prologue, *body]) & DEVICE | ALWAYS),
        states=tuple_text([v.key for v in stored.values() if v.role is Role.STATE]),
        scalars=[f'"{v.name}",' for v in read],
        constants=[*(f"{name}_type" for name in stored), *conditions],
        record_length=-(-(len(stored) + 1) // 8) * 8,
        row_length=len(read),
        prologue=prologue,
        body=body,
        arguments=flag_arguments(program),
        flags=flags_text(program),
    )


def emit_schedule(schedule: Schedule) -> None:
    """A schedule has no kernel."""


def shared() -> dict[str, str]:
    """The files that every rule of this backend needs."""
    return {path.name: path.read_text(encoding="utf-8") for path in sorted(RUNTIME.glob("_[a-z]*.py"))}


def _body(program: Program, step: Step) -> Iterator[Item]:
    """The lines of one variant: loads, one statement a line with the equation it comes from, stores."""
    (part,) = phase(step, everywhere=True)
    for name in part.loads:
        yield (f"{name} = {plain.triton_load(stream(program, name))}",)
        if step.var(name).role is Role.GRAD:
            yield ("if MAXIMIZE:", f"    {name} = -{name}")
    for statement in quoted(program, step, part.body):
        match statement:
            case Map(target=target, expr=expr):
                yield (f"{target} = {to_text(expr, TRITON)}",)
            case tuple():
                yield statement
    for write in part.stores:
        yield (plain.triton_store(stream(program, write.into), write.value),)
