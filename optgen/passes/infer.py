"""Infer: the axes and the place of every name, from what each is computed of.

Assumes flat statements. Establishes Var.axes and Var.place of every state and local: a value is on the host if it is
computed from t, hyperparameters, extents and host values only, its own past included.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from sympy import Function, Symbol

from optgen.errors import Loc, Problem, RuleError
from optgen.ir import (
    BATCH,
    ELEMENT,
    TENSOR,
    Axis,
    Map,
    MatMul,
    Op,
    Place,
    Reduce,
    Role,
    Statement,
    Step,
    Var,
    symbol,
)

Shape = tuple[Axis, ...] | None  # None: a scalar on the host
Shapes = dict[str, Shape]
NAMES: Mapping[Op, str] = {Op.SUM: "total", Op.MEAN: "mean", Op.MAX: "amax"}


class _Mismatch(Exception):
    """Values that do not fit: a message with a hole for each, how to mend it, and the values as the IR names them."""

    def problem(self, step: Step, loc: Loc | None) -> Problem:
        """The same in the user's words."""
        message, hint, *values = self.args
        return Problem(message.format(*(_spelled(value, step) for value in values)), loc, hint)


def infer(step: Step) -> Step:
    """The same step with axes and places. Raises RuleError for shapes that do not broadcast."""
    shapes: Shapes = {v.name: _given(v) for v in step.vars}
    problems: list[Problem] = []
    before: Shapes = {}
    while shapes != before:  # a state's shape is the smallest that its own recurrence keeps
        before = dict(shapes)  # what does not fit yet may fit once the shapes of all states are known
        problems = [*_body(step, shapes), *_states(step, shapes)]
    problems += [*_param(step, shapes), *_starts(step, shapes)] if not problems else []
    if problems:
        raise RuleError.several(problems)
    return replace(step, vars=tuple(_placed(v, shapes[v.name]) for v in step.vars))


def _given(var: Var) -> Shape:
    if var.role in (Role.PARAM, Role.GRAD, Role.INPUT) or var.tensor_init:
        return ELEMENT
    return var.axes if var.settled and var.place is Place.DEVICE else None


def _placed(var: Var, shape: Shape) -> Var:
    if var.role not in (Role.STATE, Role.LOCAL):
        return var
    return replace(var, axes=shape or (), place=Place.HOST if shape is None else Place.DEVICE)


def _body(step: Step, shapes: Shapes) -> list[Problem]:
    problems = []
    for statement in step.body:
        try:
            shapes[statement.target] = _shape(statement, shapes)
        except _Mismatch as mismatch:
            problems.append(mismatch.problem(step, statement.loc))
    return problems


def _states(step: Step, shapes: Shapes) -> list[Problem]:
    problems = []
    for write in step.writes:
        if step.var(write.into).role is Role.STATE:
            try:
                values = partial(tuple, (symbol(write.into), symbol(write.value)))
                shapes[write.into] = _join(shapes[write.into], shapes[write.value], values)
            except _Mismatch as mismatch:
                problems.append(mismatch.problem(step, _loc(step, write.value)))
    return problems


def _param(step: Step, shapes: Shapes) -> list[Problem]:
    name = step.writes[0].value
    shape = shapes[name]
    if shape != ELEMENT:
        message = f"the parameter {name} is {_words(ELEMENT)}, but its update is {_words(shape)}"
        return [Problem(message, _loc(step, name), f"write the update as {name}[t - 1] - ...")]
    return []


def _starts(step: Step, shapes: Shapes) -> list[Problem]:
    """States that start as a tensor and go on as less than one."""
    return [
        Problem(
            f"{write.value} starts as a tensor, {_words(ELEMENT)}, but its equation gives "
            + _words(shapes[write.value]),
            _loc(step, write.value),
            f"start it from a number, or let its equation read {write.value}[t - 1]",
        )
        for write in step.writes
        if step.var(write.into).tensor_init and shapes[write.value] != ELEMENT
    ]


def _loc(step: Step, target: str) -> Loc | None:
    return next((s.loc for s in step.body if s.target == target), None)


def _shape(statement: Statement, shapes: Shapes) -> Shape:
    match statement:
        case Map(expr=expr):
            return _of(expr, shapes)
        case Reduce(arg=arg, over=over):
            shape = _of(arg, shapes)
            lacking = [axis for axis in over if axis not in (shape or ())]
            if shape is None or len(lacking) == len(over) or TENSOR in lacking:
                axis = over[0] if len(over) == 1 else "elements"
                gone = f"{{}} is {_words(shape)}, so there are no {axis} to reduce over"
                raise _Mismatch(gone, "leave the reduction out, or reduce over an axis that is there", arg)
            return tuple(axis for axis in shape if axis not in over and (len(over) == 1 or axis == TENSOR))
        case MatMul():
            return _product(statement, shapes)


