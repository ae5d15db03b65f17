"""Formats: the files that a backend needs for the storage formats of its rules."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from typing import Any

from optgen import __version__
from optgen.codecs import BITS, Code, Codec, Lines, Part, codec, codec_of
from optgen.fused import stream
from optgen.ir import ELEMENT, Place, Role, Var
from optgen.languages import TOLD, Language
from optgen.listing import FORMAT, names_in
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


def held(var: Var) -> Codec | None:
    """The format of a parameter."""
    return codec(var.codec) if var.role is Role.PARAM and var.codec else None


def is_random(var: Var) -> bool:
    """Whether its format rounds by chance."""
    return bool(var.codec) and codec(var.codec).kind == "Stochastic"


def takes_seed(program: Program) -> bool:
    """Whether a step needs a seed."""
    return any(map(is_random, params(program).values()))


def residual(made: Codec) -> str:
    """How many bits the whole number beside a parameter has, as text; empty if there is none."""
    return str(BITS[made.parts[1].dtype]) if made.kind == "Split" else ""


def is_coded(var: Var) -> bool:
    """Whether a quantity is stored as codes."""
    found = codec_of(var)
    return found is not None and bool(found.block)


def at_times_coded(program: Program) -> list[str]:
    """The states that have a number for each element, kept as a code, in some variants, and fewer in others, whose
    dtype is their own."""
    found: dict[str, set[bool]] = {}
    for var in (v for step in program.steps for v in step.of_role(Role.STATE) if v.place is Place.DEVICE):
        found.setdefault(stream(program, var.name), set()).add(is_coded(var))
    return [name for name, kept in found.items() if len(kept) > 1]


def parts(stored: Mapping[str, Var]) -> dict[str, str]:
    """What is stored of some quantities, by name, with the kind of what has a dtype of its own; else an empty text."""
    found: dict[str, str] = {}
    for name, var in stored.items():
        made = codec_of(var)
        if made is not None and (made.block or made.for_param):
            found |= {f"{name}{part.suffix}": _kind(part) for part in made.parts}
            found |= {name: ""} if made.for_param else {}  # which may be of another dtype
        else:
            found[name] = ""
    return found


def _kind(part: Part) -> str:
    """The dtype, and to how many elements of the parameter there is a number, in one row, if not to each."""
    return part.dtype if part.elements == 1 else f"{part.dtype}/{part.elements}"


def code_of(made: Codec, name: str) -> Code:
    """The code of what may be negative, "signed", or of what never is."""
    found = {"signed": made.signed, "unsigned": made.unsigned}[name]
    assert found is not None, f"{made.name} has no code {name}"
    return found


def as_float32(value: float) -> str:
    """The nearest float32, in as few digits as tell it from others."""
    (wanted,) = struct.unpack("f", struct.pack("f", value))
    texts = (f"{wanted:.{digits}g}" for digits in range(1, 10))
    text = next(text for text in texts if struct.unpack("f", struct.pack("f", float(text))) == (wanted,))
    return f"{text}{'' if set(text) & {*'.e'} else '.0'}"


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


def imported(made: Codec, language: Language) -> list[str]:
    """What a format's file takes of those that store: the kind, and functions that its formulas call."""
    used = names_in(line for each in maps(made, language) for line in each["encode"])
    return [made.kind, *sorted(used & TOLD)]


def lines(computed: Lines, language: Language, define: str = "{} = {}", give: str = "return {}") -> list[str]:
    """The lines of a computation in a language. define, give: how a name is given a value, and how one is returned."""
    (*_, (last, expr)), (_, result) = [("", None), *computed][:-1], computed[-1]
    if last and str(result) == last:  # what is only returned needs no name
        computed = (*computed[:-2], ("", expr))
    axes = {name: ELEMENT for _, expr in computed for name in map(str, expr.free_symbols)}
    texts = [(name, to_text(expr, language, axes=axes)) for name, expr in computed]
    made = [define.format(name, text) if name else give.format(text) for name, text in texts]
    return [part for line in made for part in wrap(line)]
