"""Triton: two kernels a rule, of which one launch each steps every tensor of a parameter group.

The prologue computes the scalars of each tensor, where step counts lie on the device; the step does all else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from optgen.dsl.rule import Schedule
from optgen.fused import check_one_pass, flag_arguments, flag_names, flags_text, scalars, stream, streams, tuple_text
from optgen.ir import Map, Place, Role, Step, Var, reads
from optgen.languages import TRITON, TRITON_SCALAR
from optgen.listing import header, host_names, imports, names_in, quoted, signature, woven
from optgen.passes import Program
from optgen.passes.phase import phase
from optgen.printers import to_text
from optgen.render import render_python
from optgen.weave import Item

FOLDER = "triton_gpu"
RUNTIME = Path(__file__).parents[1] / "runtime" / FOLDER
ALWAYS = frozenset("chunk_of div load number row_of store stream tensor_of truth whole_blocks".split())
DEVICE = ALWAYS | frozenset(
    "address fp64 maximum minimum one_minus_power power put sign sqrt tanh whole_power".split()
)
TAKEN = DEVICE | frozenset(
    """at chunk clock clocks count factor found_inf goes grad_scale gradients hyper hypers left record records row
    scalars start tail there tensor whole word words BLOCK COMPUTE MAXIMIZE SCALED STRICT TENSORS VEC""".split()
)
# What kernels are given: tensors, then constants after the types of what lies in memory and the static conditions.
STEP = "words records gradients scalars grad_scale found_inf chunk".split()
PROLOGUE = "clocks hypers scalars found_inf count".split()
MODES = "MAXIMIZE SCALED STRICT COMPUTE BLOCK VEC".split()


def emit(program: Program) -> str:
    """The text of the rule's module. Raises RuleError for a rule that needs more than one pass over memory."""
    conditions, stored, read, kept = flag_names(program), streams(program), scalars(program), _kept(program)
    derived = {f"{name}_{end}" for name in [*stored, *kept, "t"] for end in ("at", "type")}
    made = {name for name, c in zip(conditions, program.conditions, strict=True) if not c.is_Symbol}
    check_one_pass(program, "Triton", TAKEN | derived | made)
    opening = [*_pointers(stored), *woven(program, lambda s: _read(s, read), conditions=conditions)]
    body = woven(program, lambda s: _body(program, s), conditions=conditions)
    given, is_counted = _given(program), _is_counted(program)
    hypers = [name for name, var in given.items() if var.role is Role.HYPER]
    clock = [*(["t"] if is_counted else []), *kept]
    host = ["goes = there & ~truth(found_inf) if SCALED else there"] if clock else []
    host += _winding(given, hypers, len(kept), is_counted)
    host += woven(program, lambda s: _host(s, read, [*kept]), conditions=conditions)
    host += ["put(t_at, t, goes)"] if is_counted else []
    return render_python(
        "triton.jinja",
        header=header(program.rule, "triton"),
        imports=imports("._device", names_in([*opening, *body, *host]) & DEVICE | ALWAYS),
        states=tuple_text([v.key for v in stored.values() if v.role is Role.STATE]),
        scalars=[f'"{v.name}",' for v in read],
        hypers=tuple_text(hypers),
        kept=tuple_text([*kept.values()]),
        told=tuple_text(_told(given)),
        step_opens=_opens("_step", STEP, [*(f"{name}_type" for name in stored), *conditions, *MODES]),
        prologue_opens=_opens("_prologue", PROLOGUE, [*(f"{n}_type" for n in clock), *conditions, "SCALED", "TENSORS"]),
        record_length=-(-len(stored) // 8) * 8,
        row_length=len(read),
        hypers_length=len(hypers),
        clock_length=2 + len(kept) + len(_told(given)),
        opening=opening,
        numel=len(stored) - 1,
        body=body,
        host=host,
        arguments=flag_arguments(program),
        flags=flags_text(program),
    )


def emit_schedule(schedule: Schedule) -> None:
    """A schedule has no kernel."""


def shared() -> dict[str, str]:
    """The files that every rule of this backend needs."""
    return {path.name: path.read_text(encoding="utf-8") for path in sorted(RUNTIME.glob("_[a-z]*.py"))}


def _opens(name: str, tensors: Sequence[str], constants: Sequence[str]) -> list[str]:
    return signature(name, [*(f"{x}: tl.tensor" for x in tensors), *(f"{x}: tl.constexpr" for x in constants)], "None")


def _pointers(stored: Mapping[str, Var]) -> Iterator[str]:
    """Where the streams start."""
    k = 0
    for name, var in stored.items():
        is_grad = var.role is Role.GRAD
        yield f"{name}_at = stream({'gradients + tensor' if is_grad else f'record + {k}'}, {name}_type, start)"
        k += not is_grad


def _read(step: Step, read: Sequence[Var]) -> Iterator[Item]:
    """The scalars, but those that are none in this variant."""
    others = {v.name for v in step.vars} - host_names(step)
    for k, v in enumerate(read):
        if v.name not in others:
            yield (f"{v.name} = {'truth' if v.boolean else 'tl.load'}(row + {k})",)


def _body(program: Program, step: Step) -> Iterator[Item]:
    """The lines of one variant: loads, one statement a line with the equation it comes from, stores."""
    (part,) = phase(step, everywhere=True)
    for name in part.loads:
        yield (f"{name} = {_load(stream(program, name))}",)
        if step.var(name).role is Role.GRAD:
            yield ("if SCALED:", f"    {name} = factor * {name}")
            yield ("if MAXIMIZE:", f"    {name} = -{name}")
    for statement in quoted(program, step, part.body):
        match statement:
            case Map(target=target, expr=expr):
                yield (f"{target} = {to_text(expr, TRITON)}",)
            case tuple():
                yield statement
    for write in part.stores:
        yield (_store(stream(program, write.into), write.value),)


def _is_counted(program: Program) -> bool:
    """Whether the rule stores its step count."""
    reads_t = any(v.name == "t" for step in program.steps for v in step.vars)
    return reads_t or "step" in program.rule.state_keys.values()


def _kept(program: Program) -> dict[str, str]:
    """The states that are scalars of the host, by the quantity's name, with their keys."""
    past = (v for step in program.steps for v in step.of_role(Role.STATE) if v.place is Place.HOST)
    return {v.name.removesuffix("_prev"): v.key for v in past}


def _given(program: Program) -> dict[str, Var]:
    """What no statement of the host computes, but some variant's statements read of it."""
    found: dict[str, Var] = {}
    for step in program.steps:
        read = {name for statement in (*step.host, *step.body) for name in reads(statement)}
        read |= {w.value for w in step.writes}
        made = {s.target for s in step.host}
        found |= {v.name: v for v in step.vars if v.place is Place.HOST and v.name in read - made}
    return found


def _winding(given: Mapping[str, Var], hypers: Sequence[str], kept: int, is_counted: bool) -> list[str]:
    """What the prologue reads in any variant: hyperparameters, the count, whether it is the first step, extents."""
    lines = [f"{name} = number(hyper + {k}, there)" for k, name in enumerate(hypers)]
    if is_counted:
        lines += ["t_at = address(clock + 1, t_type, there)", "t = number(t_at, there) + 1"]
    for k, name in enumerate(_told(given), start=2 + kept):
        lines += [f"{name} = number(clock + {k}, there){' != 0' if given[name].boolean else ''}"]
    return lines


def _told(given: Mapping[str, Var]) -> list[str]:
    """What the host says of a tensor and its step: whether it is the first, extents."""
    return [name for name, var in given.items() if var.role in (Role.STEP, Role.EXTENT) and name != "t"]


def _host(step: Step, read: Sequence[Var], kept: Sequence[str]) -> Iterator[Item]:
    """Past host states of one variant, its host block, then what the step reads of it, and new host states."""
    for var in step.of_role(Role.STATE):
        if var.place is Place.HOST:
            name = var.name.removesuffix("_prev")
            yield (f"{name}_at = address(clock + {kept.index(name) + 2}, {name}_type, there)",)
            yield (f"{var.name} = number({name}_at, there)",)
    for s in step.host:
        text = to_text(s.expr, TRITON_SCALAR)
        yield (f"{s.target} = {text if s.expr.free_symbols else f'fp64({text})'}",)
    wanted = {name for statement in step.body for name in reads(statement)} & host_names(step)
    yield from ((f"put(row + {k}, {v.name}, there)",) for k, v in enumerate(read) if v.name in wanted)
    for w in step.writes:
        if step.var(w.into).place is Place.HOST:
            yield (f"put({w.into.removesuffix('_prev')}_at, {w.value}, goes)",)


def _load(stream: str) -> str:
    """A block of a stream of numbers, widened to the compute dtype."""
    return f"load({stream}_at, at, left, tail, BLOCK, VEC, COMPUTE)"


def _store(stream: str, value: str) -> str:
    """A block of a stream of numbers, rounded to the stream's dtype."""
    return f"store({stream}_at, {value}, at, left, tail, BLOCK, VEC)"
