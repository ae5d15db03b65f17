"""Schedules: the factor of every backend against the oracle, from the first step to past the end."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import torch
from torch.optim.lr_scheduler import LRScheduler

from optgen import oracle
from optgen.bounds import FP64, MULTI, Machine
from optgen.dsl.rule import Schedule
from optgen.verify.cases import Hypers
from optgen.verify.lockstep import Tally

MACHINE = Machine(FP64, FP64, FP64, reals=MULTI)
LAST = 20  # the cases end their schedules at step 12
INITIAL = 0.375


def run_numpy(schedule: Schedule, module: ModuleType, hypers: Hypers) -> Tally:
    """The plain function of t."""
    tally = Tally()
    for count in range(LAST + 1):
        wanted = oracle.factor(schedule, count, hypers, MACHINE)
        got = np.asarray(float(module.factor(count, **hypers)))
        tally.compare(MACHINE, got, wanted, FP64, f"the factor of t={count}")
    return tally


def run_torch(schedule: Schedule, module: ModuleType, hypers: Hypers) -> Tally:
    """The scheduler class: learning rates by its recurrence and by its closed form."""
    tally = Tally()
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=INITIAL)
    scheduler = scheduler_class(module)(optimizer, **hypers)
    factor = oracle.factor(schedule, 0, hypers, MACHINE)
    initial = MACHINE.scalar(INITIAL)
    rate = MACHINE.multiply(initial, factor)
    for count in range(LAST + 1):
        closed = MACHINE.multiply(initial, factor)
        got, by_form = scheduler.get_last_lr()[0], scheduler._get_closed_form_lr()[0]  # type: ignore[attr-defined]
        tally.compare(MACHINE, np.asarray(float(got)), rate, FP64, f"the learning rate at t={count}")
        tally.compare(MACHINE, np.asarray(float(by_form)), closed, FP64, f"the closed form at t={count}")
        optimizer.step()
        scheduler.step()
        following = oracle.factor(schedule, count + 1, hypers, MACHINE)
        grown = MACHINE.multiply(rate, MACHINE.divide(following, factor)) if factor.value != 0 else rate
        rate = grown if factor.value != 0 else MACHINE.add(rate, MACHINE.multiply(initial, following))
        factor = following
    return tally


def scheduler_class(module: ModuleType) -> type[LRScheduler]:
    """The scheduler that a generated module defines."""
    return next(c for c in vars(module).values()
                if isinstance(c, type) and issubclass(c, LRScheduler) and c.__module__ == module.__name__)
