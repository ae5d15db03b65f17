"""PyTorch lines: one statement as one line."""

from __future__ import annotations

from typing import Any

from optgen.constructor import is_stacked
from optgen.ir import COLS, ROWS, Axis, Map, MatMul, Op, Reduce, Statement, Step
from optgen.languages import TORCH
from optgen.listing import device_axes, host_names
from optgen.passes import Program
from optgen.printers import to_text

FUNCTIONS = {Op.SUM: "torch.sum", Op.MEAN: "torch.mean", Op.MAX: "torch.amax"}
DIM: dict[tuple[Axis, ...], str] = {(ROWS,): ", dim=-2, keepdim=True", (COLS,): ", dim=-1, keepdim=True"}
MATRIX = ", dim=(-2, -1), keepdim=True"


def line_of(program: Program, step: Step, statement: Statement) -> str:
    """A statement of one variant."""
    match statement:
        case Map(target=target, expr=expr):
            return f"{target} = {_text(program, step, expr)}"
        case Reduce(target=target, op=op, arg=arg, over=over):
            dim = DIM.get(over, MATRIX if is_stacked(program) else "")
            return f"{target} = {FUNCTIONS[op]}({_text(program, step, arg)}{dim})"
        case MatMul(target=target, a=a, b=b, ta=ta, tb=tb):
            return f"{target} = {a}{'.mT' if ta else ''} @ {b}{'.mT' if tb else ''}"


def _text(program: Program, step: Step, expr: Any) -> str:
    scalars = frozenset[str]().union(*map(host_names, program.steps))
    return to_text(expr, TORCH, host_names(step), axes=device_axes(step), scalars=scalars)
