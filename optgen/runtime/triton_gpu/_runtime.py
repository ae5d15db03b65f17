"""Host side of the fused kernels: one launch steps many tensors, and the tables it reads are kept between steps.

A launch reads a record for each tensor (the addresses of the parameter, the gradient and the states, then the number of
elements), a word of work for each chunk of a tensor, and a row of scalars for each distinct group and step count.
"""

from __future__ import annotations

import importlib
import math
import operator
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

TYPES = {torch.float32: tl.float32, torch.float64: tl.float64, torch.bfloat16: tl.bfloat16, torch.float16: tl.float16}
Columns = Sequence[Sequence[Tensor] | None]  # for each name of STATES one state per parameter, or None

# A word of work, from the top: slow (1 bit), tensor (20), row of scalars (13), chunk (30).
_SLOW, _TENSOR, _ROW = -(1 << 63), 1 << 43, 1 << 30
_TENSORS, _ROWS = 1 << 20, 1 << 13
_ABSENT = math.nan  # what a kernel would read of a scalar that nobody gave it
WARPS = 4  # of a program
_dtype_of = operator.attrgetter("dtype")


def available(device: torch.device) -> bool:
    """Whether kernels run on this device: a GPU, or any device under Triton's interpreter."""
    return bool(triton.knobs.runtime.interpret) or device.type == "cuda"


def block_of(vector: int, strict: bool, streams: int) -> int:
    """Elements per turn of the main loop: two vectors for each thread, or one where registers would run short.

    streams: how many tensors a turn reads or writes for each parameter.
    """
    spacious = vector == 2 or (vector == 4 and not strict and streams <= 4)
    return WARPS * 32 * vector * (2 if spacious else 1)


def supports(param: Tensor, grad: Tensor, states: Sequence[Tensor | None]) -> str:
    """Empty if the kernels can step this parameter, else what stands in the way."""
    stored = [param, *(state for state in states if state is not None)]
    for tensor in (*stored, grad):
        if type(tensor) not in (Tensor, torch.nn.Parameter):
            return f"a {type(tensor).__name__}, which is a subclass of Tensor"
        if tensor.layout is not torch.strided:
            return f"a tensor of layout {tensor.layout}"
        if tensor.dtype not in TYPES:
            return f"a tensor of {tensor.dtype}"
        if tensor.device != param.device or not available(tensor.device):
            return f"a tensor on {tensor.device}"
        if tensor.shape != param.shape:
            return f"a tensor of shape {tuple(tensor.shape)} beside a parameter of shape {tuple(param.shape)}"
    if not _is_dense(param):
        return "a parameter whose elements do not fill one stretch of memory"
    if any(not _same_order(param, tensor) or tensor.is_neg() for tensor in stored):
        return "a state that lies in memory otherwise than its parameter"
    return ""


class Launcher:
    """Steps lists of tensors with one kernel. It holds only tables: a copy or a pickle of it is an empty one."""

    keeps_counts = False

    def __init__(self, kernel: Any, scalars: Sequence[str]) -> None:
        self._kernel = kernel
        self._scalars = tuple(scalars)
        self._plan: _Plan | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return _fresh, (self._kernel.fn.__module__,)

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
        scalars: Sequence[Mapping[str, float]],
        flags: Mapping[str, bool],
        *,
        maximize: bool = False,
        strict: bool = False,
    ) -> list[int]:
        """Update parameters and states in place; return the positions that the kernel cannot take, left as they were.

        states: for each name of STATES a list beside `params`, or None where the variant in force has no such state.
        rows: for each parameter the index of its row in `scalars`. flags: what the module's `flags` returned.
        strict: correctly rounded division and square root, no contraction. `supports` tells what a kernel can take.
        """
        if self._plan is None or not self._plan.holds(params, grads, states, rows):
            self._plan = _Plan(params, grads, states, rows)
        options = {**flags, "MAXIMIZE": maximize, "STRICT": strict, "enable_fp_fusion": not strict, "num_warps": WARPS}
        for bucket in self._plan.buckets:
            table = [[float(row.get(name, _ABSENT)) for name in self._scalars] for row in scalars]
            with torch.cuda.device(bucket.device) if bucket.device.type == "cuda" else nullcontext():
                block = block_of(bucket.vector, strict, bucket.streams)
                bucket.launch(self._kernel, grads, table, {**options, "BLOCK": block})
        return self._plan.rest


