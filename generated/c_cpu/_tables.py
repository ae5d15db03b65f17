"""Tables: what a call of a fused step reads, built for a set of tensors and kept while only gradients move."""

from __future__ import annotations

import ctypes
import operator
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import increment_version

from ._layout import is_dense, same_order, shared, view
from ._library import Step

TYPES = {torch.float32: "fp32", torch.float64: "fp64", torch.bfloat16: "bf16", torch.float16: "fp16"}
STEPPED, SKIPPED, MISCOUNTED, STARVED = range(4)  # as in _group.h
UNREADABLE = 4  # a gradient at an address where none of its dtype can lie
Columns = Sequence[Sequence[Tensor] | None]  # for each name of STATES one state per parameter, or None
Mix = tuple[torch.dtype | None, ...]  # of the parameter, the gradient and the states



@dataclass(frozen=True, slots=True)
class Form:
    """How a step looks at tensors. kinds: what each of STATES has one number per, "element" if nothing is said.

    by_rows: whether it looks at rows and columns. together: whether at all tensors that step together.
    """

    kinds: tuple[str, ...] = ()
    by_rows: bool = False
    together: bool = False

    def sizes(self, param: Tensor) -> list[int]:
        """How many matrices a parameter is, of how many rows and columns; one row where nobody looks."""
        if not self.by_rows:
            return [1, 1, param.numel()]
        rows, cols = param.shape[-2:]
        return [param.numel() // (rows * cols) if param.numel() else 0, rows, cols]

    def columns(self, param: Tensor, states: Sequence[Tensor | None]) -> list[tuple[Tensor, tuple[int, ...]]]:
        """The states that are there, with the shapes that they must have."""
        kinds = self.kinds or ("element",) * len(states)
        return [(s, _shape(kind, param.shape)) for s, kind in zip(states, kinds, strict=True) if s is not None]


PLAIN = Form()


def _shape(kind: str, size: Sequence[int]) -> tuple[int, ...]:
    """The shape of a state, by what it has one number per."""
    whole = tuple(size)
    of_rows, of_cols, of_matrices = (*whole[:-1], 1), (*whole[:-2], 1, *whole[-1:]), (*whole[:-2], 1, 1)
    return {"element": whole, "row": of_rows, "col": of_cols, "matrix": of_matrices, "tensor": ()}[kind]


_dtype_of = operator.attrgetter("dtype")
_layout_of = operator.attrgetter("layout")


def supports(param: Tensor, grad: Tensor, states: Sequence[Tensor | None], form: Form = PLAIN) -> str:
    """Empty if a compiled step can take this parameter, else what stands in the way."""
    stored = [(param, tuple(param.shape)), *form.columns(param, states)]
    for tensor, shape in (*stored, (grad, tuple(param.shape))):
        fault = _fault(tensor)
        if fault:
            return fault
        if tensor.shape != shape:
            return f"a tensor of shape {tuple(tensor.shape)} beside a parameter of shape {tuple(param.shape)}"
    if form.by_rows and (param.dim() < 2 or not param.is_contiguous()):
        return "a parameter whose rows do not follow one another in memory"
    if not is_dense(param):
        return "a parameter whose elements do not fill one stretch of memory"
    if any(not (same_order(param, t) if t.shape == param.shape else t.is_contiguous()) for t, _ in stored):
        return "a state that lies in memory otherwise than its parameter"
    return ""


def _fault(tensor: Tensor) -> str:
    if type(tensor) not in (Tensor, torch.nn.Parameter):
        return f"a {type(tensor).__name__}, which is a subclass of Tensor"
    if tensor.layout is not torch.strided:
        return f"a tensor of layout {tensor.layout}"
    if tensor.dtype not in TYPES:
        return f"a tensor of {tensor.dtype}"
    if tensor.device.type != "cpu":
        return f"a tensor on {tensor.device}"
    if tensor.is_neg():
        return "a tensor that is negated only when it is read"
    if tensor.is_inference():
        return "a tensor of inference mode"
    if tensor.numel() and (tensor.data_ptr() == 0 or tensor.data_ptr() % tensor.element_size()):
        return "a tensor at an address where none of its dtype can lie"
    return ""


@dataclass(frozen=True, slots=True)
class Kept:
    """All that stays from step to step. rows: for each parameter the index of its row of scalars."""

    params: Sequence[Tensor]
    states: Columns
    counts: Sequence[Tensor] | None
    rows: Sequence[int]

    def columns(self) -> Iterator[Sequence[Tensor] | None]:
        """Parameters, states and counts."""
        yield self.params
        yield from self.states
        yield self.counts

    def flat(self) -> list[Tensor]:
        """Every tensor, column by column."""
        return [tensor for column in self.columns() if column is not None for tensor in column]

    def stored(self, i: int) -> list[Tensor | None]:
        """The states of one parameter."""
        return [None if column is None else column[i] for column in self.states]


class Plan:
    """Which tensors are stepped together, until one of them is another, has moved or has another kind of gradient."""

    def __init__(self, kept: Kept, grads: Sequence[Tensor], form: Form) -> None:
        positions = range(len(kept.params))
        able = [
            i for i in positions if not supports(kept.params[i], grads[i], kept.stored(i), form) and _counts(kept, i)
        ]
        again = {able[k] for k in shared([kept.params[i] for i in able])}  # such parameters take their steps in turn
        self.taken = [i for i in able if i not in again]
        alike = len({*map(partial(_kind, kept, grads), positions)}) < 2
        if form.together and not (alike and len(self.taken) == len(positions)):
            self.taken = []  # one call would not see all of them
        self.rest = sorted({*positions} - {*self.taken})
        self.flat, self.rows = kept.flat(), [*kept.rows]
        self.lengths = [None if column is None else len(column) for column in kept.columns()]
        self.addresses = self._addresses(kept)
        self.layouts = _lie(self._of_taken(kept.params))
        self.gradients = _kinds(self._of_taken(grads))
        kinds: dict[tuple[torch.dtype | None, Mix], list[int]] = {}
        for i in self.taken:
            kinds.setdefault(_kind(kept, grads, i), []).append(i)
        self.buckets = [
            Bucket(mix, positions, kept, [grads[i] for i in positions], count is torch.float64, form)
            for (count, mix), positions in kinds.items()
        ]

    def holds(self, kept: Kept, grads: Sequence[Tensor]) -> bool:
        """Whether these are the same tensors at the same addresses, with gradients of the same kinds."""
        flat = kept.flat()
        return (
            len(flat) == len(self.flat)
            and all(map(operator.is_, flat, self.flat))
            and self.lengths == [None if column is None else len(column) for column in kept.columns()]
            and self.rows == [*kept.rows]
            and self.addresses == self._addresses(kept)
            and self.layouts == _lie(self._of_taken(kept.params))
            and self.gradients == _kinds(self._of_taken(grads))
        )

    def _of_taken(self, column: Sequence[Tensor]) -> Sequence[Tensor]:
        return [column[i] for i in self.taken] if self.rest else column

    def _addresses(self, kept: Kept) -> list[list[int]]:
        return [[*map(Tensor.data_ptr, self._of_taken(column))] for column in kept.columns() if column is not None]


def _kind(kept: Kept, grads: Sequence[Tensor], i: int) -> tuple[torch.dtype | None, Mix]:
    """The dtypes of the step count, and of all else, of one parameter."""
    mix = tuple(None if t is None else t.dtype for t in (kept.params[i], grads[i], *kept.stored(i)))
    return kept.counts[i].dtype if kept.counts else None, mix


def _counts(kept: Kept, i: int) -> bool:
    """Whether the step count of a parameter, if one is kept, can be advanced by a call."""
    if kept.counts is None:
        return True
    count = kept.counts[i]
    return not _fault(count) and count.dtype in (torch.float32, torch.float64) and count.numel() == 1


def _lie(tensors: Sequence[Tensor]) -> tuple[list[Any], ...]:
    """All that tells how tensors are read but the address. Strides matter where they are not the plain ones."""
    plain = [*map(Tensor.is_contiguous, tensors)]
    pairs = zip(tensors, plain, strict=True)
    others = [] if all(plain) else [(t.shape, t.stride()) for t, is_plain in pairs if not is_plain]
    return [*map(_dtype_of, tensors)], [*map(Tensor.numel, tensors)], plain, others


def _kinds(grads: Sequence[Tensor]) -> tuple[list[Any], ...]:
    """The same of gradients, which are other tensors at each step."""
    classes, layouts = [*map(type, grads)], [*map(_layout_of, grads)]
    if layouts.count(torch.strided) != len(layouts):
        return classes, layouts
    return classes, layouts, [*map(Tensor.is_neg, grads)], *_lie(grads)


class _Group(ctypes.Structure):
    """What one call steps: `struct group` of _group.h."""

    _fields_ = (
        *((name, ctypes.c_void_p) for name in "tensors grads rows times grad_scale found_inf".split()),
        *((name, ctypes.c_int64) for name in "count elements threads is_double maximize".split()),
    )


class Bucket:
    """The tables of tensors of one mix of dtypes: one call."""

    def __init__(
        self, mix: Mix, positions: Sequence[int], kept: Kept, grads: Sequence[Tensor], is_double: bool, form: Form
    ) -> None:
        self.mix, self.positions = mix, positions
        self.params = [kept.params[i] for i in positions]
        self.is_all = len(positions) == len(kept.params)
        self.views = [
            None if same_order(param, grad) else array("q", view(param, grad))
            for param, grad in zip(self.params, grads, strict=True)
        ]
        self.numels = [*map(Tensor.numel, self.params)]
        self.tensors = array("q")
        for i, strides in zip(positions, self.views, strict=True):
            count = kept.counts[i].data_ptr() if kept.counts else 0
            lies = strides.buffer_info()[0] if strides else 0
            self.tensors.extend([kept.params[i].numel(), kept.rows[i], count, lies, *form.sizes(kept.params[i])])
            self.tensors.extend(0 if t is None else t.data_ptr() for t in (kept.params[i], *kept.stored(i)))
        self.grads = array("q", [0] * len(positions))
        self.gradients: list[int] = []
        self.group = _Group(
            tensors=self.tensors.buffer_info()[0],
            grads=self.grads.buffer_info()[0],
            count=len(positions),
            elements=sum(self.numels),
            is_double=is_double,
        )

    def step(
        self,
        step: Step,
        grads: Sequence[Tensor],
        rows: array[float],
        times: array[float] | None,
        amp: Sequence[int | None],
        maximize: bool,
    ) -> int:
        """Refresh what has moved in the tables, then call."""
        mine = grads if self.is_all else [grads[i] for i in self.positions]
        addresses = [*map(Tensor.data_ptr, mine)]
        if addresses != self.gradients:
            size = mine[0].element_size()
            if any(length and (not at or at % size) for at, length in zip(addresses, self.numels, strict=True)):
                return UNREADABLE
            self.gradients = addresses
            self.grads[:] = array("q", addresses)
        group = self.group
        group.rows, group.times = rows.buffer_info()[0], times.buffer_info()[0] if times else None
        group.grad_scale, group.found_inf = amp
        group.threads, group.maximize = torch.get_num_threads(), maximize
        done = step(ctypes.byref(group))
        if done == STEPPED:
            # Autograd must learn that a parameter it may have saved was overwritten.
            increment_version(self.params)
        return done
