"""Triton formats: how a kernel loads and stores what is kept of a state, and the file that each format needs."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import replace

from optgen.backends import _triton_parameters as parameters
from optgen.backends._formats import (
    as_float32,
    at_times_coded,
    code_of,
    header,
    held,
    is_coded,
    is_random,
    maps,
    name_of,
    parts,
)
from optgen.backends._triton_streams import BLOCKS, TILES, Walk, address_of
from optgen.backends._triton_time import TURN
from optgen.codecs import Codec, codec, codec_of, companions
from optgen.codecs._evaluate import numbers, stays
from optgen.errors import Problem
from optgen.fused import INSTEAD, tuple_text
from optgen.ir import Role, Var
from optgen.languages import TRITON
from optgen.listing import imports, names_in
from optgen.passes import Program
from optgen.render import render_python
from optgen.weave import Item
from optgen.wrapping import WIDTH, wrap

LANGUAGE = replace(TRITON, alone="tl.full((), {}, x.dtype)")
BLOCK = 256  # elements that one warp takes at a time
TYPES = {"uint8": "tl.uint8", "int8": "tl.int8", "int16": "tl.int16", "bf16": "tl.bfloat16", "fp32": "tl.float32"}
OF_DEVICE = frozenset("div maximum minimum sign sqrt".split())  # that a formula may use
OF_CODES = frozenset(["copysign", "float_place"])


def storage(made: Codec) -> dict[str, str]:
    """The file of a format. Plain numbers need none."""
    if not made.block:
        return {}
    get, put = ("halves_of", "put_halves") if _is_packed(made) else ("bytes_of", "put_bytes")
    found = [{**each, "code": code_of(made, each["name"])} for each in maps(made, LANGUAGE)]
    used = names_in(line for each in found for line in each["encode"])
    assert all(stays(each["code"]) for each in found), f"{made.name} would need its codes limited"
    text = render_python(
        "codec_triton.jinja",
        name=made.name,
        header=header(made),
        imports=[
            *imports("._codes", {get, put, "decoded", "scaled"} | used & OF_CODES),
            *(imports("._device", used & OF_DEVICE) if used & OF_DEVICE else []),
        ],
        maps=[
            {
                "name": f"{made.name}_{each['name']}",
                "table": table(f"{made.name}_{each['name']}"),
                "range": each["range"],
                "encode": each["encode"],
                "numbers": _rows(numbers(each["code"])),
            }
            for each in found
        ],
        block=made.block,
        get=get,
        put=put,
    )
    return {f"_{made.name}.py": text}


def _is_packed(made: Codec) -> bool:
    """Whether two codes share a byte."""
    return made.parts[0].elements == 2


def _rows(values: Sequence[float]) -> list[str]:
    """A table in lines."""
    return textwrap.wrap(f"{', '.join(map(as_float32, values))},", WIDTH - 4, break_on_hyphens=False)


def table(name: str) -> str:
    """What the numbers of a code are called, and after them the code's own functions."""
    return f"NUMBERS_{name.upper()}"


def names(stored: Mapping[str, Var]) -> list[str]:
    """The codes of what is stored, each once, in the order of their tables."""
    return sorted({name_of(var) for var in stored.values() if is_coded(var)})


def taken(stored: Mapping[str, Var]) -> set[str]:
    """The names that a kernel with formats uses itself."""
    coded = {name for name, var in stored.items() if is_coded(var)}
    found = {f"store_{name}" for name in names(stored)} | {f"load_{stored[name].codec}" for name in coded}
    found |= {f"{name}_absmax_at" for name in coded} | ({"numbers"} if coded else set())
    return found | parameters.taken(stored)


def with_numbers(tensors: Sequence[str], stored: Mapping[str, Var]) -> list[str]:
    """What a kernel is given, with the table of what codes stand for if there are codes."""
    first = [*tensors].index("found_inf") + 1
    return [*tensors[:first], *(["numbers"] if names(stored) else []), *tensors[first:]]


def imported(stored: Mapping[str, Var], used: Set[str]) -> Iterator[str]:
    """The lines that import it. used: the names that kernels read."""
    coded = [var for var in stored.values() if is_coded(var)]
    for made in sorted({var.codec for var in coded}):
        found = {name_of(var) for var in coded if var.codec == made}
        functions = {f"load_{made}", *map("store_{}".format, found)}
        yield from imports(f"._{made}", {*map(table, found), *(functions & used)})


def tables(stored: Mapping[str, Var]) -> str:
    """The tables of numbers that codes stand for; empty if there are no codes."""
    return ", ".join(map(table, names(stored)))


