"""Measure: all candidates for a rule on a workload, in turns, with the memory's bandwidth among them."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from statistics import median
from typing import Any

import torch
from torch import Tensor
from torch.nn import Parameter
from torch.optim import Optimizer

from bench.candidates import OURS, Candidate, class_of
from bench.timing import Device, Run, Sample, interleaved, quartiles, ratio
from bench.workloads import (
    DTYPES,
    SETTINGS,
    WORKLOADS,
    Workload,
    bytes_of_equations,
    bytes_of_tensors,
    gradients,
    one_of,
    optimizer_rule,
    parameters,
)

MOVING = 1 << 25  # elements up to which gradients lie elsewhere at every step, as they may in training
REFUSALS = (RuntimeError, TypeError, ValueError, ImportError, OSError, AttributeError, AssertionError)


@dataclass(frozen=True, slots=True)
class Case:
    """A rule whose parameters, gradients and states have one dtype, on a workload."""

    rule: str
    dtype: str
    workload: Workload

    @property
    def moved(self) -> int:
        """The bytes that a step must move."""
        settings, itemsize = SETTINGS.get(self.rule, {}), DTYPES[self.dtype].itemsize
        return bytes_of_equations(self.rule, settings, self.workload.elements, itemsize)

    def shrunk(self) -> Case:
        """The same on a few small tensors, to try all that is measured in no time."""
        return replace(self, workload=self.workload.shrunk())


@dataclass(frozen=True, slots=True)
class Measured:
    """A candidate's figures. Times are of a step; over_ours: the median over rounds of its time over that of ours.

    device_ms: the median of what the device works, without what it waits for the host; on a CPU that is median_ms.
    fraction: the bytes that the rule must move over the time on the device, as part of the probe's bandwidth.
    allocated: bytes of the largest allocation in a step. first_step: with compilation, where torch.compile is used.
    """

    candidate: str
    median_ms: float
    quartiles_ms: tuple[float, float]
    device_ms: float
    fraction: float
    over_ours: float
    host_us_per_tensor: float
    allocated: int
    first_step_s: float | None


@dataclass(frozen=True, slots=True)
class Result:
    """A case, measured. bandwidth: of the probe, in GB/s. refused: candidates that could not step, and why."""

    rule: str
    dtype: str
    workload: str
    title: str
    tensors: int
    elements: int
    bytes: int
    bytes_of_tensors: int
    bandwidth: float
    rounds: int
    measured: list[Measured]
    refused: dict[str, str]


@dataclass(slots=True)
class Subject:
    """A candidate with parameters of its own."""

    label: str
    optimizer: Optimizer
    params: list[Parameter]
    sets: list[list[Tensor]]
    run: Run
    first_step: float | None = None
    turns: int = field(default=0)

    def renew(self) -> None:
        """Give the parameters other gradients."""
        for param, grad in zip(self.params, self.sets[self.turns % len(self.sets)], strict=True):
            param.grad = grad
        self.turns += 1


def subject(
    candidate: Candidate, case: Case, sets: list[list[Tensor]], device: Device, finish: Callable[[Any], None]
) -> Subject:
    """A candidate after its first steps, so that its states are there and all is compiled. sets: of gradients."""
    params = parameters(case.workload, DTYPES[case.dtype], device.name)
    optimizer = candidate.make(params)
    step = optimizer.step
    made = Subject(candidate.label, optimizer, params, sets, torch.compile(step) if candidate.is_compiled else step)
    made.renew()
    start = time.perf_counter()
    device.time(made.run)
    if candidate.is_compiled:
        made.first_step = time.perf_counter() - start
    finish(optimizer)
    for _ in range(2):
        made.renew()
        device.time(made.run)
    return made


def measure(
    case: Case,
    candidates: Iterable[Candidate],
    device: Device,
    rounds: int,
    finish: Callable[[str, Any], None] = lambda label, optimizer: None,
) -> Result:
    """Measure a case. finish: what is done to an optimizer after its first step."""
    subjects, refused = _subjects(case, candidates, device, finish)
    probe, probed = device.probe()
    allocated = [device.allocated(one.run) for one in subjects]
    runs, prepare = [*(one.run for one in subjects), probe], [*(one.renew for one in subjects), lambda: None]
    *samples, probes = interleaved(runs, device, rounds, prepare, device.times(subjects[0].run))
    bandwidth = probed / median(sample.device for sample in probes)
    tensors = len(case.workload.shapes)
    ours = next(mine for one, mine in zip(subjects, samples, strict=True) if one.label == OURS)
    measured = [
        _figures(one, mine, ours, case.moved / bandwidth, tensors, most)
        for one, mine, most in zip(subjects, samples, allocated, strict=True)
    ]
    first = subjects[0]
    return Result(
        case.rule,
        case.dtype,
        case.workload.name,
        case.workload.title,
        tensors,
        case.workload.elements,
        case.moved,
        bytes_of_tensors(first.params, first.optimizer.state),
        bandwidth / 1e9,
        rounds,
        measured,
        refused,
    )


def _subjects(
    case: Case, candidates: Iterable[Candidate], device: Device, finish: Callable[[str, Any], None]
) -> tuple[list[Subject], dict[str, str]]:
    subjects: list[Subject] = []
    refused: dict[str, str] = {}
    sets = gradients(case.workload, DTYPES[case.dtype], device.name, 2 if case.workload.elements <= MOVING else 1)
    for candidate in candidates:
        label = candidate.label
        try:
            subjects.append(subject(candidate, case, sets, device, partial(finish, label)))
        except REFUSALS as error:
            if label == OURS:
                raise
            refused[label] = f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error) else ''}"
    return subjects, refused


def _figures(
    one: Subject, mine: Sequence[Sample], ours: Sequence[Sample], floor: float, tensors: int, allocated: int
) -> Measured:
    times = [sample.step for sample in mine]
    low, middle, high = quartiles(times)
    device = median(sample.device for sample in mine)
    return Measured(
        one.label,
        1e3 * middle,
        (1e3 * low, 1e3 * high),
        1e3 * device,
        floor / device,
        ratio(times, [sample.step for sample in ours]),
        1e6 * median(sample.host for sample in mine) / tensors,
        allocated,
        one.first_step,
    )


def _dtypes(rule: str) -> Collection[str]:
    """The dtypes that a rule is measured in."""
    if "param" in optimizer_rule(rule).storage:  # in a format of bfloat16 parameters
        return ["bf16"]
    return DTYPES if rule.startswith("adamw") else ["fp32"]


def cases(rules: Sequence[str], dtypes: Sequence[str], workloads: Sequence[str]) -> Iterator[Case]:
    """Every rule in fp32, those of AdamW in every dtype that is wanted, and formats of bfloat16 parameters in that.

    Raises KeyError for a name that there is not, with those that there are.
    """
    for rule in rules:
        class_of(rule)
    for dtype in dtypes:
        one_of(DTYPES, "dtype", dtype)
    for workload in workloads:
        found = one_of(WORKLOADS, "workload", workload)
        for rule in rules:
            yield from (Case(rule, dtype, found) for dtype in dtypes if dtype in _dtypes(rule))
