"""Fused: what the backends that step a whole parameter group in one pass share: variants, streams and scalars."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from typing import Any

from optgen.dsl.symbols import EXTENTS, Kind
from optgen.errors import Problem, RuleError
from optgen.ir import (
    BATCH,
    COLS,
    ELEMENT,
    ROWS,
    TENSOR,
    Axis,
    MatMul,
    Place,
    Reduce,
    Role,
    Statement,
    Step,
    Var,
    reads,
)
from optgen.listing import condition_texts, device_axes
from optgen.passes import Program, asked_given
from optgen.wrapping import WIDTH

RELATIONS = {"!=": "is_not", ">": "above", ">=": "at_least", "<": "below", "<=": "at_most"}
ORDER = (Role.PARAM, Role.GRAD, Role.STATE, Role.INPUT)
INSTEAD = "leave this rule to the numpy and torch backends"
# One number per what a value on the device stands for, by its axes.
KINDS: dict[tuple[Axis, ...], str] = {
    (): "tensor",
    (TENSOR,): "tensor",
    (TENSOR, BATCH): "matrix",
    (TENSOR, BATCH, ROWS): "row",
    (TENSOR, BATCH, COLS): "col",
    ELEMENT: "element",
}


def flag_names(program: Program) -> list[str]:
    """The names of the constants that say which static conditions hold."""
    return [_flag(k, condition) for k, condition in enumerate(program.conditions)]


def _flag(k: int, condition: Any) -> str:
    if condition.is_Symbol:
        return str(condition.name)
    left, right = condition.args
    if not (left.is_Symbol and (right.is_Symbol or (right.is_Integer and right >= 0))):
        return f"case_{k + 1}"
    is_nonzero = condition.rel_op == "!=" and right == 0
    return f"has_{left}" if is_nonzero else f"{left}_{RELATIONS[condition.rel_op]}_{right}"


def flag_arguments(program: Program) -> list[str]:
    """The arguments of a function that tells the variant: the hyperparameters that static conditions read."""
    read = {s.name for condition in program.conditions for s in condition.free_symbols}
    arguments = [
        f"{name}: {'bool' if d.kind is Kind.FLAG else 'float'}"
        for d in program.rule.declarations
        for name in d.names
        if name in read
    ]
    arguments += [f"{name}: bool" for name in asked_given(program)]
    return ["*", *arguments] if arguments else []


def flags_text(program: Program) -> str:
    """Which static conditions hold, as a Python dict of their constants' names."""
    return f"{{{', '.join(_flag_entries(program))}}}"


def flags_lines(program: Program) -> list[str]:
    """Lines that return that dict."""
    line = f"return {flags_text(program)}"
    return [line] if len(line) <= WIDTH else ["return {", *(f"    {entry}," for entry in _flag_entries(program)), "}"]


def _flag_entries(program: Program) -> list[str]:
    pairs = zip(flag_names(program), condition_texts(program), strict=True)
    return [f'"{name}": {text}' for name, text in pairs]


def stream(program: Program, name: str) -> str:
    """What a value in memory is called: its past and new value share a place, but not the gradient and its past."""
    stem = name.removesuffix("_prev")
    return name if stem == program.rule.grad.label.name else stem


def streams(program: Program) -> dict[str, Var]:
    """What lies in memory, by the quantity's name: the parameter, the gradient, states and inputs of any variant.

    What has a format in some variants only is as in these.
    """
    found: dict[str, Var] = {}
    for v in (v for step in program.steps for v in step.of_role(*ORDER) if v.place is Place.DEVICE):
        known = found.setdefault(stream(program, v.name), v)
        found[stream(program, v.name)] = v if v.codec or not known.codec else known
    return dict(sorted(found.items(), key=lambda item: ORDER.index(item[1].role)))


