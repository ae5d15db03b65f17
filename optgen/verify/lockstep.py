"""Lock-step: a backend and the oracle take each step from the same state, and every number must lie in its bound."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from optgen import oracle
from optgen.bounds import Bounded, Format, Machine, magnitude
from optgen.dsl.rule import Rule
from optgen.verify.cases import Hypers, Shapes, gradients, inputs
from optgen.verify.runners import Array, Runner, States, Storage

COUNTS = (1, 2, 3, 4, 5, 6, 1000)  # the last one: far along a schedule or a bias correction
FEW = (1, 2, 1000)  # for many elements
MISSING = {1: 2, 3: 1}  # in a class with missing gradients: step -> the tensor that has none, one late and one pausing


@dataclass(slots=True)
class Tally:
    """The worst that was found so far. open: elements near a discontinuity are not counted."""

    ratio: float = 0.0
    ulp: float = 0.0
    relative: float = 0.0
    decided: int = 0
    elements: int = 0
    bound: float = 0.0
    open: bool = False
    note: str = ""
    faults: list[str] = field(default_factory=list)

    def compare(self, machine: Machine, got: Array, wanted: Bounded, form: Format, what: str) -> None:
        """Counts in how far `got` is from what is wanted."""
        got = np.asarray(got)
        if np.size(wanted.value) > got.size:
            self.faults.append(f"{what} has shape {got.shape} instead of {np.shape(wanted.value)}")
            return
        value, error, edge = (_as(part, got.shape) for part in (wanted.value, wanted.error, wanted.edge))
        error = np.where(np.isnan(error), np.inf, error)  # an unknown error is no small one
        reference = magnitude(value) if value.ndim else np.asarray(magnitude(value))
        known = np.isfinite(error) & np.isfinite(reference)
        with np.errstate(all="ignore"):
            off = magnitude(machine.reals.array(got) - value)
            off = np.where(_same(got, value), 0.0, np.where(np.isnan(off), np.inf, off))
            ratio = np.where(off == 0, 0.0, np.where(np.isinf(error), 0.0, off / error))
            ulps = np.where(off == 0, 0.0, off / form.spacing(reference))
            widest = (error[known] / form.spacing(reference[known])).max(initial=0.0)
        decided = np.isfinite(error) & ~edge
        if not self.open:
            self.decided, self.elements = self.decided + int(decided.sum()), self.elements + got.size
        if not got.size:
            return
        self.bound = max(self.bound, float(widest))
        worst = float(ratio.max())
        if worst > 1:
            at = np.unravel_index(int(ratio.argmax()), got.shape)
            self.faults.append(f"{what}{list(map(int, at)) or ''} is {float(got[at])!r}, not {float(value[at])!r}: "
                               f"{worst:.3g} times the bound {float(error[at]):.3g}")
        self.ratio, self.ulp = max(self.ratio, worst), max(self.ulp, float(ulps[decided].max(initial=0.0)))
        largest = float(reference[np.isfinite(reference)].max(initial=0.0))
        if largest:
            self.relative = max(self.relative, float(off[decided].max(initial=0.0)) / largest)


def _as(part: Any, shape: tuple[int, ...]) -> Any:
    part = np.asarray(part)
    return np.broadcast_to(part, shape) if part.size != np.prod(shape) else part.reshape(shape)


def _same(got: Array, value: Array) -> Any:
    wanted = np.asarray(value).astype(np.float64)
    return (np.isnan(got) & np.isnan(wanted)) | (np.isinf(got) & (got == wanted))


def run(rule: Rule, runner: Runner, hypers: Hypers, shapes: Shapes, storage: Storage, seed: int,
        counts: Sequence[int] = COUNTS, machine: Machine | None = None) -> Tally:
    """Steps a backend along its own trajectory; each step is judged from the state that it started from.

    machine: its arithmetic, if that is not IEEE's.
    """
    tally, machine = Tally(open=shapes.extreme), machine or storage.machine(runner.host_scalar)
    own = [0] * len(shapes.shapes)
    kept: States = [{} for _ in shapes.shapes]
    common = [oracle.common_states(rule, shape, hypers) if runner.shares else frozenset() for shape in shapes.shapes]
    for number, count in enumerate(counts, start=1):
        grads: list[Array | None] = [storage.round(g) for g in gradients(shapes, storage.param, seed + number)]
        if shapes.missing and MISSING.get(number, len(grads)) < len(grads):
            grads[MISSING[number]] = None
        own = [n if g is None else n + 1 if count == number else count for n, g in zip(own, grads, strict=True)]
        given = [n + 1 if g is None else n for n, g in zip(own, grads, strict=True)]
        besides = _besides(rule, shapes, storage, seed + number, number)
        before, _ = runner.read()
        kept = [_of_others(kept, keys) if not of and keys else of for of, keys in zip(kept, common, strict=True)]
        wanted, states = oracle.enclose(rule, before, grads, kept, given, hypers, machine, besides,
                                        runner.decoder.missed_at_start)
        with np.errstate(all="ignore"):
            runner.step(grads, given, besides)
        after, found = runner.read()
        stepped = [of for of, grad in zip(found, grads, strict=True) if grad is not None]
        for i, grad in enumerate(grads):
            where = f"step {number}, tensor {i}"
            param = _widened(wanted[i], None if grad is None else runner.missed[i].get("param"))
            tally.compare(machine, after[i], param, storage.param, f"{where}: the parameter")
            if grad is None and _differ(found[i], {**kept[i], **_of_others(stepped, common[i] & found[i].keys())}):
                tally.faults.append(f"{where}: the state changed without a gradient")
            if grad is not None and before[i].size:
                wider = {key: _widened(state, runner.missed[i].get(key)) for key, state in states[i].items()}
                _compare_states(tally, machine, storage, found[i], wider, where)
        kept = found
        tally.faults += [runner.complaint()] if runner.complaint() else []
        if tally.faults:
            break
    tally.note = runner.note()
    return tally


def _besides(rule: Rule, shapes: Shapes, storage: Storage, seed: int, number: int) -> dict[str, list[Array | None]]:
    made = inputs(rule, shapes, storage.param, seed, number)
    return {name: [None if x is None else storage.round(x) for x in of] for name, of in made.items()}


def _compare_states(tally: Tally, machine: Machine, storage: Storage, found: dict[str, Array],
                    wanted: dict[str, Bounded], where: str) -> None:
    if set(found) != set(wanted):
        tally.faults.append(f"{where}: the states are {', '.join(sorted(found)) or 'none'} instead of "
                            f"{', '.join(sorted(wanted)) or 'none'}")
        return
    for key, state in wanted.items():
        form = machine.host_scalar if state.host else storage.state
        tally.compare(machine, found[key], state, form, f"{where}: state {key}")


def _widened(state: Bounded, missed: Array | None) -> Bounded:
    """The state with what a storage format may add to its error."""
    return state if missed is None else replace(state, error=state.error + missed)


def _of_others(states: States, keys: Collection[str]) -> dict[str, Array]:
    """The states of the model, of whoever has them."""
    return {key: of[key] for of in reversed(states) for key in keys if key in of}


def _differ(a: dict[str, Array], b: dict[str, Array]) -> bool:
    return bool(b) and any(not np.array_equal(a[key], b[key], equal_nan=True) for key in b)
