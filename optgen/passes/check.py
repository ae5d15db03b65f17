"""Check: the specification of the IR, as a program. A failure is a bug of the compiler, never of a rule."""

from __future__ import annotations

from typing import Any

from sympy.functions.elementary.piecewise import ExprCondPair

from optgen.ir import Map, Place, Reduce, Role, Step, is_condition, reads


def check(step: Step, hoisted: bool = True) -> Step:
    """The step itself, if it is well formed. `hoisted` adds what holds once host and device are apart."""
    names = [v.name for v in step.vars]
    assert len(names) == len(set(names)), f"two variables share a name: {names}"
    targets = [s.target for s in (*step.host, *step.body)]
    assert len(targets) == len(set(targets)), f"a name is assigned twice: {targets}"
    defined = {v.name for v in step.vars if v.role is not Role.LOCAL}
    assert set(names) - defined == set(targets), "a local has no statement, or a target no variable"
    for statement in (*step.host, *step.body):
        missing = [name for name in reads(statement) if name not in defined]
        assert not missing, f"{statement.target} reads {missing} before they are defined"
        defined.add(statement.target)
    for write in step.writes:
        assert step.var(write.into).role in (Role.PARAM, Role.STATE), f"{write.into} cannot be stored"
        assert write.value in defined, f"{write.value} is stored but never computed"
    assert sum(step.var(w.into).role is Role.PARAM for w in step.writes) == 1, "a step writes the parameter once"
    if hoisted:
        _check_places(step)
    return step


def _check_places(step: Step) -> None:
    host = {v.name for v in step.vars if v.place is Place.HOST}
    for scalar in step.host:
        assert {scalar.target, *reads(scalar)} <= host, f"{scalar.target} is not a host value"
    for statement in step.body:
        assert statement.target not in host, f"{statement.target} belongs to the host"
        if isinstance(statement, (Map, Reduce)):
            _check_scalars(statement.expr if isinstance(statement, Map) else statement.arg, host)
    for write in step.writes:
        assert (write.into in host) == (write.value in host), f"{write.into} and {write.value} live in different places"


def _check_scalars(expr: Any, host: set[str]) -> None:
    """No arithmetic on host scalars alone is left in a device expression."""
    for part in expr.args:
        pair = isinstance(part, ExprCondPair)
        arithmetic = part.args and part.free_symbols and not (pair or is_condition(part))
        assert not (arithmetic and {s.name for s in part.free_symbols} <= host), f"{part} in {expr} is not hoisted"
        _check_scalars(part, host)
