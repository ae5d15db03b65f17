"""Formats: what rounding to each floating-point format loses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True)
class Format:
    """unit: half the spacing of the numbers at 1. tiny: the smallest subnormal. huge: the largest finite number."""

    name: str
    unit: float
    tiny: float
    huge: float

    @property
    def smallest_normal(self) -> float:
        """What is smaller may lose precision, or all of its value where subnormals are flushed."""
        return self.tiny / (2 * self.unit)

    def holds(self, numbers: Any) -> Any:
        """Whether the format has these numbers of float64."""
        if self.unit <= FP64.unit:
            return np.ones(np.shape(numbers), bool)
        steps = numbers / self.spacing(np.abs(numbers))
        return (steps == np.floor(steps)) & (np.abs(numbers) <= self.huge)

    def spacing(self, size: Any) -> Any:
        """The unit in the last place at these magnitudes."""
        return 2.0 ** np.floor(np.log2(np.maximum(size, self.smallest_normal))) * 2 * self.unit


FP64 = Format("fp64", 2.0**-53, 2.0**-1074, float(np.finfo(np.float64).max))
FP32 = Format("fp32", 2.0**-24, 2.0**-149, float(np.finfo(np.float32).max))
FP16 = Format("fp16", 2.0**-11, 2.0**-24, 65504.0)
BF16 = Format("bf16", 2.0**-8, 2.0**-133, (2 - 2.0**-7) * 2.0**127)
# No rounding at all: with it the bound is 0 and a value is what the equations say.
EXACT = Format("exact", 0.0, 0.0, np.inf)
