"""Rounding to formats that NumPy has not."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[np.floating[Any]]]


def to_bfloat16(x: Array) -> Array:
    """The nearest bfloat16 of each element, ties to even, in the dtype of x. float64 is rounded to float32 first."""
    kept = np.asarray(x, np.float32)
    bits = kept.view(np.uint32)
    nearest = bits + 0x7FFF + (bits >> 16 & 1) & 0xFFFF0000
    return np.where(kept == kept, nearest.view(np.float32), kept).astype(x.dtype)
