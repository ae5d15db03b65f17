"""Linear. Written by optgen 0.1.0 (format 1) from rules/linear.py; do not edit.

    optgen build linear --backend numpy

Linear decay to 0, or to min_factor times the initial learning rate, over total_steps, then constant.

    factor(t) = min_factor + (1 - min_factor)*(1 - Min(t/total_steps, 1))
"""

from __future__ import annotations


def factor(t: int, *, total_steps: float, min_factor: float = 0.0) -> float:
    """What the initial learning rate is multiplied by at step t; 0 is the first."""
    return min_factor + (1 - min_factor) * (1 - min(t / total_steps, 1))
