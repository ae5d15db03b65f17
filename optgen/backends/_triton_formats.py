"""Triton formats: how a kernel loads and stores what is kept of a state, and the file that each format needs."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from optgen.backends._formats import as_float32, code_of, header, is_coded, maps, name_of, parts
from optgen.backends._triton_streams import address_of
from optgen.backends._triton_time import TURN
from optgen.codecs import Codec, codec_of, companions
from optgen.codecs._evaluate import numbers, stays
from optgen.errors import Problem
from optgen.fused import INSTEAD, tuple_text
from optgen.ir import Role, Var
from optgen.languages import TRITON
from optgen.listing import imports, is_elementwise, names_in
from optgen.passes import Program
from optgen.render import render_python
from optgen.wrapping import WIDTH, wrap

LANGUAGE = replace(TRITON, alone="tl.full((), {}, x.dtype)")
BLOCK = 256  # elements that one warp takes at a time
TYPES = {"uint8": "tl.uint8", "fp32": "tl.float32"}
OF_DEVICE = frozenset("div maximum minimum sign sqrt".split())  # that a formula may use
OF_CODES = frozenset(["copysign", "float_place"])


def storage(made: Codec) -> dict[str, str]:
    """The file of a format. Plain numbers need none."""
    if not made.block:
        return {}
    is_packed = made.parts[0].elements == 2
    get, put = ("halves_of", "put_halves") if is_packed else ("bytes_of", "put_bytes")
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
    """The names that a kernel with codes uses itself."""
    coded = {name for name, var in stored.items() if is_coded(var)}
    found = {f"store_{name}" for name in names(stored)} | {f"load_{stored[name].codec}" for name in coded}
    return found | {f"{name}_absmax_at" for name in coded} | ({"numbers"} if coded else set())


def with_numbers(tensors: Sequence[str], stored: Mapping[str, Var]) -> list[str]:
    """What a kernel is given, with the table of what codes stand for if there are codes."""
    return [*tensors[:-1], *(["numbers"] if names(stored) else []), tensors[-1]]


def imported(stored: Mapping[str, Var]) -> Iterator[str]:
    """The lines that import it."""
    coded = [var for var in stored.values() if is_coded(var)]
    for made in sorted({var.codec for var in coded}):
        found = {name_of(var) for var in coded if var.codec == made}
        every = {*map(table, found), f"load_{made}", *map("store_{}".format, found)}
        yield from imports(f"._{made}", every)


def form(stored: Mapping[str, Var]) -> list[str]:
    """How the launcher of an elementwise rule sees states, if there are codes among them."""
    if not names(stored):
        return []
    tables = ", ".join(map(table, names(stored)))
    return wrap(f"form = Form({tuple_text(kinds(stored))}, numbers=({tables},), one_pass=True)")


def kinds(stored: Mapping[str, Var]) -> list[str]:
    """What there is a number per of what is stored of states, with the dtype of what is kept in codes."""
    given = {name: var for name, var in stored.items() if var.role is Role.STATE}
    return [kind or "element" for kind in parts(given).values()]


def turn(stored: Mapping[str, Var]) -> str:
    """How many elements a turn of a loop takes: whole blocks, also in the masked loop."""
    return "BLOCK" if names(stored) else TURN


def typed(stored: Mapping[str, Var]) -> list[str]:
    """The constants that tell the dtypes of streams; what is kept of codes has one of its own."""
    return [f"{name}_type" for name, var in stored.items() if not is_coded(var)]


def keys(stored: Mapping[str, Var]) -> list[str]:
    """What is stored of the states, by its keys in a checkpoint."""
    return [key for var in stored.values() if var.role is Role.STATE for key in companions(var)]


def pointers(stored: Mapping[str, Var], name: str) -> Iterator[str]:
    """Where a stream starts, and what else is kept of it. stored: all streams."""
    made = codec_of(stored[name])
    if made is None or not made.block:
        yield f"{name}_at = stream({address_of(stored, name)}, {name}_type, start)"
        return
    for part in made.parts:
        kept, start = f"{name}{part.suffix}", "start" if part.elements == 1 else f"start // {part.elements}"
        yield f"{kept}_at = stream({address_of(stored, kept)}, {TYPES[part.dtype]}, {start})"


def load_text(stream: str, stored: Mapping[str, Var]) -> str:
    """A block of a stream, in the compute dtype."""
    var, rest = stored[stream], "at, left, tail, BLOCK, VEC, COMPUTE"
    if not is_coded(var):
        return f"load({stream}_at, {rest})"
    at = 256 * names(stored).index(name_of(var))
    return f"load_{var.codec}({stream}_at, {stream}_absmax_at, {f'numbers + {at}' if at else 'numbers'}, {rest})"


def store_text(stream: str, value: str, stored: Mapping[str, Var]) -> str:
    """A block of a stream, rounded to what the stream holds."""
    var, rest = stored[stream], f"{value}, at, left, tail, BLOCK, VEC"
    if not is_coded(var):
        return f"store({stream}_at, {rest})"
    return f"store_{name_of(var)}({stream}_at, {stream}_absmax_at, {rest}, STRICT)"


def problems(program: Program, stored: Mapping[str, Var]) -> Iterator[Problem]:
    """What keeps the backend from stepping with the formats of a rule."""
    loc = program.rule.loc
    if any(var.codec for var in stored.values() if var.role is Role.PARAM):
        yield Problem("the Triton backend has no storage formats of parameters yet", loc, INSTEAD)
    if not is_elementwise(program) and names(stored):
        yield Problem("the Triton backend has no codes for rules with reductions yet", loc, INSTEAD)
    yield from (
        Problem(f"the Triton backend has no blocks of {made.block} elements, which do not divide {BLOCK}", loc, INSTEAD)
        for made in filter(None, map(codec_of, stored.values()))
        if made.block and BLOCK % made.block
    )
