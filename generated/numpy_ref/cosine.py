"""Cosine. Written by optgen 0.1.0 (format 1) from rules/cosine.py; do not edit.

    optgen build cosine --backend numpy

Cosine annealing without restarts over total_steps, then constant. Loshchilov & Hutter, SGDR: Stochastic Gradient
Descent with Warm Restarts, ICLR 2017, https://arxiv.org/abs/1608.03983, equation 5.

    factor(t) = min_factor + (1 - min_factor)*((1 + cos(pi*Min(t/total_steps, 1)))/2)
"""

from __future__ import annotations

import math


def factor(t: int, *, total_steps: float, min_factor: float = 0.0) -> float:
    """What the initial learning rate is multiplied by at step t; 0 is the first."""
    return min_factor + (1 - min_factor) * ((1 + math.cos(math.pi * min(t / total_steps, 1))) / 2)
