"""IR as text: one step at any stage, the golden text of the pass tests."""

from __future__ import annotations

from optgen.ir import Map, MatMul, Place, Reduce, Role, Statement, Step, Var
from optgen.languages import TEXT
from optgen.printers import to_text


def show(step: Step) -> str:
    """All of a step: its variant, variables, host block, body and writes."""
    variant = ", ".join(f"{condition} is {value}" for condition, value in step.variant.items())
    lines = [f"step {step.name}" + (f" where {variant}" if variant else "")]
    lines += [f"  {_var(v)}" for v in step.vars if v.role is not Role.LOCAL]
    lines += ["host:", *(f"  {_statement(s, step)}" for s in step.host)] if step.host else []
    lines += ["body:", *(f"  {_statement(s, step)}" for s in step.body)]
    lines += ["writes:", *(f"  {w.into} <- {w.value}" for w in step.writes)]
    return "\n".join(lines)


def _var(var: Var) -> str:
    parts = [var.role.value, var.name, _shape(var)]
    if var.role is Role.STATE:
        parts += [f"key {var.key}", f"from {to_text(var.init, TEXT)}"]
    return " ".join(part for part in parts if part)


def _shape(var: Var) -> str:
    if var.place is Place.HOST:
        return "on the host"
    return f"[{' '.join(str(axis) for axis in var.axes)}]"


def _statement(statement: Statement, step: Step) -> str:
    target = f"{statement.target} {_shape(step.var(statement.target))}" if step.host or step.body else statement.target
    match statement:
        case Map(expr=expr):
            return f"{target} = {to_text(expr, TEXT)}"
        case Reduce(op=op, arg=arg, over=over):
            return f"{target} = {op.value} of {to_text(arg, TEXT)} over {' '.join(str(axis) for axis in over)}"
        case MatMul(a=a, b=b, ta=ta, tb=tb):
            return f"{target} = {a}{'^T' if ta else ''} @ {b}{'^T' if tb else ''}"
