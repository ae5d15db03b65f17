"""Store: what a rule says of storage goes to the quantities: in which format each is kept, and whether it has a sign.

Assumes hoisted steps. Establishes Var.codec, and Var.is_nonnegative of what has a format.
"""

from __future__ import annotations

from dataclasses import replace

from optgen.dsl.rule import Rule
from optgen.ir import ELEMENT, Role, Step, Var
from optgen.passes.ranges import nonnegative


def store(rule: Rule, steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """The variants of a rule, with the formats of what they keep."""
    if not rule.storage:
        return steps
    unsigned = nonnegative(rule, steps)

    def stored(var: Var) -> Var:
        if var.role is Role.PARAM:
            found = rule.storage.get("param", "")
        elif var.role is Role.STATE:
            common = rule.storage.get("states", "") if var.axes == ELEMENT else ""
            found = rule.storage.get(var.name.removesuffix("_prev"), common)
        else:
            found = ""
        return replace(var, codec=found, is_nonnegative=var.name in unsigned) if found else var

    return tuple(replace(step, vars=tuple(map(stored, step.vars))) for step in steps)
