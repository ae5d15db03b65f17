"""Storage formats in modules for NumPy: how states are loaded and stored, and the files that the formats need."""

from __future__ import annotations

from dataclasses import replace
from importlib import resources

from optgen.backends._formats import header, imported, is_random, maps, name_of, params, residual
from optgen.codecs import Codec, companions
from optgen.ir import Role, Var
from optgen.languages import NUMPY
from optgen.listing import quote
from optgen.passes import Program
from optgen.render import render_python
from optgen.wrapping import INDENTED, wrap


def storage(made: Codec) -> dict[str, str]:
    """The files that rules with a storage format need besides."""
    module = "_parameters" if made.for_param else "_storage"
    text = render_python(
        "codec_python.jinja",
        header=header(made),
        imports=["from typing import Any", "", "import numpy as np"] if made.block else [],
        alias="Array = np.ndarray[Any, np.dtype[np.floating[Any]]]" if made.block else "",
        array="Array",
        maps=list(maps(made, NUMPY)),
        imported=imported(made, NUMPY),
        plain=f"{made.name} = {made.kind}({quote(made.parts[0].dtype) if made.kind == 'Numbers' else residual(made)})",
        name=made.name,
        block=made.block,
        module=module,
    )
    shared = resources.files("optgen.runtime.numpy_ref") / f"{module}.py"
    return {f"_{made.name}.py": text, f"{module}.py": shared.read_text(encoding="utf-8")}


def param_line(program: Program) -> str:
    """The line that reads a parameter."""
    name = f"{program.rule.param.label}_prev"
    for form, var in params(replace(program, otherwise=None)).items():
        rest = "".join(f", state[i].get({quote(key)})" for key in companions(var))
        return f"{name} = {form}.load(params[i]{rest})"
    return f"{name} = params[i]"


def table_of(program: Program) -> list[str]:
    """The lines that tell the formats of states, by their keys."""
    steps = [step for part in program.chain for step in part.steps]
    found = {v.key: name_of(v) for step in reversed(steps) for v in step.of_role(Role.STATE) if v.codec}
    entries = ", ".join(f"{quote(key)}: {name}" for key, name in sorted(found.items()))
    return ["# The formats of states, by their keys.", *wrap(f"FORMATS = {{{entries}}}"), ""] if found else []


def check_of(keys: str) -> list[str]:
    """The lines that check what is given of a parameter's state. keys: all that it may have, as a tuple."""
    line = f"check_state(i, state[i], kept, {keys})"
    return [line] if len(line) <= INDENTED else [*wrap(f"keys = {keys}"), "check_state(i, state[i], kept, keys)"]


def places(var: Var, holder: str) -> list[str]:
    """Where what is stored of a state, or beside a parameter, stands in a dict."""
    return [f'{holder}["{key}"]' for key in companions(var)]


def loaded(state: Var, like: str) -> str:
    """What is read of a state of the parameter `like`."""
    at = ", ".join(places(state, "kept"))
    return f"{name_of(state)}.load({at}, {like})" if state.codec else at


def kept(state: Var, value: str, plain: str) -> str:
    """What is stored of a value. plain: where the state has no format of its own."""
    chance = f", random_bits(seed, t, i, {value}.size)" if is_random(state) else ""
    return f"{name_of(state)}.store({value}{chance})" if state.codec else plain
