"""Tables: what the launches of a step read, built for a set of tensors and kept while only gradients move."""

from __future__ import annotations

import ctypes
import math
import operator
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import increment_version

from ._layout import TYPES, same_order, supports, supports_number

Columns = Sequence[Sequence[Tensor] | None]  # for each name one tensor per parameter, or None
Numbers = list[list[float]]

# A word of work, from the top: slow (1 bit), tensor (20), row of scalars (13), chunk (30).
_SLOW, _TENSOR, _ROW = -(1 << 63), 1 << 43, 1 << 30
_TENSORS, _ROWS = 1 << 20, 1 << 13
LANES = 128  # tensors that a program of the prologue takes
WARPS = 4  # of a program
MOVED = (
    "a CUDA graph is being captured, but what a fused step reads has changed since the last step: before the capture, "
    "take a step with the same parameters, gradients (zero_grad(set_to_none=False) keeps them) and hyperparameters"
)
_dtype_of = operator.attrgetter("dtype")


@dataclass(frozen=True, slots=True)
class Kept:
    """All that stays from step to step.

    rows: for each parameter the index of its row of what the host gives. counts: if the rule stores them.
    hosted: None where that is scalars; where it is hyperparameters, for each name of KEPT the states.
    told: for each name of TOLD a number per parameter.
    """

    params: Sequence[Tensor]
    states: Columns
    rows: Sequence[int]
    counts: Sequence[Tensor] | None = None
    hosted: Columns | None = None
    told: Sequence[Sequence[int]] = ()

    def columns(self) -> Iterator[Sequence[Tensor] | None]:
        """Parameters, states, counts and what else is kept."""
        yield self.params
        yield from self.states
        yield self.counts
        yield from self.hosted or ()

    def flat(self) -> list[Tensor]:
        """Every tensor, column by column."""
        return [*chain.from_iterable(column for column in self.columns() if column is not None)]

    def stored(self, i: int) -> list[Tensor | None]:
        """The states of one parameter."""
        return [None if column is None else column[i] for column in self.states]

    def numbers(self, i: int) -> list[Tensor | None]:
        """What the prologue advances of one parameter: the count, if there is one, and states."""
        counts = [] if self.counts is None else [self.counts[i]]
        return [*counts, *(None if column is None else column[i] for column in self.hosted or ())]

    def clock(self, i: int) -> list[int]:
        """The record of one parameter that the prologue reads."""
        numbers = [0] * (self.counts is None) + [0 if x is None else x.data_ptr() for x in self.numbers(i)]
        return [self.rows[i], *numbers, *(column[i] for column in self.told)]

    def fits(self, grads: Sequence[Tensor], i: int) -> bool:
        """Whether kernels can step this parameter."""
        device = self.params[i].device
        numbers = [] if self.hosted is None else [number for number in self.numbers(i) if number is not None]
        fault = supports(self.params[i], grads[i], self.stored(i))
        return not fault and all(supports_number(number, device) for number in numbers)


class Plan:
    """Which tensors are stepped together, until one of them is another, has moved or has another kind of gradient."""

    def __init__(self, kept: Kept, grads: Sequence[Tensor]) -> None:
        self.kept, self.is_timed = replace(kept, rows=[*kept.rows]), kept.hosted is not None
        self.can_count = self.is_timed or all(map(can_count, kept.counts or ()))
        self.flat = kept.flat()
        self.lengths = [None if column is None else len(column) for column in kept.columns()]
        self.addresses = [*map(Tensor.data_ptr, self.flat)]
        kinds: dict[tuple[Any, ...], list[int]] = {}
        self.rest: list[int] = []
        taken: set[int] = set()
        for i, param in enumerate(kept.params):
            place = param.data_ptr() if param.numel() else id(param)  # a tied parameter takes its steps in turn
            if place in taken or not kept.fits(grads, i):
                self.rest.append(i)
                continue
            taken.add(place)
            numbers = kept.numbers(i) if self.is_timed else []
            mix = [None if x is None else x.dtype for x in (param, grads[i], *kept.stored(i), *numbers)]
            kinds.setdefault((param.device, *mix), []).append(i)
        self.taken = sorted(i for positions in kinds.values() for i in positions)
        self.gradients = self._kinds_of(grads)
        self.buckets = [
            Bucket(positions[at : at + _ROWS], kept, grads)
            for positions in kinds.values()
            for at in range(0, len(positions), _ROWS)
        ]

    def holds(self, kept: Kept, grads: Sequence[Tensor]) -> bool:
        """Whether these are the same tensors at the same addresses, with gradients of the same kinds."""
        flat = kept.flat()
        return (
            len(flat) == len(self.flat)
            and all(map(operator.is_, flat, self.flat))
            and self.is_timed == (kept.hosted is not None)
            and self.lengths == [None if column is None else len(column) for column in kept.columns()]
            and self.kept.rows == kept.rows
            and self.kept.told == kept.told
            and self.addresses == [*map(Tensor.data_ptr, flat)]
            and self.gradients == self._kinds_of(grads)
        )

    def _kinds_of(self, grads: Sequence[Tensor]) -> tuple[list[Any], ...]:
        """All that a launch depends on but the address: dtype, and order in memory where it is not the plain one."""
        taken = grads if not self.rest else [grads[i] for i in self.taken]
        plain = [*map(Tensor.is_contiguous, taken)]
        pairs = zip(taken, plain, strict=True)
        others = [] if all(plain) else [(g.stride(), g.is_neg()) for g, is_plain in pairs if not is_plain]
        return [*map(_dtype_of, taken)], plain, others