def _fresh(module: str) -> Launcher:
    launcher: Launcher = importlib.import_module(module).launcher()
    return launcher


class _Plan:
    """Which tensors are stepped together, until one of them is another, has moved or has another kind of gradient."""

    def __init__(self, params: Sequence[Tensor], grads: Sequence[Tensor], states: Columns, rows: Sequence[int]) -> None:
        self.fixed = _flat(params, states)
        self.absent = [column is None for column in states]
        self.addresses = [*map(Tensor.data_ptr, self.fixed)]
        self.rows = [*rows]
        kinds: dict[tuple[Any, ...], list[int]] = {}
        self.rest: list[int] = []
        taken: set[int] = set()
        for i, param in enumerate(params):
            stored = [None if column is None else column[i] for column in states]
            again = param.numel() > 0 and param.data_ptr() in taken  # a tied parameter takes its steps in turn
            if again or supports(param, grads[i], stored):
                self.rest.append(i)
                continue
            taken.add(param.data_ptr())
            mix = [None if tensor is None else tensor.dtype for tensor in (param, grads[i], *stored)]
            kinds.setdefault((param.device, *mix), []).append(i)
        self.kept = sorted(i for positions in kinds.values() for i in positions)
        self.gradients = self._kinds_of(grads)
        self.buckets = [
            _Bucket(kind[0], kind[1:], positions, params, grads, states, rows) for kind, positions in kinds.items()
        ]

    def holds(self, params: Sequence[Tensor], grads: Sequence[Tensor], states: Columns, rows: Sequence[int]) -> bool:
        """Whether these are the same tensors at the same addresses, with gradients of the same kinds."""
        fixed = _flat(params, states)
        return (
            len(fixed) == len(self.fixed)
            and all(map(operator.is_, fixed, self.fixed))
            and self.absent == [column is None for column in states]
            and self.rows == rows
            and self.addresses == [*map(Tensor.data_ptr, fixed)]
            and self.gradients == self._kinds_of(grads)
        )

    def _kinds_of(self, grads: Sequence[Tensor]) -> tuple[list[Any], ...]:
        """All that a launch depends on but the address: dtype, and order in memory where it is not the plain one."""
        kept = grads if not self.rest else [grads[i] for i in self.kept]
        plain = [*map(Tensor.is_contiguous, kept)]
        others = (
            []
            if all(plain)
            else [(g.stride(), g.is_neg()) for g, is_plain in zip(kept, plain, strict=True) if not is_plain]
        )
        return [*map(_dtype_of, kept)], plain, others