def scalars(program: Program) -> list[Var]:
    """What the kernel reads of the host, over all variants."""
    steps = sorted(program.steps, key=lambda step: -len(step.vars))
    read = {name for step in steps for statement in step.body for name in reads(statement)}
    found = {v.name: v for step in steps for v in step.vars if v.place is Place.HOST and v.name in read}
    return list(found.values())


def tuple_text(keys: Sequence[str]) -> str:
    """A tuple of texts as Python."""
    quoted = ", ".join(f'"{key}"' for key in keys)
    return f"({quoted},)" if len(keys) == 1 else f"({quoted})"


def names(program: Program) -> set[str]:
    """The names that the rule gave, and those that passes made of them."""
    declared = {name for declaration in program.rule.declarations for name in declaration.names}
    return declared | {v.name for step in program.steps for v in step.vars}


def kind_of(step: Step, name: str) -> str:
    """One number per what a name stands for; host for a scalar of the host."""
    var = step.var(name)
    return "host" if var.place is Place.HOST else KINDS[var.axes]


def reduced(step: Step, statement: Statement) -> str:
    """What a reduction reduces: one number per what."""
    axes = {axis for name in reads(statement) for axis in device_axes(step).get(name, ())}
    return KINDS[tuple(axis for axis in ELEMENT if axis in axes)]


def is_over_model(statement: Statement) -> bool:
    """Whether a statement reduces over all tensors."""
    return isinstance(statement, Reduce) and TENSOR in statement.over


def state_kinds(program: Program, step: Step, stored: Mapping[str, str]) -> str:
    """What each state and input has one number per in one variant, as a tuple in Python. One that it lacks has none.

    stored: what is stored of them or beside a parameter, with the kind of what has one of its own, else an empty text.
    """
    mine = {stream(program, v.name): v for v in step.of_role(*ORDER) if v.place is Place.DEVICE}
    axes = {name: v.axes for name, v in (streams(program) | mine).items()}
    plain = {name for name, v in mine.items() if not v.codec}  # whatever it is in other variants
    return tuple_text([KINDS[axes[name]] if name in plain or not kind else kind for name, kind in stored.items()])


def lacks_products(_: Step, statement: Statement) -> str:
    """What C has no steps for."""
    return "products" if isinstance(statement, MatMul) else ""


def lacks_kernels(step: Step, statement: Statement) -> str:
    """What Triton has no kernels for."""
    if isinstance(statement, MatMul):
        return "products"
    inner = isinstance(statement, Reduce) and reduced(step, statement) == "matrix"
    return "sums over what each matrix has one of" if inner else ""


def devices(program: Program) -> dict[str, str]:
    """The types of device on which a class steps fused, with its function that finds the kernel."""
    kinds = (("cuda", "on_gpu", lacks_kernels), ("cpu", "on_cpu", lacks_products))
    steps = [step for part in program.chain for step in part.steps]
    return {
        device: function
        for device, function, lacks in kinds
        if not any(lacks(step, statement) for step in steps for statement in step.body)
    }


def check_passes(
    program: Program,
    backend: str,
    taken: Set[str],
    lacks: Callable[[Step, Statement], str],
    others: Iterable[Problem] = (),
) -> None:
    """Raises RuleError for a rule with what a backend lacks, or with a name of the kernel's own.

    others: what else is wrong.
    """
    problems = [
        Problem(f"the {backend} backend has no {lacking} yet", statement.loc, INSTEAD)
        for step in program.steps
        for statement in step.body
        if (lacking := lacks(step, statement))
    ]
    problems += [
        Problem(
            f"the {backend} backend chooses a variant for a parameter group, but {condition} depends on a shape",
            program.rule.loc,
            INSTEAD,
        )
        for condition in program.conditions
        if condition.free_symbols & {*EXTENTS}
    ]
    problems += [
        Problem(
            f"the name {name!r} is one that the generated kernel uses itself",
            program.rule.loc,
            f"choose another, for example {name}_0",
        )
        for name in sorted(names(program) & taken)
    ]
    problems += others
    if problems:
        raise RuleError.several(list(dict.fromkeys(problems)))
