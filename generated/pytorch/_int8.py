"""int8. Written by optgen 0.1.0 (format 1); do not edit.

8-bit dynamic map, blocks of 256 with a float32 absmax, as bitsandbytes.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ._storage import Blockwise


def encode_signed(x: Tensor) -> Tensor:
    """Codes of numbers from -1 to 1, not yet whole."""
    size = torch.abs(x)
    size = torch.where(
        size >= 0.996484375, 1.005625, torch.where(size >= 2.75e-07, torch.clamp(size, min=5.5e-07), size)
    )
    low = torch.where(size < 0.000995, 8.0, torch.full_like(size, 64.0))
    near = torch.where(size < 0.000995, 1000.0 * size, size)
    low = torch.where(near < 0.00995, 0.25 * low, low)
    near = torch.where(near < 0.00995, 100.0 * near, near)
    low = torch.where(near < 0.0995, 0.5 * low, low)
    near = torch.where(near < 0.0995, 10.0 * near, near)
    above = low * (1.1111111111111 * near - 0.11111111111111) - 0.5
    count = low + torch.minimum(above, 1.25 * above - 0.125)
    return torch.copysign(count, x) + 127.5


def decode_signed(code: Tensor) -> Tensor:
    """The numbers that codes stand for."""
    count = torch.abs(code - 127)
    value = torch.where(count >= 1, 9e-07 * count - 3.5e-07, 0.0)
    value = torch.where(count >= 2, 4.5e-06 * count - 5.75e-06, value)
    value = torch.where(count >= 4, 2.25e-05 * count - 6.875e-05, value)
    value = torch.where(count >= 8, 0.0001125 * count - 0.00074375, value)
    value = torch.where(count >= 16, 0.0005625 * count - 0.00771875, value)
    value = torch.where(count >= 32, 0.0028125 * count - 0.07859375, value)
    value = torch.where(count >= 64, 0.0140625 * count - 0.79296875, value)
    value = torch.where(count >= 128, 1.0, value)
    return torch.sign(code - 127) * value


def encode_unsigned(x: Tensor) -> Tensor:
    """Codes of numbers from 0 to 1, not yet whole."""
    size = x
    size = torch.where(
        size >= 0.9982421875, 1.0028125, torch.where(size >= 1.625e-07, torch.clamp(size, min=3.25e-07), size)
    )
    low = torch.where(size < 0.000995, 16.0, torch.full_like(size, 128.0))
    near = torch.where(size < 0.000995, 1000.0 * size, size)
    low = torch.where(near < 0.00995, 0.25 * low, low)
    near = torch.where(near < 0.00995, 100.0 * near, near)
    low = torch.where(near < 0.0995, 0.5 * low, low)
    near = torch.where(near < 0.0995, 10.0 * near, near)
    above = low * (1.1111111111111 * near - 0.11111111111111) - 0.5
    count = low + torch.minimum(above, 1.25 * above - 0.125)
    return count - 0.5


def decode_unsigned(code: Tensor) -> Tensor:
    """The numbers that codes stand for."""
    count = code + 1
    value = torch.where(count >= 2, 4.5e-07 * count - 5.75e-07, 0.0)
    value = torch.where(count >= 4, 2.25e-06 * count - 6.875e-06, value)
    value = torch.where(count >= 8, 1.125e-05 * count - 7.4375e-05, value)
    value = torch.where(count >= 16, 5.625e-05 * count - 0.000771875, value)
    value = torch.where(count >= 32, 0.00028125 * count - 0.007859375, value)
    value = torch.where(count >= 64, 0.00140625 * count - 0.079296875, value)
    value = torch.where(count >= 128, 0.00703125 * count - 0.796484375, value)
    return torch.where(count >= 256, 1.0, value)


int8_signed = Blockwise(256, 256, encode_signed, decode_signed)
int8_unsigned = Blockwise(256, 256, encode_unsigned, decode_unsigned)
