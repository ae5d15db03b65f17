"""Matrices: how the launches of a rule that sums over rows or columns share them out, in tiles and in lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor

from ._matrix_tiles import LINE

_WARP, _TURN = 32, 1024  # threads, and elements of a turn
_SHORTEST, _TALLEST = 64, 1024  # rows of a tile
_PARTS = 2048  # tiles of a tensor, so many that each program of a later launch can add up what they have left
_MOST = 8192  # where it is of many small matrices
_NARROWEST = 64  # columns of a tile
_WIDEST = 1 << 27  # columns, so that the rows of a turn can be told apart by an int32


@dataclass(frozen=True, slots=True)
class Tiles:
    """How many numbers launches leave for later ones.

    lines: for each program over lines. row_parts, col_parts: for each row or column and each tile that it crosses.
    row_values, col_values: for each row or column.
    """

    lines: int
    row_parts: int
    col_parts: int
    row_values: int
    col_values: int


def turn_of(vector: int) -> tuple[int, int]:
    """Rows and columns that a program takes in a turn: a warp takes rows, so that sums over them need no memory.

    vector: elements in one access.
    """
    return _TURN // (_WARP * vector), _WARP * vector


def fault_of(param: Tensor, block: int = 1) -> str:
    """Empty if tiles can be made of a parameter, else what stands in the way.

    block: how many elements make a block of codes. Each matrix is walked through on its own.
    """
    if param.dim() < 2:
        return "a parameter that is no matrix"
    if not param.is_contiguous():
        return "a parameter that does not lie row by row"
    if param.size(-1) > _WIDEST or prod(param.shape[:-2]) * _up(param.size(-1), _NARROWEST) > _MOST:
        return "a parameter of too many or too wide matrices"
    if prod(param.shape[:-2]) > 1 and prod(param.shape[-2:]) % block:
        return "a parameter with blocks of codes that reach from one matrix into the next"
    return ""


def shape_of(shape: Sequence[int], kind: str) -> tuple[int, ...]:
    """The shape of a state that has one number per `kind` of a parameter of a shape."""
    rows, cols = {"row": (shape[-2], 1), "col": (1, shape[-1]), "matrix": (1, 1)}[kind]
    return (*shape[:-2], rows, cols)


class Tiling:
    """How some tensors are cut.

    rows, cols: what a program takes in a turn; cols is how wide a tile is. tall: the rows of a tile. counts, lines: how
    many programs each tensor has over tiles, and over lines, (tensors) int64. is_odd: whether its rows begin anywhere.
    columns: what a record holds of it: rows, columns, the first program over lines, where its planes begin. size: the
    numbers in all planes.
    """

    def __init__(self, tiles: Tiles, shapes: Sequence[Sequence[int]], vector: int, programs: int) -> None:
        """vector: elements in one access. programs: how many there should be."""
        self.rows, self.cols = turn_of(vector)
        sizes = torch.tensor([[prod(shape[:-2]), *shape[-2:]] for shape in shapes])
        matrices, rows, cols = (sizes * (sizes.prod(1, keepdim=True) > 0)).unbind(1)
        across = _up(cols, self.cols)
        self.tall = _tall(matrices * across, rows, int(sizes.prod(1).sum()) // (self.cols * programs))
        down = _up(rows, self.tall)
        self.is_odd = cols % vector != 0
        self._matrices, self._elements = matrices, rows * cols  # of each
        self.counts = matrices * down * across
        self.lines = matrices * (_up(rows, LINE.value) + _up(cols, LINE.value))
        of_rows = rows * (tiles.row_parts * across + tiles.row_values)
        of_cols = cols * (tiles.col_parts * down + tiles.col_values)
        planes = _up(matrices * (of_rows + of_cols), vector) * vector  # values of columns, the first, are aligned
        self.size = int(planes.sum())
        self.columns = [x.tolist() for x in (rows, cols, self.lines.cumsum(0) - self.lines, planes.cumsum(0) - planes)]

    def spans(self, chunk: int) -> Tensor:
        """How many programs each tensor has that go through so many elements of a matrix."""
        counts: Tensor = self._matrices * _up(self._elements, chunk)
        return counts

    def options(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """How kernels over tiles are launched, where others are launched as given."""
        kept = {name: value for name, value in given.items() if name != "BLOCK"}
        return {**kept, "ROWS": self.rows, "COLS": self.cols}


def _tall(strips: Tensor, rows: Tensor, enough: int) -> int:
    """How many rows a tile has. strips: how many tiles lie beside one another, (tensors); enough: rows for all programs
    to have work. No tensor has more than _PARTS tiles, unless it has as many strips."""
    tall = 1 << min(max(enough, _SHORTEST), _TALLEST).bit_length() - 1
    while tall < int(rows.max()) and bool((strips * _up(rows, tall) > _PARTS).any()):
        tall *= 2
    return tall


def _up(x: Any, step: int) -> Any:
    """x over step, rounded up."""
    return (x + (step - 1)) // step
