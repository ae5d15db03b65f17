"""Keep: a state that stays as it is is not written again, and what reads its new value reads its past.

Assumes places. Establishes that no device value is a bare copy of its own past.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from optgen.ir import Map, MatMul, Place, Reduce, Statement, Step, symbol
from optgen.passes.rewrite import bottom_up


def keep(step: Step) -> Step:
    """The same step without the statements and writes that would copy a state onto itself."""
    same = {s.target: symbol(f"{s.target}_prev") for s in step.body if _is_copy(s) and _is_state(step, s.target)}
    return replace(
        step,
        vars=tuple(v for v in step.vars if v.name not in same),
        body=tuple(_reading_past(s, same) for s in step.body if s.target not in same),
        writes=tuple(w for w in step.writes if w.value not in same),
    )


def _is_copy(statement: Statement) -> bool:
    return isinstance(statement, Map) and bool(statement.expr == symbol(f"{statement.target}_prev"))


def _is_state(step: Step, name: str) -> bool:
    """Whether a name is the new value of a state on the device."""
    return any(w.value == name and step.var(w.into).place is Place.DEVICE for w in step.writes[1:])


def _reading_past(statement: Statement, same: dict[str, Any]) -> Statement:
    def past(node: Any) -> Any:
        return same.get(node.name, node) if node.is_Symbol else node

    match statement:
        case Map(expr=expr):
            return replace(statement, expr=bottom_up(expr, past))
        case Reduce(arg=arg):
            return replace(statement, arg=bottom_up(arg, past))
        case MatMul(a=a, b=b):
            return replace(statement, a=str(past(symbol(a)).name), b=str(past(symbol(b)).name))