def _of(expr: Any, shapes: Shapes) -> Shape:
    if expr.is_Symbol:
        return shapes[expr.name]
    shape: Shape = None
    for position, arg in enumerate(expr.args):
        shape = _join(shape, _of(arg, shapes), partial(_beside, expr, position))
    return shape


def _beside(expr: Any, position: int) -> tuple[Any, Any]:
    """What stands before an argument, and the argument."""
    before = expr.args[:position]
    return before[0] if position == 1 else expr.func(*before), expr.args[position]


def _join(a: Shape, b: Shape, values: Callable[[], tuple[Any, Any]]) -> Shape:
    """The axes of a value computed from both, by name. values: what they are, for a message."""
    if a is None or b is None:
        return a if b is None else b
    longer, shorter = (a, b) if len(a) >= len(b) else (b, a)
    merged = longer if set(shorter) <= set(longer) else tuple(x for x in ELEMENT if x in a or x in b)
    if set(merged) != set(a) | set(b) or any(not _ordered(part, merged) for part in (a, b)):
        message = f"{{}} is {_words(a)} and {{}} is {_words(b)}: they do not broadcast"
        raise _Mismatch(message, "reduce or transpose one of them so that their axes agree", *values())
    return merged


def _ordered(part: tuple[Axis, ...], whole: tuple[Axis, ...]) -> bool:
    return [axis for axis in whole if axis in part] == list(part)


def _words(shape: Shape) -> str:
    if shape is None:
        return "a scalar"
    match [axis.extent for axis in shape if axis not in (TENSOR, BATCH)]:
        case []:
            return "one number per matrix" if BATCH in shape else "one number per tensor" if shape else "one number"
        case [("rows" | "cols") as extent]:
            return f"one number per {'row' if extent == 'rows' else 'column'}"
        case extents:
            return " by ".join(extents)


def _spelled(value: Any, step: Step) -> str:
    """An expression as the rule writes it."""
    made = {s.target: s for s in step.body if step.var(s.target).loc is None}

    def spell(node: Any) -> Any:
        if not node.is_Symbol:
            return node.func(*map(spell, node.args)) if node.args else node
        match made.get(node.name):
            case Map(expr=expr):
                return spell(expr)
            case Reduce(op=op, arg=arg, over=over):
                return Function(NAMES[op])(spell(arg), Symbol(_over(over)))
            case MatMul() as product:
                return Function("matmul")(*map(spell, _sides(product)))
            case None:
                return Symbol(_quantity(step.var(node.name)))

    return str(spell(value))


def _over(axes: tuple[Axis, ...]) -> str:
    return str(axes[0]) if len(axes) == 1 else "model" if TENSOR in axes else "elems"


def _quantity(var: Var) -> str:
    match var.role:
        case Role.PARAM | Role.STATE:
            return f"{var.name.removesuffix('_prev')}[t - 1]"
        case Role.GRAD | Role.INPUT | Role.LOCAL:
            return var.name if re.search(r"_\d+$", var.name) else f"{var.name}[t]"
        case _:
            return var.name


def _product(statement: MatMul, shapes: Shapes) -> Shape:
    (a_axes, a), (b_axes, b) = (
        _matrix(statement, n, t, shapes) for n, t in ((statement.a, statement.ta), (statement.b, statement.tb))
    )
    if a[1].extent != b[0].extent:
        (rows, inner), (other, cols) = ([axis.extent for axis in side] for side in (a, b))
        sizes = f"{{}} is {rows} by {inner} and {{}} is {other} by {cols}"
        message = f"{sizes}: they do not multiply, {inner} is not {other}"
        raise _Mismatch(message, "transpose one of them, as in matmul(x, transpose(x))", *_sides(statement))
    first, last = a[0].extent, b[1].extent
    batch = a_axes if len(a_axes) >= len(b_axes) else b_axes
    return (*batch, Axis(first, first), Axis(last if last != first else f"{last}_2", last))


def _matrix(statement: MatMul, name: str, turned: bool, shapes: Shapes) -> tuple[tuple[Axis, ...], tuple[Axis, Axis]]:
    shape = shapes[name]
    if shape is None or len([axis for axis in shape if axis.extent in ("rows", "cols")]) != 2:
        message = f"{{}} is {_words(shape)}, and matmul takes matrices"
        raise _Mismatch(message, "multiply by * instead, or compute it from what has rows and cols", symbol(name))
    first, second = shape[-2:]
    return shape[:-2], (second, first) if turned else (first, second)


def _sides(statement: MatMul) -> Iterator[Any]:
    for name, turned in ((statement.a, statement.ta), (statement.b, statement.tb)):
        yield Function("transpose")(symbol(name)) if turned else symbol(name)
