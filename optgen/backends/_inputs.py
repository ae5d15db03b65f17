"""Inputs: what a step is given by name besides the gradient, as arguments and lines of NumPy and PyTorch."""

from __future__ import annotations

import textwrap
from typing import Any

from optgen.listing import signature
from optgen.passes import Program, asked_given
from optgen.wrapping import WIDTH

TENSORS = (
    "a tensor for each parameter, as a list beside all parameters of all groups, with None where there is none, or as "
    "a dict by parameter. They are taken as they are, whatever maximize and a GradScaler say."
)


def input_names(program: Program) -> list[str]:
    """The names of all inputs of the rules of a chain."""
    return list(dict.fromkeys(name for part in program.chain for name in part.rule.inputs.values()))


def is_optional(program: Program, quantity: Any) -> bool:
    """Whether the rule asks if an input is given."""
    return f"has_{quantity.label}" in asked_given(program)


def is_needed(program: Program, name: str) -> bool:
    """Whether no step can be made without an input."""
    uses = [is_optional(part, q) for part in program.chain for q, given in part.rule.inputs.items() if given == name]
    return len(uses) == len(program.chain) and not any(uses)


def specs(program: Program) -> list[str]:
    """The arguments of UpdateRule that tell the runtime of the rule's inputs."""
    told = [
        f'    Input("{name}", "{q.label}"{", optional=True" if is_optional(program, q) else ""}),'
        for q, name in program.rule.inputs.items()
    ]
    return ["inputs=(", *told, "),"] if told else []


def input_arguments(program: Program, kind: str) -> list[str]:
    """The inputs as keyword arguments of a step. kind: the type of what is given for all parameters."""
    return [f"{n}: {kind}{'' if is_needed(program, n) else ' | None = None'}" for n in input_names(program)]


def checked(program: Program, work: str, together: bool) -> list[str]:
    """Lines that check what is given for some parameters, and make lists of it.

    work: their positions. together: whether the rule looks at all of them together.
    """
    options = f", optional=True{', together=True' if together else ''}"
    return [
        f'{name} = check_given("{name}", {name}, params, {work}{options if is_optional(program, q) else ""})'
        for q, name in program.rule.inputs.items()
    ]


def presence(program: Program) -> list[str]:
    """Lines that say which inputs of one parameter are given."""
    return [f"{name} = {name.removeprefix('has_')} is not None" for name in asked_given(program)]


def about_inputs(program: Program) -> list[str]:
    """Lines of the docstring of a step over arrays."""
    names = input_names(program)
    told = "as grads, an array or None for each parameter; None if there is none."
    return [f"{', '.join(names)}: {told}"] if names else []


def step_method(program: Program) -> list[str]:
    """The lines of a class's own `step`, if it has inputs, each after an empty one."""
    names = input_names(program)
    if not names:
        return []
    keywords = ["*", *input_arguments(program, "Inputs")]
    told = ", ".join(f'"{name}": {name}' for name in names)
    return [
        "",
        "@overload",
        *_declared(["self", "closure: None = None", *keywords], "None"),
        "",
        "@overload",
        *_declared(["self", "closure: Callable[[], float]", *keywords], "float"),
        "",
        *signature("step", ["self", "closure: Callable[[], float] | None = None", *keywords], "float | None"),
        '    """Update every parameter that has a gradient. A closure is called first; its value is returned.',
        "",
        *(f"    {line}" for line in textwrap.wrap(f"{', '.join(names)}: {TENSORS}", WIDTH - 8)),
        "    Raises ValueError, before anything changes, for what does not fit its parameter.",
        '    """',
        f"    return self._make_step(closure, {{{told}}})",
    ]


def _declared(arguments: list[str], returns: str) -> list[str]:
    """The lines of one overload."""
    *lines, last = signature("step", arguments, returns)
    return [*lines, f"{last} ..."]
