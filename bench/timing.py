"""Timing: steps of several optimizers in turns, so that a drift of the machine meets all of them alike."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from statistics import median, quantiles
from typing import Protocol

import torch
from torch.autograd.profiler import profile

Run = Callable[[], object]
TOGETHER, MOST = 0.02, 25  # seconds, and runs


@dataclass(frozen=True, slots=True)
class Sample:
    """Seconds that a step takes from an idle start, those that its caller waits, and those that the device works."""

    step: float
    host: float
    device: float


class Device(Protocol):
    """Where steps run, and how they are timed there."""

    name: str  # as torch calls it

    def time(self, run: Run) -> Sample:
        """Run it once."""
        ...

    def times(self, run: Run) -> int:
        """How many such runs are to follow one another."""
        ...

    def allocated(self, run: Run) -> int:
        """The bytes of the largest allocation while it runs."""
        ...

    def probe(self) -> tuple[Run, int]:
        """What shows the bandwidth of the memory, and the bytes that it moves."""
        ...


class Cpu:
    """Wall-clock time of calls that return when all is done."""

    name = "cpu"

    def __init__(self, elements: int = 1 << 26) -> None:
        self.elements = elements

    def time(self, run: Run) -> Sample:
        """Run it once."""
        start = time.perf_counter()
        run()
        took = time.perf_counter() - start
        return Sample(took, took, took)

    def times(self, run: Run) -> int:
        """How many such runs fill 20 ms: short ones, which all else between them would push out of the caches."""
        return max(1, min(int(TOGETHER / self.time(run).step), MOST))

    def allocated(self, run: Run) -> int:
        """The bytes of the largest allocation of torch while it runs."""
        os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # it would tell of each profile
        with profile(profile_memory=True, use_kineto=False) as seen:
            run()
        return max((event.cpu_memory_usage for event in seen.function_events), default=0)

    def probe(self) -> tuple[Run, int]:
        """A multiplication in place: each element is read and written."""
        x = torch.ones(self.elements)
        return lambda: x.mul_(1.0), 2 * x.nbytes


def interleaved(
    runs: Sequence[Run], device: Device, rounds: int, prepare: Sequence[Run], times: int = 1
) -> list[list[Sample]]:
    """Samples of each run: A A B B C C A A B B C C ... times: how many of a run follow one another, as in training the
    steps of one optimizer do; their medians are one sample. prepare: what happens, untimed, before each run.
    """
    samples: list[list[Sample]] = [[] for _ in runs]
    for _ in range(rounds):
        for run, before, mine in zip(runs, prepare, samples, strict=True):
            mine.append(_middle([_timed(run, before, device) for _ in range(times)]))
    return samples


def _timed(run: Run, before: Run, device: Device) -> Sample:
    before()
    return device.time(run)


def _middle(samples: Sequence[Sample]) -> Sample:
    return Sample(*(median(getattr(one, field.name) for one in samples) for field in fields(Sample)))


def quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    """The lower quartile, the median and the upper quartile."""
    if len(values) < 2:
        return values[0], values[0], values[0]
    low, middle, high = quantiles(values, n=4, method="inclusive")
    return low, middle, high


def ratio(times: Sequence[float], others: Sequence[float]) -> float:
    """How often longer the first take: the median over rounds, since both of a round meet the same machine."""
    return median(a / b for a, b in zip(times, others, strict=True))
