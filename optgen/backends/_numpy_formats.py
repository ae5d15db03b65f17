"""Storage formats in modules for NumPy: how states are loaded and stored, and the files that the formats need."""

from __future__ import annotations

from importlib import resources

from optgen.backends._formats import header, maps, name_of
from optgen.codecs import Codec, companions
from optgen.ir import Role, Var
from optgen.languages import NUMPY
from optgen.listing import quote
from optgen.passes import Program
from optgen.render import render_python
from optgen.wrapping import wrap


def storage(made: Codec) -> dict[str, str]:
    """The files that rules with a storage format need besides."""
    text = render_python(
        "codec_numpy.jinja",
        header=header(made),
        maps=list(maps(made, NUMPY)),
        name=made.name,
        block=made.block,
        dtype=made.parts[0].dtype,
    )
    shared = resources.files("optgen.runtime.numpy_ref") / "_storage.py"
    return {f"_{made.name}.py": text, "_storage.py": shared.read_text(encoding="utf-8")}


def table_of(program: Program) -> list[str]:
    """The lines that tell the formats of states, by their keys."""
    steps = [step for part in program.chain for step in part.steps]
    found = {v.key: name_of(v) for step in reversed(steps) for v in step.of_role(Role.STATE) if v.codec}
    entries = ", ".join(f"{quote(key)}: {name}" for key, name in sorted(found.items()))
    return ["# The formats of states, by their keys.", *wrap(f"FORMATS = {{{entries}}}"), ""] if found else []


def places(state: Var, holder: str) -> str:
    """Where what is stored of a state stands in a dict."""
    return ", ".join(f'{holder}["{key}"]' for key in companions(state))


def loaded(state: Var, like: str) -> str:
    """What is read of a state of the parameter `like`."""
    at = places(state, "kept")
    return f"{name_of(state)}.load({at}, {like})" if state.codec else at


def kept(state: Var, value: str, plain: str) -> str:
    """What is stored of a value. plain: where the state has no format of its own."""
    return f"{name_of(state)}.store({value})" if state.codec else plain
