"""Phases: the launches of a step of a rule with reductions, one after the other, without waiting for any."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from ._formats import elements
from ._matrices import Tiles, Tiling
from ._reductions import combine

Kinds = tuple[str, ...]
_WARPS = 16  # of the one program that combines
_PARTS = 2048  # of a tensor, that each program of a later launch adds up


@dataclass(frozen=True, slots=True)
class Form:
    """How a step looks at tensors, where it is not one launch, or not all that is stored has a dtype of its choice.

    kinds: what each of STATES has one number per, or the dtype of what has its own; or a function that tells it of a
    variant. parts, shares: how many numbers each chunk or tile, and each tensor, leaves for later launches. common: how
    many all tensors that step together have in common. tiles: what else there is of matrices. numbers: those that codes
    stand for. at_times: which of STATES are codes in some variants only, whose dtype kernels are told in all. draws:
    whether parameters are rounded by chance; a row then ends in the seed and the count, each in two halves, and a
    record in the parameter's place among all. one_pass: whether a step is one launch.
    """

    kinds: Kinds | Callable[[Mapping[str, bool]], Kinds]
    parts: int = 0
    shares: int = 0
    common: int = 0
    tiles: Tiles | None = None
    numbers: tuple[tuple[float, ...], ...] = ()
    at_times: tuple[int, ...] = ()
    draws: bool = False
    one_pass: bool = False

    def of(self, flags: Mapping[str, bool]) -> Form:
        """How the step of one variant looks at tensors."""
        return replace(self, kinds=self.kinds(flags)) if callable(self.kinds) else self

    @property
    def block(self) -> int:
        """How many elements make a block of codes, of the longest; 1 without codes."""
        return max([1, *map(elements, self.of_states)])

    @property
    def of_states(self) -> Kinds:
        """The kind of each of STATES."""
        assert not callable(self.kinds), "which kinds of states there are is asked of one variant"
        return self.kinds


class Scratch:
    """What the launches of one step leave for one another, for so many chunks and tensors. left: in the order in which
    kernels take it, of chunks, of tensors, in common, of lines, in planes."""

    def __init__(
        self, form: Form, tiling: Tiling | None, chunks: int, tensors: int, dtype: torch.dtype, device: torch.device
    ) -> None:
        self.form, self.chunks, self.width = form, chunks, form.tiles.lines if form.tiles else 0
        sizes = [chunks * form.parts, tensors * form.shares, form.common]
        sizes += [int(tiling.lines.sum()) * self.width, tiling.size] if tiling else []
        self.left = [torch.zeros(max(n, 1), dtype=dtype, device=device) for n in sizes]


@dataclass(frozen=True, slots=True)
class Spans:
    """What launches differ in that go straight through the rows of matrices. words: a word of work for each span."""

    words: Tensor
    chunk: int
    constants: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Launches:
    """Makes the launches of a step. words, heads, lines: a word of work for each chunk or tile, for the first of each
    tensor, and for each program over rows or columns. spans: if codes are stored beside tiles."""

    words: Tensor
    heads: Tensor
    lines: Tensor
    tables: Sequence[Tensor]
    scratch: Scratch
    chunk: int
    types: Sequence[Any]
    constants: Mapping[str, Any]
    spans: Spans | None = None

    def each_chunk(self, kernel: Any) -> None:
        """One program for each chunk or tile."""
        self._launch(kernel, self.words, self.constants, self.chunk)

    def each_span(self, kernel: Any) -> None:
        """One program for some elements of each matrix, straight through its rows."""
        assert self.spans is not None, "a rule whose kernels store codes has spans"
        self._launch(kernel, self.spans.words, self.spans.constants, self.chunk, self.spans.chunk)

    def each_tensor(self, kernel: Any) -> None:
        """One program for each tensor that has elements."""
        self._launch(kernel, self.heads, self.constants, self.chunk)

    def each_line(self, kernel: Any) -> None:
        """One program for some rows or columns of each matrix."""
        self._launch(kernel, self.lines, self.constants, self.chunk)

    def _launch(self, kernel: Any, words: Tensor, constants: Mapping[str, Any], *sizes: int) -> None:
        kernel[(len(words),)](words, *self.tables, *self.scratch.left, *sizes, *self.types, **constants)

    def sum_of_chunks(self, column: int, place: int) -> None:
        """What is common to all: the sum of what the chunks have left in a column."""
        self._combine(0, self.scratch.chunks, column, self.scratch.form.parts, place, False)

    def largest_of_chunks(self, column: int, place: int) -> None:
        """The largest of that."""
        self._combine(0, self.scratch.chunks, column, self.scratch.form.parts, place, True)

    def sum_of_tensors(self, column: int, place: int) -> None:
        """What is common to all: the sum of what the tensors have left in a column."""
        self._combine(1, len(self.heads), column, self.scratch.form.shares, place, False)

    def largest_of_tensors(self, column: int, place: int) -> None:
        """The largest of that."""
        self._combine(1, len(self.heads), column, self.scratch.form.shares, place, True)

    def sum_of_lines(self, column: int, place: int) -> None:
        """What is common to all: the sum of what the programs over rows and columns have left in a column."""
        self._combine(3, len(self.lines), column, self.scratch.width, place, False)

    def largest_of_lines(self, column: int, place: int) -> None:
        """The largest of that."""
        self._combine(3, len(self.lines), column, self.scratch.width, place, True)

    def _combine(self, left: int, count: int, column: int, stride: int, place: int, largest: bool) -> None:
        parts, common = self.scratch.left[left], self.scratch.left[2]
        combine[(1,)](parts, common, count, column, stride, place, largest, num_warps=_WARPS)


def chunk_of_parts(elements: int) -> int:
    """Elements per program of which no tensor has more than _PARTS times as many: to read more parts would cost."""
    return 1 << max(-(-elements // _PARTS) - 1, 0).bit_length()
