"""WarmupConstant. Written by optgen 0.1.0 (format 1) from rules/warmup_constant.py; do not edit.

    optgen build warmup_constant --backend torch

Linear warmup from 0 over warmup_steps, then constant. Numbers as transformers' get_constant_schedule_with_warmup.

    factor(t) = Piecewise((t/Max(warmup_steps, 1), t < warmup_steps), (1, True))
"""

from __future__ import annotations

from torch.optim import Optimizer

from ._schedules import Hyper, RuleScheduler


def factor(t: int, *, warmup_steps: float) -> float:
    """What the initial learning rate is multiplied by at step t; 0 is the first."""
    if t < warmup_steps:
        return t / max(warmup_steps, 1)
    return 1


class WarmupConstant(RuleScheduler):
    """WarmupConstant: fine-tuning."""

    hypers = (
        Hyper("warmup_steps", at_least=0),
    )

    def __init__(
        self,
        optimizer: Optimizer,
        warmup_steps: float,
        last_epoch: int = -1,
    ) -> None:
        self.warmup_steps = warmup_steps
        super().__init__(optimizer, last_epoch)

    def factor(self, t: int) -> float:
        """The factor of step t."""
        return factor(t, warmup_steps=self.warmup_steps)
