"""Infer: the axes and the place of every name, from what each is computed of.

Assumes flat statements. Establishes Var.axes and Var.place of every state and local: a value is on the host if it is
computed from t, hyperparameters, extents and host values only, its own past included.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from optgen.errors import Loc, Problem, RuleError
from optgen.ir import ELEMENT, TENSOR, Axis, Map, MatMul, Place, Reduce, Role, Statement, Step, Var

Shape = tuple[Axis, ...] | None  # None: a scalar on the host
Shapes = dict[str, Shape]


class _Mismatch(Exception):
    """Two values that do not broadcast, in the user's words."""


def infer(step: Step) -> Step:
    """The same step with axes and places. Raises RuleError for shapes that do not broadcast."""
    shapes: Shapes = {v.name: _given(v) for v in step.vars}
    problems: list[Problem] = []
    before: Shapes = {}
    while shapes != before:  # a state's shape is the smallest that its own recurrence keeps
        before = dict(shapes)  # what does not fit yet may fit once the shapes of all states are known
        problems = [*_body(step, shapes), *_states(step, shapes)]
    problems += _param(step, shapes) if not problems else []
    if problems:
        raise RuleError.several(problems)
    return replace(step, vars=tuple(_placed(v, shapes[v.name]) for v in step.vars))


def _given(var: Var) -> Shape:
    if var.role in (Role.PARAM, Role.GRAD):
        return ELEMENT
    return ELEMENT if var.tensor_init else None


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
            problems.append(
                Problem(str(mismatch), statement.loc, "reduce or transpose one of them so that their axes agree")
            )
    return problems


def _states(step: Step, shapes: Shapes) -> list[Problem]:
    problems = []
    for write in step.writes:
        if step.var(write.into).role is Role.STATE:
            try:
                shapes[write.into] = _join(shapes[write.into], shapes[write.value], write.into, write.value)
            except _Mismatch as mismatch:
                problems.append(
                    Problem(str(mismatch), _loc(step, write.value), "a state keeps its shape from step to step")
                )
    return problems


def _param(step: Step, shapes: Shapes) -> list[Problem]:
    name = step.writes[0].value
    shape = shapes[name]
    if shape != ELEMENT:
        return [
            Problem(
                f"the parameter {name} becomes a value over {_words(shape or ())}",
                _loc(step, name),
                "its update must have its shape",
            )
        ]
    return []


def _loc(step: Step, target: str) -> Loc | None:
    return next((s.loc for s in step.body if s.target == target), None)


def _shape(statement: Statement, shapes: Shapes) -> Shape:
    match statement:
        case Map(expr=expr):
            return _of(expr, shapes)
        case Reduce(arg=arg, over=over):
            shape = _of(arg, shapes)
            lacking = [axis for axis in over if axis not in (shape or ())]
            if shape is None or (lacking and (len(over) == 1 or TENSOR in lacking)):
                raise _Mismatch(f"{arg} has no {over[0] if len(over) == 1 else 'elements'} to reduce over")
            return tuple(axis for axis in shape if axis not in over and (len(over) == 1 or axis == TENSOR))
        case MatMul():
            return _product(statement, shapes)


def _of(expr: Any, shapes: Shapes) -> Shape:
    if expr.is_Symbol:
        return shapes[expr.name]
    shape: Shape = None
    for i, arg in enumerate(expr.args):
        shape = _join(shape, _of(arg, shapes), expr.args[:i], arg)
    return shape


def _join(a: Shape, b: Shape, a_what: Any, b_what: Any) -> Shape:
    """The axes of a value computed from both, by name."""
    if a is None or b is None:
        return a if b is None else b
    longer, shorter = (a, b) if len(a) >= len(b) else (b, a)
    merged = longer if set(shorter) <= set(longer) else tuple(x for x in ELEMENT if x in a or x in b)
    if set(merged) != set(a) | set(b) or any(not _ordered(part, merged) for part in (a, b)):
        a_text = ", ".join(map(str, a_what)) if isinstance(a_what, tuple) else a_what
        raise _Mismatch(f"{a_text} over {_words(a)} and {b_what} over {_words(b)} do not broadcast")
    return merged


def _ordered(part: tuple[Axis, ...], whole: tuple[Axis, ...]) -> bool:
    return [axis for axis in whole if axis in part] == list(part)


def _words(shape: tuple[Axis, ...]) -> str:
    return f"({', '.join(str(a) for a in shape)})" if shape else "no axis"


def _product(statement: MatMul, shapes: Shapes) -> Shape:
    (a_axes, a), (b_axes, b) = (
        _matrix(statement, n, t, shapes) for n, t in ((statement.a, statement.ta), (statement.b, statement.tb))
    )
    if a[1].extent != b[0].extent:
        raise _Mismatch(
            f"{statement.a} over {_words(a)} and {statement.b} over {_words(b)} do not multiply: {a[1]} is not {b[0]}"
        )
    first, last = a[0].extent, b[1].extent
    batch = a_axes if len(a_axes) >= len(b_axes) else b_axes
    return (*batch, Axis(first, first), Axis(last if last != first else f"{last}_2", last))


def _matrix(statement: MatMul, name: str, turned: bool, shapes: Shapes) -> tuple[tuple[Axis, ...], tuple[Axis, Axis]]:
    shape = shapes[name]
    if shape is None or len([axis for axis in shape if axis.extent in ("rows", "cols")]) != 2:
        raise _Mismatch(f"{name} is not a matrix")
    first, second = shape[-2:]
    return shape[:-2], (second, first) if turned else (first, second)