class Mirror:
    """A table of the host with its copy on a device, refreshed without waiting from two pinned buffers in turn."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.copy = torch.empty(0)
        self._buffers: list[tuple[Tensor, Any]] = []

    def refresh(self, table: Tensor) -> None:
        """Copy a table, of the same shape each time. Raises RuntimeError while a CUDA graph is captured."""
        if capturing(self.device):
            raise RuntimeError(MOVED)
        if self.device.type != "cuda":
            self.copy = table.clone()
            return
        if not self._buffers:
            self.copy = torch.empty_like(table, device=self.device)
            event: Any = torch.cuda.Event
            self._buffers = [(torch.empty_like(table).pin_memory(), event()) for _ in range(2)]
        self._buffers.reverse()
        buffer, event = self._buffers[0]
        event.synchronize()  # the copy before the last has read this buffer long ago
        buffer.copy_(table)
        self.copy.copy_(buffer, non_blocking=True)
        event.record()


class Bucket:
    """The tables of tensors of one device and one mix of dtypes: one launch, after one of the prologue if timed."""

    def __init__(self, positions: Sequence[int], kept: Kept, grads: Sequence[Tensor]) -> None:
        if kept.hosted is None and max(kept.rows) >= _ROWS:
            raise ValueError(f"one launch takes at most {_ROWS} rows of scalars")
        self.positions, self.is_all = positions, len(positions) == len(kept.params)
        self.params = [kept.params[i] for i in positions]
        param, grad, *stored = self.params[0], grads[positions[0]], *kept.stored(positions[0])
        self.device, self.is_timed = param.device, kept.hosted is not None
        self.compute = torch.float64 if param.dtype is torch.float64 else torch.float32
        self.types = [TYPES[self.compute if x is None else x.dtype] for x in (param, grad, *stored)]
        self.clock_types = [TYPES[torch.float32 if x is None else x.dtype] for x in kept.numbers(positions[0])]
        sizes = [0 if x is None else x.element_size() for x in (param, *stored)]
        self.streams = 2 + sum(x is not None for x in stored)
        self.vector = 16 // max(*sizes, grad.element_size())  # elements of the widest dtype in one access
        self.reordered = {
            k: (p.shape, p.stride())
            for k, (p, i) in enumerate(zip(self.params, positions, strict=True))
            if not same_order(p, grads[i]) or grads[i].is_neg()
        }
        columns = [[0 if c is None else c[i].data_ptr() for i in positions] for c in (kept.params, *kept.states)]
        self.numels = torch.tensor([p.numel() for p in self.params])
        self.chunk = _chunk(int(self.numels.sum()), self.device)
        promised = torch.tensor([[self.vector * size or 1] for size in sizes])
        self.is_slow = (torch.tensor(columns) % promised).any(0)
        self.promised = self.vector * grad.element_size()
        records = torch.zeros(len(positions), -(-(len(columns) + 1) // 8) * 8, dtype=torch.int64)
        records[:, : len(columns) + 1] = torch.stack([*torch.tensor(columns), self.numels], 1)
        rows = range(len(positions)) if self.is_timed else [kept.rows[i] for i in positions]
        self.base = torch.arange(len(positions)) * _TENSOR + torch.tensor([*rows]) * _ROW
        self.records, self.clocks, self.words, self.gradients, self.table = (Mirror(self.device) for _ in range(5))
        self.records.refresh(records)
        if self.is_timed:
            self.clocks.refresh(torch.tensor([kept.clock(i) for i in positions]))
        self.addresses: list[int] = []
        self.slow = torch.empty(0, dtype=torch.bool)
        self.given: Numbers = []
        self.rows = torch.empty(0)
        self.scale, self.found_inf = torch.ones(1, device=self.device), torch.zeros(1, device=self.device)

    def follow(self, grads: Sequence[Tensor]) -> list[Tensor]:
        """Look where the gradients are; what is returned must live until the launch."""
        mine = [*grads] if self.is_all else [grads[i] for i in self.positions]
        for k, (shape, stride) in self.reordered.items():
            mine[k] = torch.empty_strided(shape, stride, dtype=mine[k].dtype, device=self.device).copy_(mine[k])
        addresses = [*map(Tensor.data_ptr, mine)]
        if addresses != self.addresses:
            table = torch.tensor(addresses)
            slow = self.is_slow | (table % self.promised != 0)
            self.gradients.refresh(table)
            if not torch.equal(slow, self.slow):
                self.words.refresh(_words(self.base + slow * _SLOW, self.numels, self.chunk))
            self.addresses, self.slow = addresses, slow
        return mine

    def give(self, given: Sequence[Sequence[Any]], scalars: int) -> None:
        """Take the rows of scalars or, if timed, of hyperparameters, some of which may be tensors on the device."""
        on_device = {
            (r, k): x
            for r, row in enumerate(given if self.is_timed else ())
            for k, x in enumerate(row)
            if isinstance(x, Tensor) and (x.device.type != "cpu" or self.device.type == "cpu")
        }
        numbers = [[0.0 if (r, k) in on_device else float(x) for k, x in enumerate(row)] for r, row in enumerate(given)]
        if numbers != self.given:
            self.table.refresh(torch.tensor(numbers, dtype=torch.float64 if self.is_timed else self.compute))
            self.given = numbers
        for place, x in on_device.items():
            self.table.copy[place].copy_(x.reshape(()))
        if not self.is_timed:
            self.rows = self.table.copy
        elif not self.rows.numel():
            self.rows = torch.full((len(self.params), scalars), math.nan, dtype=self.compute, device=self.device)

    def launch(self, kernel: Any, prologue: Any, flags: Mapping[str, bool], options: Mapping[str, Any],
               grad_scale: Tensor | None, found_inf: Tensor | None) -> None:  # fmt: skip
        """Launch what the tables describe."""
        scaled = {"SCALED": grad_scale is not None or found_inf is not None}
        scale, inf = (
            mine if x is None else x.to(self.device, non_blocking=True)
            for x, mine in ((grad_scale, self.scale), (found_inf, self.found_inf))
        )
        if self.is_timed:
            given = self.clocks.copy, self.table.copy, self.rows, inf, len(self.params)
            how = {"TENSORS": LANES, "num_warps": WARPS, "enable_fp_fusion": False}
            prologue[(-(-len(self.params) // LANES),)](*given, *self.clock_types, **flags, **scaled, **how)
        if len(self.words.copy):
            read = self.words.copy, self.records.copy, self.gradients.copy, self.rows, scale, inf, self.chunk
            constants = {"COMPUTE": TYPES[self.compute], "VEC": self.vector}
            kernel[(len(self.words.copy),)](*read, *self.types, **flags, **constants, **scaled, **options)
        increment_version(self.params)  # autograd must learn that a parameter it may have saved was overwritten


def capturing(device: torch.device) -> bool:
    """Whether a CUDA graph is being captured, which replays launches but nothing that the host does."""
    return device.type == "cuda" and torch.cuda.is_current_stream_capturing()


def can_count(count: Tensor) -> bool:
    """Whether HostCounts can read and write this step count."""
    return count.device.type == "cpu" and count.numel() == 1 and count.dtype in (torch.float32, torch.float64)


class HostCounts:
    """Step counts that lie on the host, read and written without the cost of a call of torch for each."""

    def __init__(self, counts: Sequence[Tensor], rows: Sequence[int]) -> None:
        kinds = {torch.float32: ctypes.c_float, torch.float64: ctypes.c_double}
        self.rows = rows
        self.cells = [kinds[count.dtype].from_address(count.data_ptr()) for count in counts]

    def advance(self, times: Sequence[float]) -> bool:
        """Let each count become what `times` says of its row, if each is one less than that; else let all be."""
        wanted = [times[row] for row in self.rows]
        if [cell.value + 1 for cell in self.cells] != wanted:
            return False
        for cell, time in zip(self.cells, wanted, strict=True):
            cell.value = time
        return True


def _words(base: Tensor, numels: Tensor, chunk: int) -> Tensor:
    """A word for each chunk, from each tensor's first. base, numels: (tensors) int64 -> (chunks) int64."""
    counts = (numels + (chunk - 1)) // chunk
    starts = counts.cumsum(0) - counts
    return torch.repeat_interleave(base - starts, counts) + torch.arange(int(counts.sum()))


def _chunk(elements: int, device: torch.device) -> int:
    """Elements per program: sixteen waves of eight programs on each processor; under the interpreter few programs."""
    programs = torch.cuda.get_device_properties(device).multi_processor_count * 128 if device.type == "cuda" else 8
    return min(max(1 << max(elements // programs, 1).bit_length() - 1, 1024), 65536)
