"""Tables: what a call of a fused step reads, built for a set of tensors and kept while only gradients move."""

from __future__ import annotations

import ctypes
import math
from array import array
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain

import torch
from torch import Tensor
from torch.autograd.graph import increment_version

from ._layout import is_dense, same_order, shared, view
from ._library import Step
from ._reading import Known

TYPES = {torch.float32: "fp32", torch.float64: "fp64", torch.bfloat16: "bf16", torch.float16: "fp16"}
DTYPES = {  # of what has one of its own, whatever the parameter's is
    "uint8": torch.uint8, "int8": torch.int8, "int16": torch.int16, "bf16": torch.bfloat16, "fp32": torch.float32
}
STEPPED, SKIPPED, MISCOUNTED, STARVED = range(4)  # as in _group.h
_CLASSES = {Tensor, torch.nn.Parameter}
Columns = Sequence[Sequence[Tensor] | None]  # for each name of STATES one state per parameter, or None
Mix = tuple[torch.dtype | None, ...]  # of the parameter, the gradient and the states
Kinds = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Form:
    """How a step looks at tensors.

    kinds: what each of STATES has one number per, "element" if nothing is said, or the dtype of codes, with the number
    of elements that share one if they lie in one row, such as "fp32/256"; or a function that tells it of a variant.
    by_rows: whether it looks at rows and columns. together: whether at all tensors that step together.
    """

    kinds: Kinds | Callable[[Mapping[str, bool]], Kinds] = ()
    by_rows: bool = False
    together: bool = False

    def of(self, flags: Mapping[str, bool]) -> Form:
        """How the step of one variant looks at tensors."""
        return replace(self, kinds=self.kinds(flags)) if callable(self.kinds) else self

    def sizes(self, param: Tensor) -> list[int]:
        """How many matrices a parameter is, of how many rows and columns; one row where nobody looks."""
        if not self.by_rows:
            return [1, 1, param.numel()]
        rows, cols = param.shape[-2:]
        return [param.numel() // (rows * cols) if param.numel() else 0, rows, cols]

    def columns(self, param: Tensor, states: Sequence[Tensor | None]) -> list[tuple[Tensor, str]]:
        """The states that are there, with what they have one number per."""
        pairs = zip(states, self.of_states(len(states)), strict=True)
        return [(state, kind) for state, kind in pairs if state is not None]

    def of_states(self, count: int) -> Kinds:
        """What each of so many states has one number per."""
        assert not callable(self.kinds), "which kinds of states there are is asked of one variant"
        return self.kinds or ("element",) * count


PLAIN = Form()


def _shape(kind: str, size: Sequence[int]) -> tuple[int, ...]:
    """The shape of a state, by what it has one number per."""
    whole = tuple(size)
    dtype, _, elements = kind.partition("/")
    if dtype in DTYPES:
        return (-(-math.prod(whole) // int(elements)),) if elements else whole
    of_rows, of_cols, of_matrices = (*whole[:-1], 1), (*whole[:-2], 1, *whole[-1:]), (*whole[:-2], 1, 1)
    return {"element": whole, "row": of_rows, "col": of_cols, "matrix": of_matrices, "tensor": ()}[kind]


def has_own_dtype(kind: str) -> bool:
    """Whether a kind of state names a dtype."""
    return kind.partition("/")[0] in DTYPES


def _dtypes(kind: str) -> Container[torch.dtype]:
    """The dtypes that a state may have."""
    own = DTYPES.get(kind.partition("/")[0])
    return (own,) if own else TYPES


def supports(param: Tensor, grad: Tensor, states: Sequence[Tensor | None], form: Form = PLAIN) -> str:
    """Empty if a compiled step can take this parameter, else what stands in the way."""
    stored = [(param, "element"), *form.columns(param, states)]
    for tensor, kind in (*stored, (grad, "element")):
        fault = _fault(tensor, _dtypes(kind))
        if fault:
            return fault
        if tensor.shape != _shape(kind, param.shape):
            return f"a tensor of shape {tuple(tensor.shape)} beside a parameter of shape {tuple(param.shape)}"
    if form.by_rows and (param.dim() < 2 or not param.is_contiguous()):
        return "a parameter whose rows do not follow one another in memory"
    if not is_dense(param):
        return "a parameter whose elements do not fill one stretch of memory"
    if any(not (same_order(param, t) if t.shape == param.shape else t.is_contiguous()) for t, _ in stored):
        return "a state that lies in memory otherwise than its parameter"
    return ""


def _fault(tensor: Tensor, dtypes: Container[torch.dtype] = TYPES) -> str:
    if type(tensor) not in _CLASSES:
        return f"a {type(tensor).__name__}, which is a subclass of Tensor"
    if tensor.layout is not torch.strided:
        return f"a tensor of layout {tensor.layout}"
    if tensor.dtype not in dtypes:
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
    """All that stays from step to step. rows: for each parameter the index of its row of scalars.

    numbers: the place of each among all parameters; that among these if nothing is said.
    """

    params: Sequence[Tensor]
    states: Columns
    counts: Sequence[Tensor] | None
    rows: Sequence[int]
    numbers: Sequence[int] | None = None

    def columns(self) -> Iterator[Sequence[Tensor] | None]:
        """Parameters, states and counts."""
        yield self.params
        yield from self.states
        yield self.counts

    def stored(self, i: int) -> list[Tensor | None]:
        """The states of one parameter."""
        return [None if column is None else column[i] for column in self.states]


class Plan:
    """Which tensors are stepped together, until one of them is another, has moved or has another kind of gradient."""

    def __init__(self, kept: Kept, grads: Sequence[Tensor], form: Form) -> None:
        positions = range(len(kept.params))
        self.form = form
        able = [
            i for i in positions if not supports(kept.params[i], grads[i], kept.stored(i), form) and _counts(kept, i)
        ]
        again = {able[k] for k in shared([kept.params[i] for i in able])}  # such parameters take their steps in turn
        self.taken = [i for i in able if i not in again]
        alike = len({*map(partial(_kind, kept, grads), positions)}) < 2
        if form.together and not (alike and len(self.taken) == len(positions)):
            self.taken = []  # one call would not see all of them
        self.rest = sorted({*positions} - {*self.taken})
        self.rows, self.lengths, self.numbers = [*kept.rows], _lengths(kept), kept.numbers
        self.stored = Known(self._flat(kept), keep=True)
        self.gradients = Known(self._of_taken(grads), keep=False)
        kinds: dict[tuple[torch.dtype | None, Mix], list[int]] = {}
        for i in self.taken:
            kinds.setdefault(_kind(kept, grads, i), []).append(i)
        self.buckets = [
            Bucket(mix, positions, self.taken, kept, grads, count is torch.float64, form)
            for (count, mix), positions in kinds.items()
        ]

    def holds(self, kept: Kept, grads: Sequence[Tensor]) -> bool:
        """Whether these are the same tensors at the same addresses, with gradients of the same kinds."""
        mine = self._of_taken(grads)
        return (
            self.lengths == _lengths(kept)
            and self.rows == kept.rows
            and self.stored.are_as_before(self._flat(kept))
            and {*map(type, mine)} <= _CLASSES
            and self.gradients.are_alike(mine)
            and not any(map(Tensor.is_neg, mine))
        )

    def _of_taken(self, column: Sequence[Tensor]) -> list[Tensor]:
        return [column[i] for i in self.taken] if self.rest else [*column]

    def _flat(self, kept: Kept) -> list[Tensor]:
        """Every tensor that is taken but the gradients, column by column."""
        return [*chain.from_iterable(self._of_taken(column) for column in kept.columns() if column is not None)]


def _lengths(kept: Kept) -> list[int | None]:
    return [None if column is None else len(column) for column in kept.columns()]


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


class _Group(ctypes.Structure):
    """What one call steps: `struct group` of _group.h."""

    _fields_ = (
        *((name, ctypes.c_void_p) for name in "tensors grads rows times grad_scale found_inf".split()),
        *((name, ctypes.c_int64) for name in "count elements threads is_double maximize".split()),
    )


class Bucket:
    """The tables of tensors of one mix of dtypes: one call."""

    def __init__(
        self,
        mix: Mix,
        positions: Sequence[int],
        taken: Sequence[int],
        kept: Kept,
        grads: Sequence[Tensor],
        is_double: bool,
        form: Form,
    ) -> None:
        self.mix, self.positions = mix, positions
        self.params = [kept.params[i] for i in positions]
        at = {i: k for k, i in enumerate(taken)}
        self.places = None if len(positions) == len(taken) else [at[i] for i in positions]  # among what is taken
        self.views = [
            None if same_order(kept.params[i], grads[i]) else array("q", view(kept.params[i], grads[i]))
            for i in positions
        ]
        self.tensors = array("q")
        for i, strides in zip(positions, self.views, strict=True):
            count = kept.counts[i].data_ptr() if kept.counts else 0
            lies = strides.buffer_info()[0] if strides else 0
            number = kept.numbers[i] if kept.numbers else i
            self.tensors.extend([kept.params[i].numel(), kept.rows[i], number, count, lies])
            self.tensors.extend(form.sizes(kept.params[i]))
            self.tensors.extend(0 if t is None else t.data_ptr() for t in (kept.params[i], *kept.stored(i)))
        self.group = _Group(
            tensors=self.tensors.buffer_info()[0],
            count=len(positions),
            elements=sum(map(Tensor.numel, self.params)),
            is_double=is_double,
        )

    def step(
        self,
        step: Step,
        grads: array[int],
        rows: array[float],
        times: array[float] | None,
        amp: Sequence[int | None],
        maximize: bool,
    ) -> int:
        """Make the call. grads: the addresses of the gradients of all that is taken."""
        mine = array("q", [grads[k] for k in self.places]) if self.places else grads
        group = self.group
        group.grads = mine.buffer_info()[0]
        group.rows, group.times = rows.buffer_info()[0], times.buffer_info()[0] if times else None
        group.grad_scale, group.found_inf = amp
        group.threads, group.maximize = torch.get_num_threads(), maximize
        done = step(ctypes.byref(group))
        if done == STEPPED:
            # Autograd must learn that a parameter it may have saved was overwritten.
            increment_version(self.params)
        return done
