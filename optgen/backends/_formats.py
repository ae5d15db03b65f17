"""Formats: the files that a backend needs for the storage formats of its rules."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from optgen import __version__
from optgen.codecs import BITS, Codec, Lines, codec
from optgen.ir import ELEMENT, Role, Var
from optgen.languages import Language
from optgen.listing import FORMAT
from optgen.passes import Program
from optgen.printers import to_text
from optgen.wrapping import wrap

RANGES = {"signed": "from -1 to 1", "unsigned": "from 0 to 1"}


def formats(program: Program) -> list[Codec]:
    """The formats of the quantities of a program and of those after it, each once."""
    found = {v.codec for part in program.chain for step in part.steps for v in step.vars if v.codec}
    return [codec(name) for name in sorted(found)]


def name_of(var: Var) -> str:
    """What the object is called in generated code that holds a quantity's format."""
    if not codec(var.codec).block:
        return var.codec
    return f"{var.codec}_{'unsigned' if var.is_nonnegative else 'signed'}"


def names_of(program: Program) -> dict[str, list[str]]:
    """The objects that a program reads, by the name of their format."""
    found: dict[str, set[str]] = {}
    for var in (v for part in program.chain for step in part.steps for v in step.vars if v.codec):
        found.setdefault(var.codec, set()).add(name_of(var))
    return {name: sorted(names) for name, names in sorted(found.items())}


def params(program: Program) -> dict[str, Var]:
    """The parameter of each rule of a program that has a format, by the format."""
    steps = [step for part in program.chain for step in part.steps]
    return {v.codec: v for step in steps for v in step.of_role(Role.PARAM) if v.codec}


def is_random(var: Var) -> bool:
    """Whether its format rounds by chance."""
    return bool(var.codec) and codec(var.codec).kind == "Stochastic"


def takes_seed(program: Program) -> bool:
    """Whether a step needs a seed."""
    return any(map(is_random, params(program).values()))


def residual(made: Codec) -> str:
    """How many bits the whole number beside a parameter has, as text; empty if there is none."""
    return str(BITS[made.parts[1].dtype]) if made.kind == "Split" else ""


def header(made: Codec) -> list[str]:
    """The docstring of a format's file."""
    about = f"{made.about[0].upper()}{made.about[1:]}."
    return [f"{made.name}. Written by optgen {__version__} (format {FORMAT}); do not edit.", "", about]


def maps(made: Codec, language: Language) -> Iterator[dict[str, Any]]:
    """What a template needs to print the codes of a format."""
    for name, code in (("signed", made.signed), ("unsigned", made.unsigned)):
        if code is None:
            continue
        both = {"encode": lines(code.encode, language), "decode": lines(code.decode, language)}
        yield {"name": name, "range": RANGES[name], "levels": code.levels, **both}


def lines(computed: Lines, language: Language, define: str = "{} = {}", give: str = "return {}") -> list[str]:
    """The lines of a computation in a language. define, give: how a name is given a value, and how one is returned."""
    (*_, (last, expr)), (_, result) = [("", None), *computed][:-1], computed[-1]
    if last and str(result) == last:  # what is only returned needs no name
        computed = (*computed[:-2], ("", expr))
    axes = {name: ELEMENT for _, expr in computed for name in map(str, expr.free_symbols)}
    texts = [(name, to_text(expr, language, axes=axes)) for name, expr in computed]
    made = [define.format(name, text) if name else give.format(text) for name, text in texts]
    return [part for line in made for part in wrap(line)]
