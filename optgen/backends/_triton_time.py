"""Triton time: the kernel that computes the scalars of each tensor, where step counts lie on the device."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from optgen.backends._formats import takes_seed
from optgen.fused import flag_names
from optgen.ir import Place, Role, Step, Var, reads
from optgen.languages import TRITON_SCALAR
from optgen.listing import host_names, signature, woven
from optgen.passes import Program
from optgen.printers import to_text
from optgen.weave import Item
from optgen.wrapping import WIDTH

PROLOGUE = "clocks hypers scalars found_inf count".split()
ABOUT = (
    "The rows of scalars of some tensors, in float64, where counts lie on the device; the count and states go on."
)
TURN = "BLOCK // 2 if tail else BLOCK"
CHANCE = ("seed", "t")  # what random bits depend on, beside a parameter's place among all and an element's in it
LOOP = ("starts", "body", "sums", "rows", "cols", "ends")
WHOLE = "whole_blocks(word, left, BLOCK)"


def kernel_of(
    name: str,
    tensors: Sequence[str],
    constants: Sequence[str],
    about: str,
    opening: Sequence[str],
    *,
    whole: str = WHOLE,
    length: str = "left",
    turn: str = TURN,
    **loop: list[str],
) -> dict[str, Any]:
    """What the template needs to print a kernel.

    loop: what stands before, in and after its loops, and what is done with rows and with columns.
    whole, length, turn: how many elements, or rows, the main loop takes, both take, and a turn of them takes.
    """
    arguments = [*(f"{x}: tl.tensor" for x in tensors), *(f"{x}: tl.constexpr" for x in constants)]
    return {
        "opens": signature(name, arguments, "None"),
        "about": textwrap.wrap(about, WIDTH - 6, subsequent_indent="    "),
        "opening": opening,
        "whole": whole,
        "length": length,
        "turn": turn,
        **{part: loop.get(part, []) for part in LOOP},
    }


def lines_of(kernel: Mapping[str, Any]) -> Iterator[str]:
    """The lines of a kernel."""
    if kernel["body"]:
        yield kernel["whole"]
    for part in ("opening", *LOOP):
        yield from kernel[part]


def prologue(program: Program, read: Sequence[Var]) -> dict[str, Any]:
    """The kernel. read: the scalars that it makes of hyperparameters, count and states."""
    conditions, states, clock_length = flag_names(program), kept(program), 2 + len(kept(program)) + len(told(program))
    clock = [*(["t"] if _is_counted(program) else []), *states]
    lines = [
        "tensor = tl.program_id(0) * TENSORS + tl.arange(0, TENSORS)",
        "there = tensor < count",
        f"clock = clocks + tensor * {clock_length}",
        f"hyper = hypers + tl.load(clock, there, 0) * {len(hypers(program))}",
        f"row = scalars + tensor * {row_length(program, read)}",
        *(["goes = there & ~truth(found_inf) if SCALED else there"] if clock else []),
        *_winding(program),
        *woven(program, lambda s: _host(s, read, [*states]), conditions=conditions),
        *(
            f"put_halves(row + {len(read) + 2 * k}, {name}, there)"
            for k, name in enumerate(CHANCE if takes_seed(program) else ())
        ),
        *(["put(t_at, t, goes)"] if _is_counted(program) else []),
    ]
    constants = [*(f"{name}_type" for name in clock), *conditions, "SCALED", "TENSORS"]
    return kernel_of("_prologue", PROLOGUE, constants, ABOUT, lines)


def row_length(program: Program, read: Sequence[Var]) -> int:
    """How many numbers stand in a row: scalars, and two halves of each number that random bits depend on."""
    return len(read) + 2 * len(CHANCE if takes_seed(program) else ())


def hypers(program: Program) -> list[str]:
    """The hyperparameters that it reads, and the seed."""
    found = [name for name, var in _given(program).items() if var.role is Role.HYPER]
    return [*found, *(["seed"] if takes_seed(program) else [])]


def told(program: Program) -> list[str]:
    """What the host says of a tensor and its step: whether it is the first, extents."""
    return [name for name, var in _given(program).items() if var.role in (Role.STEP, Role.EXTENT) and name != "t"]


def _is_counted(program: Program) -> bool:
    """Whether the rule stores its step count."""
    reads_t = any(v.name == "t" for step in program.steps for v in step.vars)
    return reads_t or takes_seed(program) or "step" in program.rule.state_keys.values()


def kept(program: Program) -> dict[str, str]:
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


def _winding(program: Program) -> Iterator[str]:
    """What is read in any variant: hyperparameters, the count, whether it is the first step, extents."""
    yield from (f"{name} = number(hyper + {k}, there)" for k, name in enumerate(hypers(program)))
    if _is_counted(program):
        yield "t_at = address(clock + 1, t_type, there)"
        yield "t = number(t_at, there) + 1"
    for k, name in enumerate(told(program), start=2 + len(kept(program))):
        yield f"{name} = number(clock + {k}, there){' != 0' if _given(program)[name].boolean else ''}"


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
