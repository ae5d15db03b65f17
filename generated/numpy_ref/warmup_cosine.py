"""WarmupCosine. Written by optgen 0.1.0 (format 1) from rules/warmup_cosine.py; do not edit.

    optgen build warmup_cosine --backend numpy

Linear warmup from 0 over warmup_steps, then half a cosine down to 0, or to min_factor times the initial learning
rate, at total_steps, then constant. Loshchilov & Hutter, SGDR: Stochastic Gradient Descent with Warm Restarts, ICLR
2017, https://arxiv.org/abs/1608.03983. Numbers as transformers' get_cosine_schedule_with_warmup.

    factor(t) = Piecewise((t/Max(warmup_steps, 1), t < warmup_steps), (min_factor + (1 - min_factor)*((1 +
        cos(pi*Min((t - warmup_steps)/Max(total_steps - warmup_steps, 1), 1)))/2), True))
"""

from __future__ import annotations

import math


def factor(t: int, *, total_steps: float, warmup_steps: float, min_factor: float = 0.0) -> float:
    """What the initial learning rate is multiplied by at step t; 0 is the first."""
    if t < warmup_steps:
        return t / max(warmup_steps, 1)
    return min_factor + (1 - min_factor) * (
        (1 + math.cos(math.pi * min((t - warmup_steps) / max(total_steps - warmup_steps, 1), 1))) / 2
    )
