"""Magnitudes: for which gradients a rule whose states are stored in few bits stays near what it does in float32."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

EXPONENTS = range(-12, 5)  # of the magnitudes of gradients
SHAPE = (64, 128)
STEPS = 50
WITHIN = 0.1


@dataclass(frozen=True, slots=True)
class Distance:
    """How far parameters are from those of the rule in float32, over how far those have gone, after STEPS steps.

    magnitude: the root mean square of the gradients, which have a mean of their own in each element.
    """

    magnitude: float
    error: float

    def is_within(self, limit: float) -> bool:
        """Whether it is at most the limit; a NaN is not."""
        return self.error <= limit


def distances(coded: ModuleType, plain: ModuleType, exponents: Sequence[int] = EXPONENTS) -> list[Distance]:
    """The distance for gradients of each magnitude. coded, plain: modules of the NumPy backend, with their defaults."""
    return [Distance(10.0**n, _distance(coded, plain, 10.0**n)) for n in exponents]


def _distance(coded: ModuleType, plain: ModuleType, magnitude: float) -> float:
    start, theirs = _walked(plain, magnitude)
    _, ours = _walked(coded, magnitude)
    gone = math.sqrt(float(((theirs - start) ** 2).sum()))
    off = math.sqrt(float(((ours - theirs) ** 2).sum()))
    return off / gone if gone else 0.0 if off == 0 else math.inf


def _walked(module: ModuleType, magnitude: float) -> tuple[Any, Any]:
    """The parameters before and after, in float64. A gradient has a mean of a third, and noise around it."""
    draw = np.random.default_rng(0)
    first = draw.standard_normal(SHAPE).astype(np.float32) * np.float32(0.02)
    mean, params = draw.standard_normal(SHAPE) / 3, [first]
    state = module.init(params)
    with np.errstate(all="ignore"):
        for t in range(1, STEPS + 1):
            noise = draw.standard_normal(SHAPE)
            params, state = module.step(params, [(magnitude * (mean + noise)).astype(np.float32)], state, t)
    return first.astype(np.float64), params[0].astype(np.float64)
