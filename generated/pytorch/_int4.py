"""int4. Written by optgen 0.1.0 (format 1); do not edit.

4-bit codes, blocks of 128 with a float32 absmax.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ._storage import Blockwise


def encode_signed(x: Tensor) -> Tensor:
    """Codes of numbers from -1 to 1, not yet whole."""
    size = torch.abs(x)
    size = torch.where(size >= 0.94375, 1.09, torch.where(size >= 0.00275, torch.clamp(size, min=0.0055), size))
    low = torch.where(size < 0.0995, 2.0, torch.full_like(size, 4.0))
    near = torch.where(size < 0.0995, 10.0 * size, size)
    low = torch.where(near < 0.0995, 0.5 * low, low)
    near = torch.where(near < 0.0995, 10.0 * near, near)
    above = low * (1.1111111111111 * near - 0.11111111111111) - 0.5
    count = low + torch.minimum(above, 1.25 * above - 0.125)
    return torch.copysign(count, x) + 7.5


def decode_signed(code: Tensor) -> Tensor:
    """The numbers that codes stand for."""
    count = torch.abs(code - 7)
    value = torch.where(count >= 1, 0.009 * count - 0.0035, 0.0)
    value = torch.where(count >= 2, 0.045 * count - 0.0575, value)
    value = torch.where(count >= 4, 0.225 * count - 0.6875, value)
    value = torch.where(count >= 8, 1.0, value)
    return torch.sign(code - 7) * value


def encode_unsigned(x: Tensor) -> Tensor:
    """Codes of numbers from 0 to 1, not yet whole."""
    return 16 * x - 0.5


def decode_unsigned(code: Tensor) -> Tensor:
    """The numbers that codes stand for."""
    return (code + 1) * 0.0625


int4_signed = Blockwise(128, 16, encode_signed, decode_signed)
int4_unsigned = Blockwise(128, 16, encode_unsigned, decode_unsigned)
