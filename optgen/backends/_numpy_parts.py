"""The rules of a program's chain in a module for NumPy: which parameters follow which, and how their states start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from optgen.backends._numpy_start import start_items, type_of
from optgen.dsl.rule import Rule
from optgen.ir import Map, Role
from optgen.listing import names_in, needs_matrix, signature, starts_late, suffix, woven
from optgen.passes import Program


@dataclass(frozen=True, slots=True)
class Part:
    """One rule of a chain, at this position. start: the lines that start its states. late: what they wait for.

    asked: the hyperparameters that they read. work: the list of the parameters that follow it. alone: all do.
    """

    program: Program
    at: int
    start: list[str]
    late: list[str]
    asked: list[str]
    alone: bool

    @classmethod
    def of(cls, program: Program, at: int, alone: bool) -> Part:
        """The part of a program, without those after it."""
        start = woven(program, start_items)
        asked = [n for d in program.rule.declarations for n in d.names if n in names_in(start)]
        late = [str(program.rule.grad.label)] if starts_late(program) else []
        return cls(program, at, start, late, asked, alone)

    @property
    def suffix(self) -> str:
        """What its names end in."""
        return suffix(self.at)

    @property
    def work(self) -> str:
        """The name of the list."""
        return f"work{self.suffix}" if self.alone else f"work{self.suffix or '_here'}"

    @property
    def param(self) -> str:
        """The name of the parameter as it was."""
        return f"{self.program.rule.param.label}_prev"

    def call(self, *given: str) -> str:
        """The call that starts the states of a parameter."""
        return f"_start{self.suffix}({', '.join([*given, *self.asked])})" if self.start else "{}"

    def starting(self, rule: Rule) -> dict[str, Any]:
        """What the template needs to print the function that starts its states. rule: which declares all."""
        arrays = [f"{name}: Array" for name in (self.param, *self.late)]
        opens = signature(f"_start{self.suffix}", [*arrays, *(f"{n}: {type_of(rule, n)}" for n in self.asked)], "State")
        about = "The states that this variant of the rule reads, at their first values."
        return {"opens": opens, "about": about, "lines": ["kept: State = {}", *self.start, "return kept"]}

    def sorting(self) -> list[str]:
        """Lines that leave to the next rule the parameters that are not for this one."""
        rest = f"work{suffix(self.at + 1)}"
        every = self.work if self.suffix else "work"
        here, elsewhere = fits(self.program, "params[i]"), fits(self.program, "params[i]", False)
        return [
            f"{rest} = [i for i in {every} if {elsewhere}]",
            f"{self.work} = [i for i in {every} if {here}]",
        ]


def unfit(program: Program) -> str:
    """The condition under which no rule is for the shape of parameter i; empty if there is one for all."""
    last = program.chain[-1]
    is_picky = last.rule.ndim is not None or _least(last) or last.rule.min_numel
    return fits(last, "params[i]", False) if is_picky else ""


def fits(program: Program, array: str, fits: bool = True) -> str:
    """The condition under which the rule is, or is not, for the shape of an array."""
    rule, found = program.rule, []
    if rule.ndim is not None:
        found.append(f"{array}.ndim {'==' if fits else '!='} {rule.ndim}")
    elif _least(program) or not rule.min_numel:
        found.append(f"{array}.ndim {'>=' if fits else '<'} {_least(program)}")
    if rule.min_numel:
        found.append(f"{array}.size {'>=' if fits else '<'} {rule.min_numel}")
    return (" and " if fits else " or ").join(found)


def _least(program: Program) -> int:
    """The smallest number of axes that the rule is for."""
    return max(program.rule.min_ndim or 0, 2 if needs_matrix(program) else 0)


def borrowed(program: Program) -> set[str]:
    """The names that may stand for an array of the caller's, who may overwrite it before the next step."""
    found = {v.name for s in program.steps for v in s.of_role(Role.PARAM, Role.GRAD, Role.STATE)}
    for statement in (statement for step in program.steps for statement in step.body):
        if isinstance(statement, Map):
            values = [value for value, _ in statement.expr.args] if statement.expr.is_Piecewise else [statement.expr]
            if any(value.is_Symbol and value.name in found for value in values):
                found.add(statement.target)
    return found
