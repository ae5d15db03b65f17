"""Rounding within a step to formats narrower than it is computed in."""

from __future__ import annotations

import torch
from torch import Tensor


def to_bfloat16(x: Tensor) -> Tensor:
    """The nearest bfloat16 of each element, ties to even, in the dtype of x."""
    return x.to(torch.bfloat16).to(x.dtype)
