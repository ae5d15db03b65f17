"""The compiler: one Rule in, one straight-line Step out for each combination of its static conditions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from optgen.dsl.inputs import Given
from optgen.dsl.load import literal
from optgen.dsl.rule import Rule
from optgen.ir import Place, Role, Step, Var
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


def asked_given(program: Program) -> list[str]:
    """The conditions that ask whether an input is given."""
    return [condition.name for condition in program.conditions if isinstance(condition, Given)]


def lower(rule: Rule, after: str = STAGES[-1]) -> Program:
    """Compile a rule, up to and including the pass named `after`. Raises RuleError with all problems of a stage."""
    with literal():
        validate(rule)
        found = conditions(rule)
        every = list(variants(rule, found))
        shared = _shared(rule, every)
        steps = tuple(_run(rule, variant, after, others) for variant, others in zip(every, shared, strict=True))
        steps = store(rule, steps) if after == STAGES[-1] else steps
        otherwise = lower(rule.otherwise, after) if rule.otherwise is not None else None
        modes = {name: without_copies(lower(mode, after)) for name, mode in rule.modes.items()}
        return Program(rule, found, steps, otherwise, modes)


def without_copies(program: Program) -> Program:
    """The program in which a state that stays as it is is not written."""
    otherwise = without_copies(program.otherwise) if program.otherwise is not None else None
    with literal():
        return replace(program, steps=keep(program.steps), otherwise=otherwise)


def _shared(rule: Rule, every: list[dict[Any, bool]]) -> list[dict[str, Var]]:
    """For each variant the states of those that differ from it in what is given only, with the axes that fit all."""
    kinds = [tuple(item for item in variant.items() if not isinstance(item[0], Given)) for variant in every]
    found: dict[Any, dict[str, Var]] = {kind: {} for kind in kinds}
    before = None
    while rule.inputs and found != before:
        before = found
        steps = [_run(rule, variant, infer.__name__, before[kind]) for variant, kind in zip(every, kinds, strict=True)]
        found = {kind: {} for kind in kinds}
        for step, kind in zip(steps, kinds, strict=True):
            for state in step.of_role(Role.STATE):
                known = found[kind].setdefault(state.name, state)
                found[kind][state.name] = max(known, state, key=lambda v: (v.place is Place.DEVICE, len(v.axes)))
    return [found[kind] for kind in kinds]


def _run(rule: Rule, variant: dict[Any, bool], after: str, others: Mapping[str, Var]) -> Step:
    step = resolve(specialise(rule, variant), others)
    for stage in PIPELINE[: STAGES.index(after)]:
        step = check(stage(step), hoisted=stage is hoist)
    return step
