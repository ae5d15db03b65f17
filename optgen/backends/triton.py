"""Triton: one kernel a rule; one launch of it steps every tensor of a parameter group."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from optgen.codecs import plain
from optgen.dsl.rule import Schedule
from optgen.dsl.symbols import EXTENTS, Kind
from optgen.errors import Problem, RuleError
from optgen.ir import Map, Place, Role, Step, Var, reads
from optgen.languages import TRITON
from optgen.listing import condition_texts, header, names_in, quoted, woven
from optgen.passes import Program
from optgen.passes.phase import phase
from optgen.printers import to_text
from optgen.render import render_python
from optgen.weave import Item

FOLDER = "triton_gpu"
RUNTIME = Path(__file__).parents[1] / "runtime" / FOLDER
ALWAYS = frozenset(["chunk_of", "load", "row_of", "store", "stream", "tensor_of", "whole_blocks"])
DEVICE = ALWAYS | {"div", "maximum", "minimum", "power", "sign", "sqrt", "tanh", "truth"}
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
RELATIONS = {"!=": "is_not", ">": "above", ">=": "at_least", "<": "below", "<=": "at_most"}
ORDER = (Role.PARAM, Role.GRAD, Role.STATE)
INSTEAD = "leave this rule to the numpy and torch backends"


def emit(program: Program) -> str:
    """The text of the rule's module. Raises RuleError for a rule that needs more than one pass over memory."""
    _refuse(program)
    conditions = [_flag(k, condition) for k, condition in enumerate(program.conditions)]
    streams, scalars = _streams(program), _scalars(program)
    body = woven(program, lambda s: _body(program, s), conditions=conditions)
    prologue = [f"{name}_at = stream(record, {i}, {name}_type, start)" for i, name in enumerate(streams)]
    prologue += [f"left = tl.minimum(tl.load(record + {len(streams)}) - start, chunk).to(tl.int32)"]
    prologue += [f"{v.name} = {'truth' if v.boolean else 'tl.load'}(row + {i})" for i, v in enumerate(scalars)]
    read = {s.name for condition in program.conditions for s in condition.free_symbols}
    arguments = [
        f"{name}: {'bool' if d.kind is Kind.FLAG else 'float'}"
        for d in program.rule.declarations
        for name in d.names
        if name in read
    ]
    flags = [f'"{name}": {text}' for name, text in zip(conditions, condition_texts(program), strict=True)]
    return render_python(
        "triton.jinja",
        header=header(program.rule, "triton"),
        functions=sorted(names_in([*prologue, *body]) & DEVICE | ALWAYS),
        states=_tuple([v.key for v in streams.values() if v.role is Role.STATE]),
        scalars=[f'"{v.name}",' for v in scalars],
        constants=[*(f"{name}_type" for name in streams), *conditions],
        record_length=-(-(len(streams) + 1) // 8) * 8,
        row_length=len(scalars),
        prologue=prologue,
        body=body,
        arguments=["*", *arguments] if arguments else [],
        flags=f"{{{', '.join(flags)}}}",
    )


def emit_schedule(schedule: Schedule) -> None:
    """A schedule has no kernel."""


def shared() -> dict[str, str]:
    """The files that every rule of this backend needs."""
    return {path.name: path.read_text(encoding="utf-8") for path in sorted(RUNTIME.glob("_[a-z]*.py"))}


def _refuse(program: Program) -> None:
    problems = [
        Problem(
            "the Triton backend has no reductions and products yet",
            statement.loc,
            INSTEAD,
        )
        for step in program.steps
        for statement in step.body
        if not isinstance(statement, Map)
    ]
    problems += [
        Problem(
            f"the Triton backend chooses a variant for a parameter group, but {condition} depends on a shape",
            program.rule.loc,
            INSTEAD,
        )
        for condition in program.conditions
        if condition.free_symbols & {*EXTENTS}
    ]
    derived = {f"{name}_{end}" for name in _streams(program) for end in ("at", "type")}
    flags = {_flag(k, c) for k, c in enumerate(program.conditions) if not c.is_Symbol}
    names = {v.name for step in program.steps for v in step.vars} | {c.name for c in program.conditions if c.is_Symbol}
    problems += [
        Problem(
            f"the name {name!r} is one that the generated kernel uses itself",
            program.rule.loc,
            f"choose another, for example {name}_0",
        )
        for name in sorted(names & (TAKEN | derived | flags))
    ]
    if problems:
        raise RuleError.several(list(dict.fromkeys(problems)))


def _flag(k: int, condition: Any) -> str:
    """The name of the constant that says whether the k-th static condition holds."""
    if condition.is_Symbol:
        return str(condition.name)
    left, right = condition.args
    if not (left.is_Symbol and (right.is_Symbol or (right.is_Integer and right >= 0))):
        return f"case_{k + 1}"
    is_nonzero = condition.rel_op == "!=" and right == 0
    return f"has_{left}" if is_nonzero else f"{left}_{RELATIONS[condition.rel_op]}_{right}"


def _tuple(keys: list[str]) -> str:
    quoted = ", ".join(f'"{key}"' for key in keys)
    return f"({quoted},)" if len(keys) == 1 else f"({quoted})"


def _streams(program: Program) -> dict[str, Var]:
    """What lies in memory, by the quantity's name: the parameter, the gradient, the states of any variant."""
    found = {
        _stem(v.name): v
        for step in program.steps
        for v in step.of_role(Role.PARAM, Role.GRAD, Role.STATE)
        if v.place is Place.DEVICE
    }
    return dict(sorted(found.items(), key=lambda item: ORDER.index(item[1].role)))


def _stem(name: str) -> str:
    return name.removesuffix("_prev")


def _scalars(program: Program) -> list[Var]:
    """What the kernel reads of the host, over all variants."""
    steps = sorted(program.steps, key=lambda step: -len(step.vars))
    read = {name for step in steps for statement in step.body for name in reads(statement)}
    found = {v.name: v for step in steps for v in step.vars if v.place is Place.HOST and v.name in read}
    return list(found.values())


def _body(program: Program, step: Step) -> Iterator[Item]:
    """The lines of one variant: loads, one statement a line with the equation it comes from, stores."""
    (part,) = phase(step, everywhere=True)
    for name in part.loads:
        yield (f"{name} = {plain.triton_load(_stem(name))}",)
        if step.var(name).role is Role.GRAD:
            yield ("if MAXIMIZE:", f"    {name} = -{name}")
    for statement in quoted(program, part.body):
        match statement:
            case Map(target=target, expr=expr):
                yield (f"{target} = {to_text(expr, TRITON)}",)
            case tuple():
                yield statement
    for write in part.stores:
        yield (plain.triton_store(_stem(write.into), write.value),)