def form(stored: Mapping[str, Var]) -> list[str]:
    """How the launcher of an elementwise rule sees what is stored, if there are codes or a parameter in a format."""
    if not names(stored) and not any(map(held, stored.values())):
        return []
    told = [f"numbers=({tables(stored)},)"] if names(stored) else []
    told += ["draws=True"] if any(map(is_random, stored.values())) else []
    kinds = tuple_text([kind or "element" for kind in beside(stored).values()])
    return wrap(f"form = Form({', '.join([kinds, *told, 'one_pass=True'])})")


def beside(stored: Mapping[str, Var]) -> dict[str, str]:
    """What stands beside a parameter and what is stored of states, with the kind of what has a dtype of its own."""
    given = {name: var for name, var in stored.items() if var.role in (Role.PARAM, Role.STATE)}
    return {name: kind for name, kind in parts(given).items() if name not in given or given[name].role is Role.STATE}


def turn(stored: Mapping[str, Var]) -> str:
    """How many elements a turn of a loop takes: whole blocks, also in the masked loop."""
    return "BLOCK" if names(stored) else TURN


def size(stored: Mapping[str, Var]) -> str:
    """The shape of what a turn of a loop takes."""
    return "(BLOCK // 32, 32) if tail else (BLOCK,)" if names(stored) else f"({TURN},)"


def typed(program: Program, stored: Mapping[str, Var]) -> list[str]:
    """The constants that tell the dtypes of streams; what is kept of codes, in every variant, has one of its own."""
    at_times = at_times_coded(program)
    return [f"{name}_type" for name, var in stored.items() if name in at_times or not is_coded(var)]


def keys(stored: Mapping[str, Var]) -> list[str]:
    """What is stored beside the parameter and of the states, by its keys in a checkpoint."""
    return [key for var in stored.values() if var.role in (Role.PARAM, Role.STATE) for key in companions(var)]


def pointers(stored: Mapping[str, Var], name: str, walk: Walk = BLOCKS) -> Iterator[str]:
    """Where a stream starts, and what else is kept of it. stored: all streams."""
    made, coded = codec_of(stored[name]), is_coded(stored[name])
    if not coded:
        yield f"{name}_at = stream({address_of(stored, name)}, {name}_type, start)"
    for part in made.parts[not coded :] if made else ():
        kept, start = f"{name}{part.suffix}", "start" if part.elements == 1 else walk.shared.format(part.elements)
        yield f"{kept}_at = stream({address_of(stored, kept)}, {TYPES[part.dtype]}, {start})"


def load_lines(name: str, stream: str, stored: Mapping[str, Var], walk: Walk = BLOCKS) -> Iterator[Item]:
    """What a turn takes of a stream becomes a quantity, in the compute dtype: a gradient as it is meant."""
    var = stored[stream]
    if is_coded(var):
        at, coded = 256 * names(stored).index(name_of(var)), codec(var.codec)
        given = f"{stream}_at, {stream}_absmax_at, {f'numbers + {at}' if at else 'numbers'}"
        if walk is TILES:
            packed = _is_packed(coded)
            yield (f"{name} = load_tile_codes({given}, start, {walk.where}, {coded.block}, {packed}, COMPUTE)",)
        else:
            yield (f"{name} = load_{coded.name}({given}, {walk.where}, COMPUTE)",)
        return
    yield (f"{name} = {walk.loaded(stream)}",)
    if made := held(var):
        yield from parameters.load_lines(name, stream, made, walk)
    if var.role is Role.GRAD:
        yield from as_meant(name)


def as_meant(grad: str) -> Iterator[Item]:
    """A gradient that was loaded is unscaled, and negated where a step is to climb."""
    yield ("if SCALED:", f"    {grad} = factor * {grad}")
    yield ("if MAXIMIZE:", f"    {grad} = -{grad}")


def store_lines(stream: str, value: str, stored: Mapping[str, Var], walk: Walk = BLOCKS) -> Iterator[Item]:
    """A value is stored as what a turn makes of a stream, rounded to what the stream holds."""
    var = stored[stream]
    if is_coded(var):
        given = f"{stream}_at, {stream}_absmax_at, {value}"
        yield (f"store_{name_of(var)}({given}, at, left, tail, BLOCK, VEC, STRICT)",)
    elif made := held(var):
        yield from parameters.store_lines(stream, value, made, walk)
    else:
        yield (walk.stored(stream, value),)


def problems(program: Program, stored: Mapping[str, Var]) -> Iterator[Problem]:
    """What keeps the backend from stepping with the formats of a rule."""
    loc = program.rule.loc
    yield from (
        Problem(f"the Triton backend has no blocks of {made.block} elements, which do not divide {BLOCK}", loc, INSTEAD)
        for made in filter(None, map(codec_of, stored.values()))
        if made.block and BLOCK % made.block
    )
