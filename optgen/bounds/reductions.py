"""Reductions of bounded numbers: sums in any order, the largest, matrix products."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from optgen.bounds.bounded import Bounded, Machine, is_nan, magnitude

Axes = tuple[int, ...] | None


def total(machine: Machine, a: Bounded, axes: Axes) -> Bounded:
    """The sum over axes (kept as length 1), or over everything (None, giving a scalar); n terms in any order."""
    keep = axes is not None
    terms = a.value.size if axes is None else int(np.prod([a.value.shape[i] for i in axes]))
    value = np.asarray(np.sum(a.value, axis=axes, keepdims=keep))
    reach = np.sum(magnitude(a.value) + a.error, axis=axes, keepdims=keep)
    error = np.sum(_spread(a.error, a), axis=axes, keepdims=keep) + growth(machine, max(terms - 1, 0)) * reach
    if machine.flush:
        error = error + terms * machine.compute.smallest_normal
    nonnegative = np.all(_spread(a.nonnegative, a), axis=axes, keepdims=keep)
    return _checked(machine, Bounded(value, error, np.zeros(value.shape, bool), nonnegative))


def total_of(machine: Machine, parts: list[Bounded]) -> Bounded:
    """The sum of one number for each tensor, in any order."""
    value = sum(part.value for part in parts)
    error = sum(part.error for part in parts)
    reach = sum(magnitude(part.value) + part.error for part in parts)
    nonnegative = np.all([part.nonnegative for part in parts])
    error = error + growth(machine, len(parts) - 1) * reach
    return _checked(machine, Bounded(np.asarray(value), np.asarray(error), np.asarray(False), nonnegative))


def largest(machine: Machine, a: Bounded, axes: Axes) -> Bounded:
    """The largest over axes, which is exact: as uncertain as the worst operand."""
    keep = axes is not None
    lost = np.any(is_nan(a.value), axis=axes, keepdims=keep)  # of mpmath's numbers NumPy would not keep a NaN
    value = np.where(lost, np.nan, np.asarray(np.max(a.value, axis=axes, keepdims=keep)))
    error = np.max(_spread(a.error, a), axis=axes, keepdims=keep)
    nonnegative = np.any(_spread(a.nonnegative, a), axis=axes, keepdims=keep)
    return Bounded(value, error, np.zeros(value.shape, bool), nonnegative)


def product(machine: Machine, a: Bounded, b: Bounded) -> Bounded:
    """The matrix product over the last two axes; the inner sum in any order."""
    size_a, size_b = magnitude(a.value), magnitude(b.value)
    inner = a.value.shape[-1]
    reach = (size_a + a.error) @ (size_b + b.error)
    error = size_a @ b.error + a.error @ size_b + a.error @ b.error + growth(machine, inner) * reach
    error = error + inner * (machine.compute.smallest_normal if machine.flush else machine.compute.tiny)
    value = np.asarray(a.value @ b.value)
    nonnegative = np.broadcast_to(np.all(a.nonnegative) & np.all(b.nonnegative), value.shape)
    return _checked(machine, Bounded(value, error, np.zeros(value.shape, bool), nonnegative))


def transposed(a: Bounded) -> Bounded:
    """The last two axes exchanged."""
    value, error, edge, nonnegative = (np.swapaxes(_spread(part, a), -1, -2)
                                       for part in (a.value, a.error, a.edge, a.nonnegative))
    return replace(a, value=value, error=error, edge=edge, nonnegative=nonnegative)


def growth(machine: Machine, roundings: int) -> float:
    """The relative error of so many roundings one after the other (Higham's gamma)."""
    accumulated = roundings * machine.device_unit
    return accumulated / (1 - accumulated)


def _spread(part: Any, a: Bounded) -> Any:
    return np.broadcast_to(part, np.shape(a.value))


def _checked(machine: Machine, a: Bounded) -> Bounded:
    if not machine.compute.unit:
        return replace(a, error=np.zeros(np.shape(a.value)))
    error = np.where(np.isnan(a.error), np.inf, a.error)
    return replace(a, error=np.where(magnitude(a.value) + error > machine.compute.huge, np.inf, error))
