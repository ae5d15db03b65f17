"""Mirror: a table of the host with its copy on a device, also where a CUDA graph is captured.

A graph replays copies and launches, but nothing that the host does. What it reads is therefore never written again: a
table that was there before the capture is left to it, and one that is another within the capture gets a pinned buffer
of its own, the copy of which is part of the graph.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

CAPTURES = 8  # for which there are buffers, made before: a capture may allocate no pinned memory
MOVED = (
    "a CUDA graph is being captured, but what a fused step reads is another than at the last step: before the capture, "
    "take two steps with the same parameters, and with gradients of the same dtypes and layouts in memory"
)


def capturing(device: torch.device) -> bool:
    """Whether a CUDA graph is being captured."""
    return device.type == "cuda" and torch.cuda.is_current_stream_capturing()


def upload(table: Tensor, device: torch.device) -> Tensor:
    """The table on the device, without waiting. PyTorch keeps the pinned copy until it has been read."""
    return table.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else table.clone()


class Mirror:
    """One table, of the same shape each time, refreshed without waiting from two pinned buffers in turn."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.key: Any = None
        self.copy = torch.empty(0)
        self._buffers: list[tuple[Tensor, Any]] = []
        self._spare: list[Tensor] = []
        self._captured: list[Any] = []  # what graphs read
        self._is_lent = False

    def of(self, key: Any, make: Callable[[], Tensor]) -> Tensor:
        """The copy of the table that is called `key` and that `make` makes, which is called for another key only.

        Raises RuntimeError in a capture where it is another and no buffer is left.
        """
        if capturing(self.device):
            if key != self.key:
                return self._record(make())
            self._is_lent = True
        elif key != self.key or not self._spare:
            self._refresh(make())
            self.key = key
        return self.copy

    def _refresh(self, table: Tensor) -> None:
        if self._is_lent or not self._spare:
            self._renew(table)
        self._buffers.reverse()
        buffer, event = self._buffers[0]
        if event is not None:
            event.synchronize()  # the copy before the last has read this buffer long ago
        buffer.copy_(table)
        self.copy.copy_(buffer, non_blocking=True)
        if event is not None:
            event.record()

    def _renew(self, table: Tensor) -> None:
        is_cuda = self.device.type == "cuda"
        event: Any = torch.cuda.Event
        first, second, *self._spare = torch.empty((2 + CAPTURES, *table.shape), dtype=table.dtype, pin_memory=is_cuda)
        self._captured.append(self.copy)
        self._buffers = [(buffer, event() if is_cuda else None) for buffer in (first, second)]
        self.copy = torch.empty_like(table, device=self.device)
        self._is_lent = False

    def _record(self, table: Tensor) -> Tensor:
        if not self._spare:
            raise RuntimeError(MOVED)
        buffer = self._spare.pop().copy_(table)
        copy = buffer.to(self.device, non_blocking=True, copy=True)
        self._captured.append((buffer, copy))
        return copy
