"""Triton parameters: what a kernel makes of a parameter that has a format, and what it stores of it and beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from optgen.backends._formats import held, is_random, residual
from optgen.backends._triton_kernels import Kernel
from optgen.backends._triton_streams import Walk
from optgen.codecs import Codec
from optgen.ir import Step, Var
from optgen.weave import Item

FUNCTIONS = frozenset("by_chance half_up joined kahan_rest lower_half own put_halves tile_by_chance whole_at".split())
OF_CHANCE = frozenset(["count", "place", "rounded", "seed"])  # names of what random bits depend on, and round


@dataclass(frozen=True, slots=True)
class _Way:
    """The expressions of a format: a number, of a parameter and of what is stored beside it; what is stored of a number
    as the parameter, and beside it. loaded: the dtype in which the latter is read. is_random: chance makes
    what is stored, `rounded`."""

    number: str = ""
    kept: str = "{0}"
    rest: str = ""
    loaded: str = "COMPUTE"
    is_random: bool = False


WAYS = {
    "Stochastic": _Way(kept="rounded", is_random=True),
    "Kahan": _Way("{0} + {1}", rest="kahan_rest({0})"),
    "Split": _Way("joined({0}, {1}, {bits})", "half_up({0})", "lower_half({0}, {bits})", "tl.int32"),
    "Master": _Way("own({0}, {1})", rest="{0}"),
}


def asks(stem: str) -> str:
    """Whether the parameter's dtype is one that has a format, as the kernel asks."""
    return f"if {stem}_type == tl.bfloat16:"


def taken(stored: Mapping[str, Var]) -> set[str]:
    """The names that a kernel with a parameter in a format uses itself."""
    made = {name: form for name, var in stored.items() if (form := held(var))}
    beside = {f"{name}{part.suffix}" for name, form in made.items() for part in form.parts[1:]}
    found = beside | {f"{name}_at" for name in beside}
    found |= OF_CHANCE if any(map(is_random, stored.values())) else set()
    return found | FUNCTIONS if made else found


def chance(stored: Mapping[str, Var], scalars: int, numbers: int) -> Iterator[str]:
    """What random bits depend on, if there are any. scalars, numbers: how many come before it in a row, a record."""
    for name in (name for name, var in stored.items() if is_random(var)):
        yield asks(name)
        yield f"    seed = whole_at(row + {scalars})"
        yield f"    count = whole_at(row + {scalars + 2})"
        yield f"    place = tl.load(record + {numbers}).to(tl.uint32)"


def chance_of(
    step: Step, kernel: Kernel, stored: Mapping[str, Var], scalars: int, numbers: int
) -> Iterator[Item]:
    """The same of a kernel that may store a parameter."""
    if any(is_random(step.var(write.into)) for write in kernel.stores):
        yield tuple(chance(stored, scalars, numbers))


def load_lines(name: str, stem: str, made: Codec, walk: Walk) -> Iterator[Item]:
    """The number of a parameter, of what was loaded as the parameter."""
    way = WAYS[made.kind]
    for part in made.parts[1:]:
        beside = f"{stem}{part.suffix}"
        number = way.number.format(name, beside, bits=residual(made))
        yield (
            asks(stem),
            f"    {beside} = {walk.loaded(beside, way.loaded)}",
            f"    {name} = {number}",
        )


def store_lines(stem: str, value: str, made: Codec, walk: Walk) -> Iterator[Item]:
    """What is stored of a number, as the parameter and beside it."""
    way = WAYS[made.kind]
    kept, rest = (text.format(value, bits=residual(made)) for text in (way.kept, way.rest))
    beside = [f"    {walk.stored(f'{stem}{part.suffix}', rest)}" for part in made.parts[1:]]
    plain, drawn = walk.stored(stem, value), [f"    rounded = {walk.by_chance.format(value)}"] * way.is_random
    if kept == value:
        yield (plain,)
        yield (asks(stem), *beside)
    else:
        yield (asks(stem), *drawn, f"    {walk.stored(stem, kept)}", *beside, "else:", f"    {plain}")
