"""Linear. Written by optgen 0.1.0 (format 1) from rules/linear.py; do not edit.

    optgen build linear --backend torch

Linear decay to 0, or to min_factor times the initial learning rate, over total_steps, then constant.

    factor(t) = min_factor + (1 - min_factor)*(1 - Min(t/total_steps, 1))
"""

from __future__ import annotations

from torch.optim import Optimizer

from ._schedules import Hyper, RuleScheduler


def factor(t: int, *, total_steps: float, min_factor: float = 0.0) -> float:
    """What the initial learning rate is multiplied by at step t; 0 is the first."""
    return min_factor + (1 - min_factor) * (1 - min(t / total_steps, 1))


class Linear(RuleScheduler):
    """Linear: fine-tuning."""

    hypers = (
        Hyper("total_steps", at_least=1),
        Hyper("min_factor", at_least=0, at_most=1),
    )

    def __init__(
        self,
        optimizer: Optimizer,
        total_steps: float,
        min_factor: float = 0.0,
        last_epoch: int = -1,
    ) -> None:
        self.total_steps = total_steps
        self.min_factor = min_factor
        super().__init__(optimizer, last_epoch)

    def factor(self, t: int) -> float:
        """The factor of step t."""
        return factor(t, total_steps=self.total_steps, min_factor=self.min_factor)
