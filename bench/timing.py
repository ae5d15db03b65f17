"""Timing: steps of several optimizers in turns, so that a drift of the machine meets all of them alike."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Protocol

import torch
from torch.autograd.profiler import profile

Run = Callable[[], object]


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


def interleaved(runs: Sequence[Run], device: Device, rounds: int, prepare: Run = lambda: None) -> list[list[Sample]]:
    """Samples of each run: A B C A B C ... prepare: what happens, untimed, before each round."""
    samples: list[list[Sample]] = [[] for _ in runs]
    for _ in range(rounds):
        prepare()
        for run, mine in zip(runs, samples, strict=True):
            mine.append(device.time(run))
    return samples


def quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    """The lower quartile, the median and the upper quartile."""
    if len(values) < 2:
        return values[0], values[0], values[0]
    low, middle, high = quantiles(values, n=4, method="inclusive")
    return low, middle, high


def ratio(times: Sequence[float], others: Sequence[float]) -> float:
    """How often longer the first take: the median over rounds, since both of a round meet the same machine."""
    return median(a / b for a, b in zip(times, others, strict=True))
