"""Rounding of bounded numbers to a narrower format.

Exact where all that is within reach has one nearest neighbour, else off by the step to the other: an error like any
other, and no doubt about which branch was taken.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from optgen.bounds.bounded import Bounded, Machine, magnitude
from optgen.bounds.formats import FP32


def to_bfloat16(machine: Machine, a: Bounded) -> Bounded:
    """The nearest bfloat16, ties to even. A float64 may be rounded to float32 first, as torch does it."""
    first = FP32.unit * magnitude(a.value) if machine.compute.unit and machine.compute.unit < FP32.unit else 0.0
    reach = a.error + first
    value, low, high = (machine.reals.call("bfloat16", a.value + side * reach) for side in (0, -1, 1))
    error = np.maximum(magnitude(high - value), magnitude(value - low))
    error = np.where(value == low, np.where(value == high, 0.0, error), error)
    error = np.where(np.isnan(error), np.inf, error)
    nonnegative = np.asarray(value >= error).astype(bool) | a.nonnegative
    return replace(a, value=value, error=error, nonnegative=nonnegative, exact=False)
