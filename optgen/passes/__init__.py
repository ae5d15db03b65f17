"""The compiler: one Rule in, one straight-line Step out for each combination of its static conditions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from optgen.dsl.load import literal
from optgen.dsl.rule import Rule
from optgen.ir import Step
from optgen.passes.check import check
from optgen.passes.flatten import flatten
from optgen.passes.hoist import hoist
from optgen.passes.infer import infer
from optgen.passes.keep import keep
from optgen.passes.resolve import resolve
from optgen.passes.specialise import conditions, specialise, variants
from optgen.passes.store import store
from optgen.passes.validate import validate

PIPELINE: tuple[Callable[[Step], Step], ...] = (flatten, infer, hoist)
STAGES = ("resolve", *(stage.__name__ for stage in PIPELINE))


@dataclass(frozen=True, slots=True)
class Program:
    """A compiled rule. `steps` has one variant for each combination of the truth values of `conditions`.

    otherwise: what is for the parameters of other shapes. modes: what `train()` and `eval()` do.
    """

    rule: Rule
    conditions: tuple[Any, ...]
    steps: tuple[Step, ...]
    otherwise: Program | None = None
    modes: Mapping[str, Program] = field(default_factory=dict)

    @property
    def chain(self) -> tuple[Program, ...]:
        """The program, that for other shapes, and so on."""
        return (self, *(self.otherwise.chain if self.otherwise is not None else ()))


def lower(rule: Rule, after: str = STAGES[-1]) -> Program:
    """Compile a rule, up to and including the pass named `after`. Raises RuleError with all problems of a stage."""
    with literal():
        validate(rule)
        found = conditions(rule)
        steps = tuple(_run(rule, variant, after) for variant in variants(rule, found))
        steps = store(rule, steps) if after == STAGES[-1] else steps
        otherwise = lower(rule.otherwise, after) if rule.otherwise is not None else None
        modes = {name: without_copies(lower(mode, after)) for name, mode in rule.modes.items()}
        return Program(rule, found, steps, otherwise, modes)


def without_copies(program: Program) -> Program:
    """The program in which a state that stays as it is is not written."""
    otherwise = without_copies(program.otherwise) if program.otherwise is not None else None
    with literal():
        return replace(program, steps=tuple(map(keep, program.steps)), otherwise=otherwise)


def _run(rule: Rule, variant: dict[Any, bool], after: str) -> Step:
    step = resolve(specialise(rule, variant))
    for stage in PIPELINE[: STAGES.index(after)]:
        step = check(stage(step), hoisted=stage is hoist)
    return step
