"""int4. Written by optgen 0.1.0 (format 1); do not edit.

4-bit codes, blocks of 128 with a float32 absmax.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ._storage import Blockwise

Array = np.ndarray[Any, np.dtype[np.floating[Any]]]


def encode_signed(x: Array) -> Array:
    """Codes of numbers from -1 to 1, not yet whole."""
    size = np.abs(x)
    size = np.where(size >= 0.94375, 1.09, np.where(size >= 0.00275, np.maximum(size, 0.0055), size))
    low = np.where(size < 0.0995, 2.0, np.full_like(size, 4.0))
    near = np.where(size < 0.0995, 10.0 * size, size)
    low = np.where(near < 0.0995, 0.5 * low, low)
    near = np.where(near < 0.0995, 10.0 * near, near)
    above = low * (1.1111111111111 * near - 0.11111111111111) - 0.5
    count = low + np.minimum(above, 1.25 * above - 0.125)
    return np.copysign(count, x) + 7.5


def decode_signed(code: Array) -> Array:
    """The numbers that codes stand for."""
    count = np.abs(code - 7)
    value = np.where(count >= 1, 0.009 * count - 0.0035, 0.0)
    value = np.where(count >= 2, 0.045 * count - 0.0575, value)
    value = np.where(count >= 4, 0.225 * count - 0.6875, value)
    value = np.where(count >= 8, 1.0, value)
    return np.sign(code - 7) * value


def encode_unsigned(x: Array) -> Array:
    """Codes of numbers from 0 to 1, not yet whole."""
    return 16 * x - 0.5


def decode_unsigned(code: Array) -> Array:
    """The numbers that codes stand for."""
    return (code + 1) * 0.0625


int4_signed = Blockwise(128, 16, encode_signed, decode_signed)
int4_unsigned = Blockwise(128, 16, encode_unsigned, decode_unsigned)
