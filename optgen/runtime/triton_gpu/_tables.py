"""Tables: what the launches of a step read, built for a set of tensors, kept while only gradients and inputs move."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import increment_version

from ._counts import can_count
from ._formats import options_of_codes, plain, size_of, tables_of
from ._kept import Columns, Kept, there
from ._layout import CLASSES, TYPES, same_order
from ._matrices import Tiling, fault_of
from ._mirror import Mirror, upload
from ._phases import Form, Launches, Scratch, Spans, chunk_of_parts
from ._reading import know

# A word of work, from the top: slow (1 bit), tensor (20), row of scalars (13), chunk (30).
_SLOW, _TENSOR, _ROW = -(1 << 63), 1 << 43, 1 << 30
_TENSORS, _ROWS = 1 << 20, 1 << 13
LANES = 128  # tensors that a program of the prologue takes
WARPS = 4  # of a program


@dataclass(frozen=True, slots=True)
class Kernels:
    """What is launched; where there is a form, `step` makes the launches. scalars: how many the prologue writes for
    each tensor."""

    step: Any
    prologue: Any
    scalars: int


class Plan:
    """Which tensors are stepped together, until one of them is another, has moved or has another kind of gradient.

    moving: gradients, then inputs, whose addresses may be others at each step.
    """

    def __init__(self, kept: Kept, moving: Columns, form: Form | None) -> None:
        self.kept, self.is_timed, self.form = replace(kept, rows=[*kept.rows]), kept.hosted is not None, form
        of_states = form.of_states if form else ()
        self.can_count = self.is_timed or all(map(can_count, kept.counts or ()))
        self.lengths = _lengths(kept)
        kinds: dict[tuple[Any, ...], list[int]] = {}
        self.rest: list[int] = []
        places: set[int] = set()
        for i, param in enumerate(kept.params):
            place = param.data_ptr() if param.numel() else id(param)  # a tied parameter takes its steps in turn
            is_cut = form is None or form.tiles is None or not fault_of(param, form.block)
            if place in places or not (is_cut and kept.fits(moving, i, of_states)):
                self.rest.append(i)
                continue
            places.add(place)
            numbers = kept.numbers(i) if self.is_timed else []
            mix = [None if x is None else x.dtype for x in (param, *there(moving, i), *kept.stored(i), *numbers)]
            kinds.setdefault((param.device, *mix), []).append(i)
        if form and form.common and (self.rest or len(kinds) > 1 or len(kept.params) > _ROWS):
            kinds, self.rest = {}, [*range(len(kept.params))]  # one launch would not see all of them
        self.taken = sorted(i for positions in kinds.values() for i in positions)
        self.stored = know(self._flat(kept.columns()), keep=True)
        self.present = _present(moving)
        self.moving = know(self._flat(moving), keep=False)
        self.buckets = [
            Bucket(positions[at : at + _ROWS], self.taken, kept, moving, form)
            for positions in kinds.values()
            for at in range(0, len(positions), _ROWS)
        ]

    def holds(self, kept: Kept, moving: Columns) -> bool:
        """Whether these are the same tensors at the same addresses, with gradients and inputs of the same kinds."""
        mine = self._flat(moving)
        return (
            self.is_timed == (kept.hosted is not None)
            and self.lengths == _lengths(kept)
            and self.kept.rows == kept.rows
            and self.kept.firsts == kept.firsts
            and self.present == _present(moving)
            and {*map(type, mine)} <= CLASSES
            and self.stored.are_as_before(self._flat(kept.columns()))
            and self.moving.are_alike(mine)
            and not any(map(Tensor.is_neg, mine))
        )

    def _of_taken(self, column: Sequence[Tensor]) -> list[Tensor]:
        return [column[i] for i in self.taken] if self.rest else [*column]

    def _flat(self, columns: Iterable[Sequence[Tensor] | None]) -> list[Tensor]:
        """What is taken of some columns, one after the other."""
        found = [column for column in columns if column is not None]
        return [*chain.from_iterable(map(self._of_taken, found) if self.rest else found)]


def _lengths(kept: Kept) -> list[int | None]:
    return [None if column is None else len(column) for column in kept.columns()]


def _present(moving: Columns) -> list[int]:
    """Which columns there are."""
    return [j for j, column in enumerate(moving) if column is not None]


class Bucket:
    """The tables of tensors of one device and one mix of dtypes: one launch, or one for each phase, after one of the
    prologue if timed."""

    def __init__(
        self, positions: Sequence[int], taken: Sequence[int], kept: Kept, moving: Columns, form: Form | None
    ) -> None:
        if kept.hosted is None and max(kept.rows) >= _ROWS:
            raise ValueError(f"one launch takes at most {_ROWS} rows of scalars")
        at = {i: k for k, i in enumerate(taken)}
        self.positions = positions
        self.width, self.present = len(moving), _present(moving)
        places = [at[i] + j * len(taken) for j in range(len(self.present)) for i in positions]  # among what is taken
        self.places = None if len(positions) == len(taken) else places
        self.params = [kept.params[i] for i in positions]
        param, *stored = self.params[0], *kept.stored(positions[0])
        grad, *inputs = [None if column is None else column[positions[0]] for column in moving]
        self.device, self.is_timed = param.device, kept.hosted is not None
        self.compute = torch.float64 if param.dtype is torch.float64 else torch.float32
        kinds = form.of_states if form else ["element"] * len(stored)
        typed = param, grad, *plain(stored, kinds, form.at_times if form else ()), *inputs
        self.types = [TYPES[self.compute if x is None else x.dtype] for x in typed]
        self.clock_types = [TYPES[torch.float32 if x is None else x.dtype] for x in kept.numbers(positions[0])]
        sizes = [param.element_size(), *map(size_of, stored, kinds)]
        self.streams = len(self.present) + sum(size > 0 for size in sizes)
        self.rounds = any(0 < size != self.compute.itemsize for size in sizes[1:])
        moved = [x.element_size() for x in there(moving, positions[0])]
        self.vector = int(16 // max(*sizes, *moved))  # elements of the widest dtype in one access
        self.numbers = tables_of(form.numbers, self.device) if form else []
        self.reordered = {
            (j, k): (p.shape, p.stride())
            for k, (p, i) in enumerate(zip(self.params, positions, strict=True))
            for j, x in enumerate(there(moving, i))
            if not same_order(p, x) or x.is_neg()
        }
        self.draws = bool(form and form.draws)
        form = None if form and form.one_pass else form
        self._share_out(form)
        self.promised = torch.tensor([[self.vector * size] for size in moved])
        self._fill(kept, form, sizes)
        self.gradients, self.words, self.table, self.spans = (Mirror(self.device) for _ in range(4))
        self.addresses, self.slow, self.rows = b"", b"", torch.empty(0)
        self.scale, self.found_inf = torch.ones(1, device=self.device), torch.zeros(1, device=self.device)

    def _share_out(self, form: Form | None) -> None:
        """Decide how much each program takes."""
        numels, shapes = torch.tensor([p.numel() for p in self.params]), [p.shape for p in self.params]
        tiles, programs = form and form.tiles, programs_of(self.device)
        self.tiling = Tiling(tiles, shapes, self.vector, programs) if tiles else None
        self.span = chunk_of_work(int(numels.sum()), programs)
        self.chunk = self.tiling.tall if self.tiling else self.span
        if form and not tiles:  # each program of a later launch adds up what those of its tensor have left
            self.chunk = max(self.chunk, chunk_of_parts(int(numels.max())))
        self.counts = self.tiling.counts if self.tiling else (numels + (self.chunk - 1)) // self.chunk

    def _fill(self, kept: Kept, form: Form | None, sizes: Sequence[float]) -> None:
        """Make the tables that stay. sizes: the bytes of an element of the parameter and of each state."""
        positions = self.positions
        columns = [[0 if c is None else c[i].data_ptr() for i in positions] for c in (kept.params, *kept.states)]
        promised = torch.tensor([[int(self.vector * size) or 1] for size in sizes])
        self.is_slow = (torch.tensor(columns) % promised).any(0)
        columns += [[p.numel() for p in self.params]]
        columns += [(self.counts.cumsum(0) - self.counts).tolist()] if form else []
        if self.tiling:
            columns += self.tiling.columns
            self.is_slow |= self.tiling.is_odd
        columns += [[kept.places[i] if kept.places else 0 for i in positions]] if self.draws else []
        records = torch.zeros(len(positions), -(-len(columns) // 8) * 8, dtype=torch.int64)
        records[:, : len(columns)] = torch.tensor(columns).t()
        rows = range(len(positions)) if self.is_timed else [kept.rows[i] for i in positions]
        self.base = torch.arange(len(positions)) * _TENSOR + torch.tensor([*rows]) * _ROW
        self.records = upload(records, self.device)
        self.clocks = upload(torch.tensor([kept.clock(i) for i in positions]), self.device)
        heads = self.base[self.counts > 0]
        self.heads = upload(heads, self.device)
        self.lines = upload(_words(self.base, self.tiling.lines), self.device) if self.tiling else self.heads
        sizes = int(self.counts.sum()), len(heads)
        self.scratch = Scratch(form, self.tiling, *sizes, self.compute, self.device) if form else None

    def step(self, kernels: Kernels, moving: Columns, taken: array[int], given: Sequence[Sequence[Any]],
             flags: Mapping[str, bool], options: Mapping[str, Any], grad_scale: Tensor | None,
             found_inf: Tensor | None) -> None:  # fmt: skip
        """Refresh what has moved or changed in the tables, and launch.

        taken: the addresses of the gradients and inputs of all that is taken. given: rows of scalars or, if timed, of
        hyperparameters, some of which may be tensors on the device.
        """
        words, gradients, alive = self._follow(moving, taken)
        table = self._give(given)
        scaled = {"SCALED": grad_scale is not None or found_inf is not None}
        scale, inf = (
            mine if x is None else x.to(self.device, non_blocking=True)
            for x, mine in ((grad_scale, self.scale), (found_inf, self.found_inf))
        )
        if self.is_timed:
            if not self.rows.numel():
                size = len(self.params), kernels.scalars
                self.rows = torch.full(size, math.nan, dtype=self.compute, device=self.device)
            read = self.clocks, table, self.rows, inf, len(self.params)
            how = {"TENSORS": LANES, "num_warps": WARPS, "enable_fp_fusion": False}
            kernels.prologue[(-(-len(self.params) // LANES),)](*read, *self.clock_types, **flags, **scaled, **how)
        if len(words):
            tables = self.records, gradients, self.rows if self.is_timed else table, scale, inf, *self.numbers
            constants = {**flags, "COMPUTE": TYPES[self.compute], "VEC": self.vector, **scaled, **options}
            if self.scratch:
                constants["ROUNDS"] = self.rounds
                spans = self._spans(constants) if self.tiling and self.numbers else None
                constants = self.tiling.options(constants) if self.tiling else constants
                work = words, self.heads, self.lines
                made = Launches(*work, tables, self.scratch, self.chunk, self.types, constants, spans)
                kernels.step(made, flags, self.rounds)
            else:
                kernels.step[(len(words),)](words, *tables, self.chunk, *self.types, **constants)
        del alive
        increment_version(self.params)  # autograd must learn that a parameter it may have saved was overwritten

    def _spans(self, constants: Mapping[str, Any]) -> Spans:
        """How codes are stored beside tiles."""
        tiling = self.tiling
        assert tiling is not None
        words = self.spans.of(self.slow, lambda: self._work(tiling.spans(self.span)))
        how = {**constants, **options_of_codes(self.streams, False), "COLS": tiling.cols}
        return Spans(words, self.span, how)

    def _follow(self, moving: Columns, taken: array[int]) -> tuple[Tensor, Tensor, list[Tensor]]:
        """The tables of work and of gradients and inputs, and what must live until the launch."""
        mine = taken if self.places is None else array("q", [taken[k] for k in self.places])
        alive = [
            torch.empty_strided(shape, stride, dtype=x.dtype, device=self.device).copy_(x)
            for x, shape, stride in (
                (there(moving, self.positions[k])[j], *form) for (j, k), form in self.reordered.items()
            )
        ]
        if alive:
            mine = array("q", mine)
            for (j, k), copy in zip(self.reordered, alive, strict=True):
                mine[j * len(self.positions) + k] = copy.data_ptr()
        addresses, table = mine.tobytes(), torch.frombuffer(mine, dtype=torch.int64).view(len(self.present), -1)
        if addresses != self.addresses:
            slow = self.is_slow | (table % self.promised != 0).any(0)
            self.addresses, self.slow = addresses, bytes(slow.tolist())
        words = self.words.of(self.slow, lambda: self._work(self.counts))
        return words, self.gradients.of(addresses, lambda: self._beside(table)), alive

    def _beside(self, table: Tensor) -> Tensor:
        """The addresses of each tensor's gradient and inputs beside one another."""
        found = torch.zeros(len(self.positions), self.width, dtype=torch.int64)
        found[:, self.present] = table.t()
        return found

    def _work(self, counts: Tensor) -> Tensor:
        slow = torch.tensor([*self.slow])
        return _words(self.base + slow * _SLOW, counts)

    def _give(self, given: Sequence[Sequence[Any]]) -> Tensor:
        """The table of what the host gives."""
        on_device = {
            (r, k): x
            for r, row in enumerate(given if self.is_timed else ())
            for k, x in enumerate(row)
            if isinstance(x, Tensor) and (x.device.type != "cpu" or self.device.type == "cpu")
        }
        numbers = [[0.0 if (r, k) in on_device else float(x) for k, x in enumerate(row)] for r, row in enumerate(given)]
        dtype = torch.float64 if self.is_timed else self.compute
        table = self.table.of(numbers, lambda: torch.tensor(numbers, dtype=dtype))
        for place, x in on_device.items():
            table[place].copy_(x.reshape(()))
        return table


def _words(base: Tensor, counts: Tensor) -> Tensor:
    """A word for each program, from each tensor's first. base, counts: (tensors) int64 -> (programs) int64."""
    starts = counts.cumsum(0) - counts
    return torch.repeat_interleave(base - starts, counts) + torch.arange(int(counts.sum()))


def programs_of(device: torch.device) -> int:
    """How many programs there should be: sixteen waves of eight on each processor; under the interpreter few."""
    return torch.cuda.get_device_properties(device).multi_processor_count * 128 if device.type == "cuda" else 8


def chunk_of_work(elements: int, programs: int) -> int:
    """Elements per program."""
    return min(max(1 << max(elements // programs, 1).bit_length() - 1, 1024), 65536)
