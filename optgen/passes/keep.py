"""Keep: a state that stays as it is is not written again, and what reads its new value reads its past.

Assumes a hoisted step. Establishes that no device state is written that is a bare copy of its own past. Where another
variant computes it the copy keeps its name, so that what reads it reads alike in both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from optgen.ir import Map, MatMul, Reduce, Statement, Step, symbol
from optgen.passes.rewrite import bottom_up


def keep(steps: Sequence[Step]) -> tuple[Step, ...]:
    """The same variants without the statements and writes that would copy a state onto itself."""
    copies = [{s.target for s in step.body if _is_copy(s) and _is_state(step, s.target)} for step in steps]
    made = [{s.target for s in step.body} for step in steps]
    everywhere = {name for names in copies for name in names}
    everywhere -= {name for all_, same in zip(made, copies, strict=True) for name in all_ - same}
    return tuple(_without(step, names, names & everywhere) for step, names in zip(steps, copies, strict=True))


def _without(step: Step, copies: set[str], gone: set[str]) -> Step:
    """The step without the writes of copies, and without the statements of some."""
    same = {name: symbol(f"{name}_prev") for name in gone}
    return replace(
        step,
        vars=tuple(v for v in step.vars if v.name not in same),
        body=tuple(_reading_past(s, same) for s in step.body if s.target not in same),
        writes=tuple(w for w in step.writes if w.value not in copies),
    )


def _is_copy(statement: Statement) -> bool:
    return isinstance(statement, Map) and bool(statement.expr == symbol(f"{statement.target}_prev"))


def _is_state(step: Step, name: str) -> bool:
    """Whether a name is the new value of a state."""
    return any(w.value == name for w in step.writes[1:])


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
