"""Counts: step counts that lie on the host, read and written without the cost of a call of torch for each."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

import torch
from torch import Tensor


def can_count(count: Tensor) -> bool:
    """Whether HostCounts can read and write this step count."""
    return count.device.type == "cpu" and count.numel() == 1 and count.dtype in (torch.float32, torch.float64)


class HostCounts:
    """The counts of some parameters. rows: for each the number of its row of times."""

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
