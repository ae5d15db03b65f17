"""The compiler: one Rule in, one straight-line Step out for each combination of its static conditions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from optgen.dsl.load import literal
from optgen.dsl.rule import Rule
from optgen.ir import Map, Step
from optgen.ir import symbol as step_symbol
from optgen.passes.check import check
from optgen.passes.flatten import flatten
from optgen.passes.hoist import hoist
from optgen.passes.infer import infer
from optgen.passes.resolve import resolve
from optgen.passes.specialise import conditions, specialise, variants
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
        otherwise = lower(rule.otherwise, after) if rule.otherwise is not None else None
        modes = {name: _without_copies(lower(mode, after)) for name, mode in rule.modes.items()}
        return Program(rule, found, steps, otherwise, modes)


def _without_copies(program: Program) -> Program:
    """The program without the states that stay as they are."""

    def shortened(step: Step) -> Step:
        same = {s.target for s in step.body if isinstance(s, Map) and s.expr == step_symbol(f"{s.target}_prev")}
        return replace(
            step,
            vars=tuple(v for v in step.vars if v.name not in same),
            body=tuple(s for s in step.body if s.target not in same),
            writes=tuple(w for w in step.writes if w.value not in same),
        )

    return replace(program, steps=tuple(map(shortened, program.steps)))


def _run(rule: Rule, variant: dict[Any, bool], after: str) -> Step:
    step = resolve(specialise(rule, variant))
    for stage in PIPELINE[: STAGES.index(after)]:
        step = check(stage(step), hoisted=stage is hoist)
    return step
