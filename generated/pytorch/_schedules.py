"""RuleScheduler: everything of a torch LRScheduler that no schedule changes."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar

from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from ._hypers import Hyper, read
from ._rule import answer

__all__ = ["Hyper", "RuleScheduler"]


class RuleScheduler(LRScheduler, ABC):
    """Sets the learning rate of step t to the initial one times `factor(t)`; t = 0 is the first step.

    It multiplies by factor(t)/factor(t - 1) what it finds, so two schedulers on one optimizer multiply.
    Raises ValueError for arguments out of bounds.
    """

    hypers: ClassVar[tuple[Hyper, ...]] = ()
    requires: ClassVar[Callable[..., str] | None] = None

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        given = read(self.hypers, vars(self), keep_tensors=False)
        message = self.requires(**answer(self.requires, given)) if self.requires else ""
        if message:
            raise ValueError(message)
        super().__init__(optimizer, last_epoch)

    @abstractmethod
    def factor(self, t: int) -> float:
        """What the initial learning rate is multiplied by at step t."""

    def get_lr(self) -> list[float | Tensor]:
        """The learning rates of this step, from those that the groups have now. Meant for `step`, as in torch."""
        if not self._get_lr_called_within_step:
            warnings.warn("To get the last learning rate computed by the scheduler, please use `get_last_lr()`.",
                          UserWarning, stacklevel=2)
        now = self.factor(self.last_epoch)
        before = self.factor(self.last_epoch - 1) if self.last_epoch > 0 else 1.0
        resuming = self._step_count == 1 and self.last_epoch > 0
        rates = [group["lr"] for group in self.optimizer.param_groups]
        return [_next(rate, base, before, now, resuming) for rate, base in zip(rates, self.base_lrs, strict=True)]

    def _get_closed_form_lr(self) -> list[float | Tensor]:
        now = self.factor(self.last_epoch)
        return [base * now for base in self.base_lrs]


def _next(rate: float | Tensor, base: float | Tensor, before: float, now: float, resuming: bool) -> float | Tensor:
    """The learning rate that follows `rate`."""
    if not isinstance(rate, Tensor) and rate == base * before:  # untouched by others: no rounding adds up
        return base * now
    if resuming or now == before:  # torch's convention: a resumed optimizer has the rate of the step that comes
        return rate.clone() if isinstance(rate, Tensor) else rate
    if before == 0:  # there is no ratio, and what is there is what another scheduler added
        return rate + base * now
    return rate * (now / before)
