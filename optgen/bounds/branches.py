"""Branches of bounded numbers: conditions that may be in doubt, and values that cover every branch then possible."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

import numpy as np

from optgen.bounds.bounded import Bounded, Machine, magnitude


@dataclass(frozen=True, slots=True)
class Condition:
    """Element by element: whether it holds, and whether a correct backend may find otherwise. host: known there."""

    holds: Any
    doubtful: Any
    host: bool = True

    @property
    def certain(self) -> Any:
        """Where every backend finds that it holds."""
        return self.holds & ~self.doubtful

    @property
    def possible(self) -> Any:
        """Where some backend may find that it holds."""
        return self.holds | self.doubtful


def known(truth: bool) -> Condition:
    """A condition that is the same for all backends."""
    return Condition(np.asarray(truth), np.asarray(False))


def compare(machine: Machine, relation: Callable[[Any, Any], Any], a: Bounded, b: Bounded) -> Condition:
    """A relation of two numbers. Comparing rounds nothing, but the operands may be off.

    A number of the host that a state started as is rounded on both sides alike, and so is still the same.
    """
    same = np.asarray(False)
    if not (a.host and b.host):
        same = _is_rounded(machine, a, b) | _is_rounded(machine, b, a)
        a, b = machine.device(a), machine.device(b)
    reach = a.error + b.error
    doubtful = (magnitude(a.value - b.value) <= reach) & (reach > 0) & ~same
    holds = np.where(same, bool(relation(0, 0)), np.asarray(relation(a.value, b.value)).astype(bool))
    return Condition(holds, doubtful | ~np.isfinite(reach), a.host and b.host)


def _is_rounded(machine: Machine, scalar: Bounded, stored: Bounded) -> Any:
    """Where a number on the device is nothing but a scalar of the host, as it was given or rounded once."""
    if stored.host or not scalar.host or scalar.error != 0 or not machine.compute.unit:
        return np.asarray(False)
    value = magnitude(scalar.value)
    half = machine.compute.spacing(value) / 2
    off = magnitude(np.asarray(stored.value - scalar.value))
    rounded = (stored.error == 0) & machine.compute.holds(stored.value.astype(np.float64)) & (off < half)
    return rounded | ((off == 0) & (stored.error <= 2 * machine.compute.unit * value + machine.compute.tiny))


def negation(a: Condition) -> Condition:
    """Not."""
    return replace(a, holds=~a.holds)


def conjunction(parts: Sequence[Condition]) -> Condition:
    """And: in doubt unless one part certainly fails."""
    possible = reduce(np.logical_and, [p.possible for p in parts])
    certain = reduce(np.logical_and, [p.certain for p in parts])
    holds = reduce(np.logical_and, [p.holds for p in parts])
    return Condition(holds, possible & ~certain, all(p.host for p in parts))


def disjunction(parts: Sequence[Condition]) -> Condition:
    """Or: in doubt unless one part certainly holds."""
    return negation(conjunction([negation(p) for p in parts]))


def select(machine: Machine, branches: Sequence[tuple[Bounded, Condition]]) -> Bounded:
    """The value of the first branch that holds; where that is in doubt its error reaches to every branch it may be."""
    host = all(value.host and condition.host for value, condition in branches)
    ready = [(value if host else machine.device(value), condition) for value, condition in branches]
    made = replace(ready[-1][0], exact=False)
    for value, condition in reversed(ready[:-1]):
        made = _where(condition.holds, value, made)
    error, edge, nonnegative, taken = made.error, made.edge, made.nonnegative, np.asarray(False)
    for value, condition in ready:
        rival = condition.possible & ~taken
        reach = magnitude(np.asarray(value.value - made.value)) + value.error
        error = np.where(rival, np.maximum(error, np.where(np.isnan(reach), np.inf, reach)), error)
        edge = edge | (rival & condition.doubtful)
        nonnegative = np.where(rival, nonnegative & value.nonnegative, nonnegative)
        taken = taken | condition.certain
    return replace(made, error=error, edge=edge, nonnegative=nonnegative)


def _where(holds: Any, a: Bounded, b: Bounded) -> Bounded:
    value, error = np.where(holds, a.value, b.value), np.where(holds, a.error, b.error)
    edge, nonnegative = np.where(holds, a.edge, b.edge), np.where(holds, a.nonnegative, b.nonnegative)
    return Bounded(value, error, edge, nonnegative, a.host)
