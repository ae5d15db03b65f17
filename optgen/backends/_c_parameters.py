"""C parameters: how a step loads and stores a parameter that has a format, and what is stored beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from optgen.backends._formats import is_random, residual
from optgen.codecs import Codec, codec
from optgen.ir import Place, Role, Step, Var
from optgen.passes import Program

HELD = "HELD"  # whether the parameter's dtype is one that has a format, as the C file asks
TYPES = {"bf16": "bf16", "int8": "int8_t", "int16": "int16_t", "fp32": "fp32"}
CHANCE = (Var("seed", Role.HYPER, place=Place.HOST), Var("t", Role.STEP, place=Place.HOST))
TAKEN = frozenset(["chance", "draw", "lower_half", "HALVES", "EIGHTS", "IS_bf16", HELD])


def held_as(program: Program) -> Var | None:
    """The parameter of a program without those after it, if it has a format."""
    return next((v for step in program.steps for v in step.of_role(Role.PARAM) if v.codec), None)


def plainly(step: Step) -> Step:
    """The step of a parameter of another dtype, which has no format."""
    return replace(step, vars=tuple(replace(v, codec="") if v.role is Role.PARAM else v for v in step.vars))


def with_chance(program: Program, read: Sequence[Var]) -> list[Var]:
    """What a step reads of the host, with what random bits depend on."""
    var, known = held_as(program), {v.name for v in read}
    return [*read, *(v for v in CHANCE if v.name not in known)] if var and is_random(var) else [*read]


def taken(stem: str, var: Var) -> set[str]:
    """The names that a step with a parameter in a format uses itself."""
    made = codec(var.codec)
    beside = {f"{stem}{part.suffix}{end}" for part in made.parts[1:] for end in ("", "_at")}
    return {*TAKEN, f"load_{function(made)}", f"store_{function(made)}", f"{stem}_chance", *beside}


def function(made: Codec) -> str:
    """What the functions that load and store a format are called."""
    return f"{made.kind.lower()}{residual(made)}"


def pointers(stem: str, made: Codec, stored: Sequence[str]) -> Iterator[str]:
    """The declarations of the addresses of what is stored beside a parameter, but for where elements are."""
    for part in made.parts[1:]:
        name, kind = f"{stem}{part.suffix}", TYPES[part.dtype]
        yield f"{kind} *{name}_at = ({kind} *)tensor->at[{stored.index(name)}]"


def load_text(stem: str, made: Codec, index: str) -> str:
    """The call that loads the number of an element."""
    return f"load_{function(made)}({', '.join(_places(stem, made, index))})"


def store_text(stem: str, made: Codec, index: str, value: str, at: str) -> str:
    """The call that stores the number of an element. at: its place among the random bits."""
    chance = [f"{stem}_chance[{at}]"] if made.kind == "Stochastic" else []
    return f"store_{function(made)}({', '.join([*_places(stem, made, index), value, *chance])});"


def draw_text(stem: str, read: Sequence[Var], start: str, count: str) -> str:
    """The line that draws random bits for some elements."""
    names = [v.name for v in read]
    keys = ", ".join(f"row[{names.index(v.name)}]" for v in CHANCE)
    return f"const uint16_t *{stem}_chance = draw(&chance, tensor, {keys}, {start}, {count});"


def _places(stem: str, made: Codec, index: str) -> list[str]:
    return [f"{stem}{part.suffix}_at + {index}" for part in made.parts]
