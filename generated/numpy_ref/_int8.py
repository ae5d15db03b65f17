"""int8. Written by optgen 0.1.0 (format 1); do not edit.

8-bit dynamic map, blocks of 256 with a float32 absmax, as bitsandbytes.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ._storage import Blockwise

Array = np.ndarray[Any, np.dtype[np.floating[Any]]]


def encode_signed(x: Array) -> Array:
    """Codes of numbers from -1 to 1, not yet whole."""
    size = np.abs(x)
    size = np.where(size >= 0.996484375, 1.005625, np.where(size >= 2.75e-07, np.maximum(size, 5.5e-07), size))
    low = np.where(size < 0.000995, 8.0, np.full_like(size, 64.0))
    near = np.where(size < 0.000995, 1000.0 * size, size)
    low = np.where(near < 0.00995, 0.25 * low, low)
    near = np.where(near < 0.00995, 100.0 * near, near)
    low = np.where(near < 0.0995, 0.5 * low, low)
    near = np.where(near < 0.0995, 10.0 * near, near)
    above = low * (1.1111111111111 * near - 0.11111111111111) - 0.5
    count = low + np.minimum(above, 1.25 * above - 0.125)
    return np.copysign(count, x) + 127.5


def decode_signed(code: Array) -> Array:
    """The numbers that codes stand for."""
    count = np.abs(code - 127)
    value = np.where(count >= 1, 9e-07 * count - 3.5e-07, 0.0)
    value = np.where(count >= 2, 4.5e-06 * count - 5.75e-06, value)
    value = np.where(count >= 4, 2.25e-05 * count - 6.875e-05, value)
    value = np.where(count >= 8, 0.0001125 * count - 0.00074375, value)
    value = np.where(count >= 16, 0.0005625 * count - 0.00771875, value)
    value = np.where(count >= 32, 0.0028125 * count - 0.07859375, value)
    value = np.where(count >= 64, 0.0140625 * count - 0.79296875, value)
    value = np.where(count >= 128, 1.0, value)
    return np.sign(code - 127) * value


def encode_unsigned(x: Array) -> Array:
    """Codes of numbers from 0 to 1, not yet whole."""
    size = x
    size = np.where(
        size >= 0.9982421875, 1.0028125, np.where(size >= 1.625e-07, np.maximum(size, 3.25e-07), size)
    )
    low = np.where(size < 0.000995, 16.0, np.full_like(size, 128.0))
    near = np.where(size < 0.000995, 1000.0 * size, size)
    low = np.where(near < 0.00995, 0.25 * low, low)
    near = np.where(near < 0.00995, 100.0 * near, near)
    low = np.where(near < 0.0995, 0.5 * low, low)
    near = np.where(near < 0.0995, 10.0 * near, near)
    above = low * (1.1111111111111 * near - 0.11111111111111) - 0.5
    count = low + np.minimum(above, 1.25 * above - 0.125)
    return count - 0.5


def decode_unsigned(code: Array) -> Array:
    """The numbers that codes stand for."""
    count = code + 1
    value = np.where(count >= 2, 4.5e-07 * count - 5.75e-07, 0.0)
    value = np.where(count >= 4, 2.25e-06 * count - 6.875e-06, value)
    value = np.where(count >= 8, 1.125e-05 * count - 7.4375e-05, value)
    value = np.where(count >= 16, 5.625e-05 * count - 0.000771875, value)
    value = np.where(count >= 32, 0.00028125 * count - 0.007859375, value)
    value = np.where(count >= 64, 0.00140625 * count - 0.079296875, value)
    value = np.where(count >= 128, 0.00703125 * count - 0.796484375, value)
    return np.where(count >= 256, 1.0, value)


int8_signed = Blockwise(256, 256, encode_signed, decode_signed)
int8_unsigned = Blockwise(256, 256, encode_unsigned, decode_unsigned)
