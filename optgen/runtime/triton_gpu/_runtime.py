"""Host side of the fused kernels: one launch steps many tensors, and the tables it reads are kept between steps.

A launch reads a record for each tensor (the addresses of the parameter and the states, then the number of elements),
the addresses of the gradients and inputs, a word of work for each chunk of a tensor, and rows of scalars. These come
from the host, one for each distinct group and step count, or one for each tensor from a prologue, a launch before it,
which reads the step counts on the device and advances them.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from . import _mirror
from ._counts import HostCounts
from ._formats import CHANCE, halves, options_of_codes
from ._kept import Columns, Kept
from ._mirror import MOVED
from ._phases import Form
from ._tables import WARPS, Bucket, Kernels, Plan

__all__ = ["Launcher", "Names"]

_ABSENT = math.nan  # what a kernel would read of a scalar that nobody gave it
_CAPTURED = "a fused step that is captured in a CUDA graph needs capturable=True: else its scalars come from the host"


@dataclass(frozen=True, slots=True)
class Names:
    """What the kernels read: scalars, of what the prologue makes them: hyperparameters, states, what it is told; and
    inputs."""

    scalars: tuple[str, ...]
    hypers: tuple[str, ...]
    kept: tuple[str, ...]
    told: tuple[str, ...]
    inputs: tuple[str, ...] = ()


def block_of(vector: int, strict: bool, streams: int) -> int:
    """Elements per turn of the main loop: two vectors for each thread, or one where registers would run short.

    streams: how many tensors a turn reads or writes for each parameter.
    """
    spacious = vector == 2 or (vector == 4 and not strict and streams <= 4)
    return WARPS * 32 * vector * (2 if spacious else 1)


class Launcher:
    """Steps lists of tensors with one kernel, or with those that a function launches where there is a form.

    It holds only tables: a copy or a pickle of it is an empty one. What a CUDA graph has captured it holds as long as
    it lives.
    """

    keeps_counts = True  # a call can advance step counts
    keeps_time = True  # and need not be told them: if they lie on the device, it computes the scalars there
    keeps_inputs = False  # alive

    def __init__(self, kernel: Any, prologue: Any, names: Names, form: Form | None = None) -> None:
        self._kernel, self._prologue, self._names, self._form = kernel, prologue, names, form
        self.together = bool(form and form.common)  # whether a call must see all tensors
        self._draws = bool(form and form.draws)
        self._width = len(names.scalars) + (2 * len(CHANCE) if self._draws else 0)  # of a row of scalars
        self._plan: Plan | None = None
        self._counts: HostCounts | None = None
        self._captured: list[Plan] = []  # whose tables graphs read

    def __reduce__(self) -> tuple[Any, ...]:
        return _fresh, (self._prologue.fn.__module__,)

    def reset(self) -> None:
        """Forget the tensors of the last step."""
        self._plan = None

    def prepare(self, mix: Sequence[torch.dtype | None], flags: Mapping[str, bool]) -> None:
        """Nothing: Triton compiles a kernel when it is launched."""

    def step(
        self,
        params: Sequence[Tensor],
        grads: Sequence[Tensor],
        states: Columns,
        rows: Sequence[int],
        scalars: Sequence[Mapping[str, Any]],
        flags: Mapping[str, bool],
        *,
        counts: Sequence[Tensor] | None = None,
        numbers: Sequence[int] | None = None,
        hosted: Mapping[str, Sequence[Tensor]] | None = None,
        firsts: Sequence[bool] | None = None,
        **options: Any,
    ) -> list[int] | None:
        """Update parameters and states in place; return the positions that the kernel cannot take, left as they were.

        states: for each name of STATES, then of INPUTS, a list beside `params`, or None where the variant in force has
        no such state or is not given the input.
        rows: for each parameter the index of its row in `scalars`. flags: what the module's `flags` returned.
        counts: the step counts of the parameters, if the rule stores them. numbers: their places among all parameters,
        where chance rounds them. options: see `again`.
        hosted: states that are one number, by key, where `scalars` holds hyperparameters and the prologue computes the
        rest and advances counts and states. firsts: of which parameters it is the first step.
        """
        count = len(states) - len(self._names.inputs)
        kept, inputs = self._kept(params, states[:count], rows, counts, hosted, firsts, numbers), states[count:]
        form = self._form and self._form.of(flags)
        is_same = self._plan is not None and (self._plan.form, self._plan.kept.places) == (form, numbers)
        if self._plan is None or not (is_same and self._plan.holds(kept, [grads, *inputs])):
            if any(_mirror.capturing(param.device) for param in params):
                raise RuntimeError(MOVED)
            self._plan, self._counts = Plan(kept, [grads, *inputs], form), None
        return self.again(grads, scalars, flags, inputs=inputs, **options)

    def holds(
        self,
        params: Sequence[Tensor],
        grads: Sequence[Tensor],
        states: Columns,
        rows: Sequence[int],
        counts: Sequence[Tensor] | None,
        hosted: Mapping[str, Sequence[Tensor]] | None = None,
    ) -> bool:
        """Whether all is as it was at the last step, but for the addresses of gradients, and `again` can count."""
        plan, count = self._plan, len(states) - len(self._names.inputs)
        kept = self._kept(params, states[:count], rows, counts, hosted, None)
        return plan is not None and plan.can_count and plan.holds(kept, [grads, *states[count:]])

    def again(
        self,
        grads: Sequence[Tensor],
        scalars: Sequence[Mapping[str, Any]],
        flags: Mapping[str, bool],
        *,
        inputs: Columns | None = None,
        times: Sequence[float] | None = None,
        maximize: bool = False,
        strict: bool = False,
        grad_scale: Tensor | None = None,
        found_inf: Tensor | None = None,
    ) -> list[int] | None:
        """Step the tensors of the last step, for which `holds` must be true. None where found_inf forbade it.

        inputs: for each name of INPUTS a list beside the parameters, or None. times: for each row what this step makes
        of counts on the host, which the call advances; without it the caller does. strict: correctly rounded division
        and square root, no contraction.
        grad_scale: one float32 that gradients are to be divided by; found_inf: nothing is done unless it is 0. They are
        read on the device, unless time is kept on the host.
        """
        plan = self._plan
        assert plan is not None
        if not plan.is_timed:
            if any(_mirror.capturing(bucket.device) for bucket in plan.buckets):
                raise RuntimeError(_CAPTURED)
            if found_inf is not None and found_inf.item():
                return None
            if times is not None and not self._advance(plan, times):
                return [*range(len(grads))]
        given = self._given(plan.is_timed, scalars)
        options = {"MAXIMIZE": maximize, "STRICT": strict, "enable_fp_fusion": not strict, "num_warps": WARPS}
        kernels = Kernels(self._kernel, self._prologue, self._width)
        moving = [grads, *(inputs or [None] * len(self._names.inputs))]
        for bucket in plan.buckets:
            with torch.cuda.device(bucket.device) if bucket.device.type == "cuda" else nullcontext():
                how = {**options, **_turn(bucket, strict)}
                bucket.step(kernels, moving, plan.moving.addresses, given, flags, how, grad_scale, found_inf)
            self._remember(plan, bucket.device)
        return [*plan.rest]

    def _remember(self, plan: Plan, device: torch.device) -> None:
        """Hold what a graph that is being captured will read."""
        if _mirror.capturing(device) and plan not in self._captured:
            self._captured.append(plan)

    def _advance(self, plan: Plan, times: Sequence[float]) -> bool:
        self._counts = self._counts or HostCounts(plan.kept.counts or (), plan.kept.rows)
        return self._counts.advance(times)

    def _given(self, is_timed: bool, scalars: Sequence[Mapping[str, Any]]) -> list[list[Any]]:
        """What the host gives: a row of hyperparameters or scalars for each of `scalars`."""
        names = self._names.hypers if is_timed else self._names.scalars
        rows = [[_ABSENT if row.get(name) is None else row[name] for name in names] for row in scalars]
        if self._draws and not is_timed:
            rows = [[*mine, *halves(map(row.get, CHANCE))] for mine, row in zip(rows, scalars, strict=True)]
        return rows

    def _kept(
        self,
        params: Sequence[Tensor],
        states: Columns,
        rows: Sequence[int],
        counts: Sequence[Tensor] | None,
        hosted: Mapping[str, Sequence[Tensor]] | None,
        firsts: Sequence[bool] | None,
        places: Sequence[int] | None = None,
    ) -> Kept:
        if hosted is None:
            return Kept(params, states, rows, counts, places=places)
        asked = [*firsts] if firsts and any(firsts) and "first" in self._names.told else []
        kinds = [hosted.get(key) for key in self._names.kept]
        return Kept(params, states, rows, counts, kinds, self._names.told, asked, places)


def _turn(bucket: Bucket, strict: bool) -> dict[str, int]:
    """How many elements a program takes at a time, and with how many warps if that is not the usual number."""
    if bucket.numbers and not bucket.tiling:
        is_simple = not (strict or bucket.draws or bucket.scratch is not None)
        return options_of_codes(bucket.streams, is_simple)
    return {"BLOCK": block_of(bucket.vector, strict, bucket.streams)}


def _fresh(module: str) -> Launcher:
    launcher: Launcher = importlib.import_module(module).launcher()
    return launcher
