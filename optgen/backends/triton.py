"""Triton: two kernels a rule, of which one launch each steps every tensor of a parameter group.

The prologue computes the scalars of each tensor, where step counts lie on the device; the step does all else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import replace
from pathlib import Path
from typing import Any

from optgen.backends import _triton_formats as formats
from optgen.backends import _triton_parameters as parameters
from optgen.backends._formats import takes_seed
from optgen.backends._triton_launches import IN_CHUNKS, IN_TILES, in_phases
from optgen.backends._triton_streams import CONSTANTS, kept_in, record_length
from optgen.backends._triton_time import hypers, kept, kernel_of, lines_of, prologue, row_length, told
from optgen.codecs import Codec
from optgen.dsl.rule import Schedule
from optgen.fused import (
    check_passes,
    flag_arguments,
    flag_names,
    flags_lines,
    lacks_kernels,
    scalars,
    stream,
    streams,
    tuple_text,
)
from optgen.ir import Map, Role, Step, Var
from optgen.languages import TRITON
from optgen.listing import (
    header,
    host_names,
    imports,
    is_elementwise,
    names_in,
    needs_matrix,
    quoted,
    signature,
    suffix,
    woven,
)
from optgen.passes import Program, without_copies
from optgen.passes.phase import phase
from optgen.printers import to_text
from optgen.render import render_python
from optgen.weave import Item
from optgen.wrapping import wrap

FOLDER = "triton_gpu"
RUNTIME = Path(__file__).parents[1] / "runtime" / FOLDER
DEVICE = frozenset(
    """address chunk_of div fp64 load maximum minimum number one_minus_power power put row_of sign sqrt store stream
    tanh tensor_of truth whole_blocks whole_power""".split()
)
TAKEN = DEVICE | frozenset(
    """at chunk clock clocks count factor found_inf goes grad_scale gradients hyper hypers left record records row
    scalars start tail there tensor whole word words BLOCK COMPUTE MAXIMIZE SCALED STRICT TENSORS VEC""".split()
)
# What kernels are given: tensors, then constants after the types of what lies in memory and the static conditions.
STEP = "words records gradients scalars grad_scale found_inf chunk".split()
ONE_PASS = "One chunk of one tensor: whole blocks without a mask, then the rest, or all of a slow chunk, under one."


def emit(program: Program) -> dict[str, str]:
    """A module for the rule, and for that of other shapes. Raises RuleError for what kernels cannot do yet."""
    texts: dict[str, str] = {}
    named = {name: getattr(program.rule, name) for name in ("name", "source", "doc")}
    for at, part in enumerate(without_copies(program).chain):
        name = f"{suffix(at)}.py".lstrip(".")
        texts[name] = _emit(replace(part, rule=replace(part.rule, **named), otherwise=None))
    return texts


def _emit(program: Program) -> str:
    stored, read, one_pass = streams(program), scalars(program), is_elementwise(program)
    check_passes(
        program, "Triton", _taken(program, stored, one_pass), lacks_kernels, formats.problems(program, stored)
    )
    made = _one_pass(program, stored, read) if one_pass else in_phases(program, stored, read)
    kernels = [*made.pop("kernels"), prologue(program, read)]
    used = names_in(line for kernel in kernels for line in lines_of(kernel))
    return render_python(
        "triton.jinja",
        header=header(program.rule, "triton"),
        imports=[*_imports(used, stored, needs_matrix(program)), *made.pop("imports")],
        states=wrap(f"STATES: tuple[str, ...] = {tuple_text(formats.keys(stored))}"),
        inputs=tuple_text(inputs) if (inputs := [n for n, v in stored.items() if v.role is Role.INPUT]) else "",
        scalars=[f'"{v.name}",' for v in read],
        hypers=tuple_text(hypers(program)),
        kept=tuple_text([*kept(program).values()]),
        told=tuple_text(told(program)),
        kernels=kernels,
        flags_opens=signature("flags", flag_arguments(program), "dict[str, bool]"),
        flags=flags_lines(program),
        **made,
    )


def _taken(program: Program, stored: Mapping[str, Var], one_pass: bool) -> frozenset[str]:
    """The names that the module uses itself, which a rule may not give."""
    taken = {*TAKEN, *(f"{name}_{end}" for name in (*stored, *kept(program), "t") for end in ("at", "type"))}
    taken |= formats.taken(stored)
    taken |= {name for name, c in zip(flag_names(program), program.conditions, strict=True) if not c.is_Symbol}
    if not one_pass:
        ends = ("block", "parts", "values") if needs_matrix(program) else ("block",)
        taken |= IN_TILES if needs_matrix(program) else IN_CHUNKS
        taken |= {f"{s.target}_{end}" for step in program.steps for s in step.body for end in ends}
    return frozenset(taken)


def _one_pass(program: Program, stored: Mapping[str, Var], read: Sequence[Var]) -> dict[str, Any]:
    """The kernel of an elementwise rule."""
    conditions, length = flag_names(program), len(kept_in(stored))
    opening = [
        "word = tl.load(words + tl.program_id(0))",
        "tensor = tensor_of(word)",
        f"record = records + tensor * {record_length(length + 1 + takes_seed(program))}",
        f"row = scalars + row_of(word) * {row_length(program, read)}",
        "start = chunk_of(word) * chunk",
        f"left = tl.minimum(tl.load(record + {length}) - start, chunk).to(tl.int32)",
        "if SCALED:",
        "    left = tl.where(truth(found_inf), 0, left)",
        "    factor = div(1.0, tl.load(grad_scale).to(COMPUTE), True)",
        *_pointers(stored),
        *woven(program, lambda s: _read(s, read), conditions=conditions),
        *parameters.chance(stored, len(read), length + 1),
    ]
    constants = [*formats.typed(program, stored), *conditions, *CONSTANTS]
    body = woven(program, lambda s: _body(program, s, stored), conditions=conditions)
    tensors, turn, form = formats.with_numbers(STEP, stored), formats.turn(stored), formats.form(stored)
    return {
        "imports": imports("._phases", ["Form"]) if form else [],
        "kernels": [kernel_of("_step", tensors, constants, ONE_PASS, opening, turn=turn, body=body)],
        "launches": [],
        "kinds": [],
        "form": form,
        "step": "_step",
    }


def emit_schedule(schedule: Schedule) -> None:
    """A schedule has no kernel."""


def storage(made: Codec) -> dict[str, str]:
    """The files that rules with a storage format need besides."""
    return formats.storage(made)


def shared() -> dict[str, str]:
    """The files that every rule of this backend needs."""
    return {path.name: path.read_text(encoding="utf-8") for path in sorted(RUNTIME.glob("_[a-z]*.py"))}


def _imports(used: Set[str], stored: Mapping[str, Var], in_tiles: bool) -> Iterator[str]:
    """The lines that import device functions. Where there are codes, streams are walked otherwise."""
    walked = {"load", "store", *([] if in_tiles else ["inside"])}
    of_codes = used & walked if formats.names(stored) else set()
    if of_codes:
        yield from imports("._codes", of_codes)
    yield from imports("._device", used & DEVICE - of_codes)
    yield from formats.imported(stored, used)
    if used & parameters.FUNCTIONS:
        yield from imports("._parameters", used & parameters.FUNCTIONS)


def _pointers(stored: Mapping[str, Var]) -> Iterator[str]:
    """Where the streams start."""
    for name in stored:
        yield from formats.pointers(stored, name)


def _read(step: Step, read: Sequence[Var]) -> Iterator[Item]:
    """The scalars, but those that are none in this variant."""
    others = {v.name for v in step.vars} - host_names(step)
    for k, v in enumerate(read):
        if v.name not in others:
            yield (f"{v.name} = {'truth' if v.boolean else 'tl.load'}(row + {k})",)


def _body(program: Program, step: Step, stored: Mapping[str, Var]) -> Iterator[Item]:
    """The lines of one variant: loads, one statement a line with the equation it comes from, stores."""
    (part,) = phase(step, everywhere=True)
    for name in part.loads:
        yield from formats.load_lines(name, stream(program, name), stored)
    for statement in quoted(program, step, part.body):
        match statement:
            case Map(target=target, expr=expr):
                yield (f"{target} = {to_text(expr, TRITON)}",)
            case tuple():
                yield statement
    for write in part.stores:
        yield from formats.store_lines(stream(program, write.into), write.value, stored)
