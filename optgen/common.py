"""Common states: those that a rule has one of for the whole model."""

from __future__ import annotations

import textwrap

from optgen.ir import Place, Role
from optgen.listing import docstring
from optgen.passes import Program
from optgen.wrapping import WIDTH


def common(program: Program) -> list[str]:
    """The keys of states that a rule has one of for all parameters, of which each keeps a copy."""
    found = dict.fromkeys(
        state.key
        for step in program.steps
        for state in step.of_role(Role.STATE)
        if state.place is Place.DEVICE and not state.axes
    )
    return [*found]


def apart(program: Program) -> list[str]:
    """Lines for who hands all parameters to a step of a rule that has states common to them."""
    keys = dict.fromkeys(key for part in program.chain for key in common(part))
    text = (
        f"Let all parameters step from the start on, and in every step: what is common to them ({', '.join(keys)}) "
        "each keeps as of its own last step, from its first value on."
    )
    return textwrap.wrap(docstring(text), WIDTH - 4, break_long_words=False) if keys else []