class _Bucket:
    """The tables of tensors of one device and one mix of dtypes: one launch."""

    def __init__(
        self,
        device: torch.device,
        mix: Sequence[torch.dtype | None],
        positions: Sequence[int],
        params: Sequence[Tensor],
        grads: Sequence[Tensor],
        states: Columns,
        rows: Sequence[int],
    ) -> None:
        if len(positions) > _TENSORS or max(rows) >= _ROWS:
            raise ValueError(f"one launch takes at most {_TENSORS} tensors and {_ROWS} rows of scalars")
        self.device, self.positions = device, positions
        self.reordered = {
            k: (params[i].shape, params[i].stride())
            for k, i in enumerate(positions)
            if not _same_order(params[i], grads[i]) or grads[i].is_neg()
        }
        self.compute = torch.float64 if mix[0] is torch.float64 else torch.float32
        widest = max(dtype.itemsize for dtype in mix if dtype is not None)
        self.vector = vector = 16 // widest  # elements of the widest dtype in one access
        self.streams = sum(dtype is not None for dtype in mix)
        self.types = [TYPES[dtype or self.compute] for dtype in mix]
        self.constants = {"COMPUTE": TYPES[self.compute], "VEC": vector}
        self.promised = torch.tensor([vector * dtype.itemsize if dtype else 1 for dtype in mix])
        columns = (params, None, *states)  # the gradients' addresses come with each step
        addresses = [[0 if column is None else column[i].data_ptr() for column in columns] for i in positions]
        self.numels = torch.tensor([params[i].numel() for i in positions])
        self.records = torch.zeros(len(positions), -(-(len(mix) + 1) // 8) * 8, dtype=torch.int64)
        self.records[:, : len(mix)] = torch.tensor(addresses)
        self.records[:, len(mix)] = self.numels
        self.chunk = _chunk(int(self.numels.sum()), device)
        self.base = torch.arange(len(positions)) * _TENSOR + torch.tensor([rows[i] for i in positions]) * _ROW
        self.gradients: list[int] = []
        self.slow = torch.empty(0, dtype=torch.bool)
        self.table: list[list[float]] = []

    def launch(
        self, kernel: Any, grads: Sequence[Tensor], table: list[list[float]], options: Mapping[str, Any]
    ) -> None:
        """Refresh what has moved or changed in the tables, then launch."""
        if self.device.type == "cuda" and torch.cuda.is_current_stream_capturing():
            raise RuntimeError("a fused step cannot be captured in a CUDA graph: it reads its scalars from the host")
        mine = [grads[i] for i in self.positions]
        for k, (shape, stride) in self.reordered.items():
            mine[k] = torch.empty_strided(shape, stride, dtype=mine[k].dtype, device=self.device).copy_(mine[k])
        addresses = [*map(Tensor.data_ptr, mine)]
        if addresses != self.gradients:
            self._move(addresses)
        if table != self.table:
            self.table, self.device_rows = table, _upload(torch.tensor(table, dtype=self.compute), self.device)
        if len(self.device_words):
            kernel[(len(self.device_words),)](
                self.device_words,
                self.device_records,
                self.device_rows,
                self.chunk,
                *self.types,
                **self.constants,
                **options,
            )

    def _move(self, addresses: list[int]) -> None:
        self.gradients = addresses
        self.records[:, 1] = torch.tensor(addresses)
        self.device_records = _upload(self.records, self.device)
        slow = (self.records[:, : len(self.promised)] % self.promised).any(1)
        if not torch.equal(slow, self.slow):
            self.slow = slow
            self.device_words = _upload(_words(self.base + slow * _SLOW, self.numels, self.chunk), self.device)


def _words(base: Tensor, numels: Tensor, chunk: int) -> Tensor:
    """A word for each chunk, from each tensor's first. base, numels: (tensors) int64 -> (chunks) int64."""
    counts = (numels + (chunk - 1)) // chunk
    starts = counts.cumsum(0) - counts
    return torch.repeat_interleave(base - starts, counts) + torch.arange(int(counts.sum()))


def _chunk(elements: int, device: torch.device) -> int:
    """Elements per program: sixteen waves of eight programs on each processor; under the interpreter few programs."""
    programs = torch.cuda.get_device_properties(device).multi_processor_count * 128 if device.type == "cuda" else 8
    return min(max(1 << max(elements // programs, 1).bit_length() - 1, 1024), 65536)


def _upload(table: Tensor, device: torch.device) -> Tensor:
    """The table on the device, without waiting. PyTorch keeps the pinned copy until it has been read."""
    return table.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else table.clone()


def _flat(params: Sequence[Tensor], states: Columns) -> list[Tensor]:
    return [tensor for column in (params, *states) if column is not None for tensor in column]


def _is_dense(tensor: Tensor) -> bool:
    """Whether the elements fill one stretch of memory, each place once, in whatever order of the axes."""
    expected = 1
    for stride, size in sorted(
        (stride, size) for stride, size in zip(tensor.stride(), tensor.shape, strict=True) if size != 1
    ):
        if stride != expected and tensor.numel():
            return False
        expected *= size
    return True


def _same_order(a: Tensor, b: Tensor) -> bool:
    """Whether equal places in memory hold equal indices. The stride of an axis of one element means nothing."""
    return a.numel() == 0 or all(
        s == t for s, t, size in zip(a.stride(), b.stride(), a.shape, strict=True) if size != 1
    )
