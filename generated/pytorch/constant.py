"""Constant. Written by optgen 0.1.0 (format 1) from rules/constant.py; do not edit.

    optgen build constant --backend torch

The learning rate stays as it is.

    factor(t) = 1
"""

from __future__ import annotations

from torch.optim import Optimizer

from ._schedules import RuleScheduler


def factor(t: int) -> float:
    """What the initial learning rate is multiplied by at step t; 0 is the first."""
    return 1


class Constant(RuleScheduler):
    """Constant: fine-tuning, debugging."""

    def __init__(
        self,
        optimizer: Optimizer,
        last_epoch: int = -1,
    ) -> None:
        super().__init__(optimizer, last_epoch)

    def factor(self, t: int) -> float:
        """The factor of step t."""
        return factor(t)
