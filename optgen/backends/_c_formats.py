"""C formats: how a step finds what is stored of a quantity, and the header that each format with codes needs."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from optgen.backends import _c_parameters
from optgen.backends._c_lines import STEP, comment, wrapped
from optgen.backends._formats import (
    as_float32,
    code_of,
    header,
    held,
    is_coded,
    is_random,
    maps,
    name_of,
)
from optgen.codecs import Code, Codec, Lines, codec_of
from optgen.codecs._evaluate import numbers
from optgen.errors import Problem
from optgen.fused import INSTEAD
from optgen.ir import Var
from optgen.languages import C
from optgen.passes import Program
from optgen.printers import to_text
from optgen.render import render
from optgen.wrapping import WIDTH

UNIT = 256  # elements that every block divides: one thread steps them all
FUNCTIONS = ("code", "numbers", "encode", "load", "store")
# A NaN in a formula's constant would be a wrong format: one in what comes before it is kept, in fewer instructions.
CODES = replace(C, functions={**C.functions, "Max": "larger({}, {})", "Min": "smaller({}, {})"})


def taken(stored: Mapping[str, Var]) -> set[str]:
    """The names that a step with codes uses itself."""
    coded = {name: var for name, var in stored.items() if is_coded(var)}
    functions = {f"{function}_{name_of(var)}" for var in coded.values() for function in FUNCTIONS}
    names = functions | {f"{name}_values" for name in coded}
    return names.union(*(_c_parameters.taken(name, var) for name, var in stored.items() if held(var)))


def unit(stored: Mapping[str, Var]) -> int:
    """How many elements one thread must step together; 0 if they do not matter."""
    drawn = 8 if any(map(is_random, stored.values())) else 0
    return UNIT if any(map(is_coded, stored.values())) else drawn


def headers(stored: Mapping[str, Var]) -> list[str]:
    """The headers that a step includes."""
    return sorted({f"_{var.codec}.h" for var in stored.values() if is_coded(var)})


def problems(program: Program, stored: Mapping[str, Var]) -> Iterator[Problem]:
    """What keeps the backend from stepping with the formats of a rule."""
    loc = program.rule.loc
    yield from (
        Problem(f"the C backend has no blocks of {made.block} elements, which do not divide {UNIT}", loc, INSTEAD)
        for made in filter(None, map(codec_of, stored.values()))
        if made.block and UNIT % made.block
    )


def storage(made: Codec) -> dict[str, str]:
    """The header of a format. Plain numbers need none."""
    if not made.block:
        return {}
    text = render(
        "codec_c.jinja",
        header=comment(header(made)),
        maps=[_map(f"{made.name}_{each['name']}", each, code_of(made, each["name"])) for each in maps(made, CODES)],
        block=made.block,
        is_packed=made.parts[0].elements == 2,
    )
    return {f"_{made.name}.h": text}


def _map(name: str, about: Mapping[str, Any], code: Code) -> dict[str, Any]:
    """What the template needs to print one code."""
    return {
        "name": name,
        "range": about["range"],
        "levels": code.levels,
        "last": code.levels - 1,
        "encode": [*_lines(code.encode)],
        "numbers": _table(numbers(code)),
    }


def _lines(computed: Lines) -> Iterator[str]:
    """The statements of a function that computes a number from `x`."""
    known: set[str] = set()
    for name, expr in computed:
        text = to_text(expr, CODES)
        text = text[1:-1] if expr.is_Piecewise else text
        yield from wrapped(f"{'' if name in known else 'real '}{name} = {text};" if name else f"return {text};")
        known.add(name)


def _table(values: Iterable[float]) -> list[str]:
    """Numbers as floats, in lines."""
    text = ", ".join(f"{as_float32(value)}f" for value in values)
    return textwrap.wrap(f"{text},", WIDTH - len(STEP), break_long_words=False, break_on_hyphens=False)
