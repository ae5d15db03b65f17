"""WarmupCosine. Written by optgen 0.1.0 (format 1) from rules/warmup_cosine.py; do not edit.

    optgen build warmup_cosine --backend torch

Linear warmup from 0 over warmup_steps, then half a cosine down to 0, or to min_factor times the initial learning
rate, at total_steps, then constant. Loshchilov & Hutter, SGDR: Stochastic Gradient Descent with Warm Restarts, ICLR
2017, https://arxiv.org/abs/1608.03983. Numbers as transformers' get_cosine_schedule_with_warmup.

    factor(t) = Piecewise((t/Max(warmup_steps, 1), t < warmup_steps), (min_factor + (1 - min_factor)*((1 +
        cos(pi*Min((t - warmup_steps)/Max(total_steps - warmup_steps, 1), 1)))/2), True))
"""

from __future__ import annotations

import math

from torch.optim import Optimizer

from ._schedules import Hyper, RuleScheduler


def factor(t: int, *, total_steps: float, warmup_steps: float, min_factor: float = 0.0) -> float:
    """What the initial learning rate is multiplied by at step t; 0 is the first."""
    if t < warmup_steps:
        return t / max(warmup_steps, 1)
    return min_factor + (1 - min_factor) * (
        (1 + math.cos(math.pi * min((t - warmup_steps) / max(total_steps - warmup_steps, 1), 1))) / 2
    )


class WarmupCosine(RuleScheduler):
    """WarmupCosine: LLM training."""

    hypers = (
        Hyper("total_steps", at_least=1),
        Hyper("warmup_steps", at_least=0),
        Hyper("min_factor", at_least=0, at_most=1),
    )

    def __init__(
        self,
        optimizer: Optimizer,
        total_steps: float,
        warmup_steps: float,
        min_factor: float = 0.0,
        last_epoch: int = -1,
    ) -> None:
        self.total_steps = total_steps
        self.warmup_steps = warmup_steps
        self.min_factor = min_factor
        super().__init__(optimizer, last_epoch)

    def factor(self, t: int) -> float:
        """The factor of step t."""
        return factor(t, total_steps=self.total_steps, warmup_steps=self.warmup_steps, min_factor=self.min_factor)
