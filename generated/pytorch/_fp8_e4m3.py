"""fp8_e4m3. Written by optgen 0.1.0 (format 1); do not edit.

8-bit floats e4m3, blocks of 256 with a float32 absmax.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ._storage import Blockwise, float_place


def encode_signed(x: Tensor) -> Tensor:
    """Codes of numbers from -1 to 1, not yet whole."""
    count = float_place(torch.abs(x), 3, 28672.0, 0)
    return torch.where(x < 0, 128 + count, count)


def decode_signed(code: Tensor) -> Tensor:
    """The numbers that codes stand for."""
    count = torch.where(code >= 128, code - 128, code)
    value = (count + 0) * 4.359654017857143e-06
    value = torch.maximum(value, (count - 8) * 8.719308035714285e-06)
    value = torch.maximum(value, (count - 16) * 1.743861607142857e-05)
    value = torch.maximum(value, (count - 24) * 3.487723214285714e-05)
    value = torch.maximum(value, (count - 32) * 6.975446428571428e-05)
    value = torch.maximum(value, (count - 40) * 0.00013950892857142856)
    value = torch.maximum(value, (count - 48) * 0.00027901785714285713)
    value = torch.maximum(value, (count - 56) * 0.0005580357142857143)
    value = torch.maximum(value, (count - 64) * 0.0011160714285714285)
    value = torch.maximum(value, (count - 72) * 0.002232142857142857)
    value = torch.maximum(value, (count - 80) * 0.004464285714285714)
    value = torch.maximum(value, (count - 88) * 0.008928571428571428)
    value = torch.maximum(value, (count - 96) * 0.017857142857142856)
    value = torch.maximum(value, (count - 104) * 0.03571428571428571)
    value = torch.maximum(value, (count - 112) * 0.07142857142857142)
    return torch.where(code >= 128, -1, torch.full_like(code, 1)) * value


def encode_unsigned(x: Tensor) -> Tensor:
    """Codes of numbers from 0 to 1, not yet whole."""
    return float_place(x, 3, 28672.0, 1)


def decode_unsigned(code: Tensor) -> Tensor:
    """The numbers that codes stand for."""
    count = code
    value = (count + 0) * 4.359654017857143e-06
    value = torch.maximum(value, (count - 8) * 8.719308035714285e-06)
    value = torch.maximum(value, (count - 16) * 1.743861607142857e-05)
    value = torch.maximum(value, (count - 24) * 3.487723214285714e-05)
    value = torch.maximum(value, (count - 32) * 6.975446428571428e-05)
    value = torch.maximum(value, (count - 40) * 0.00013950892857142856)
    value = torch.maximum(value, (count - 48) * 0.00027901785714285713)
    value = torch.maximum(value, (count - 56) * 0.0005580357142857143)
    value = torch.maximum(value, (count - 64) * 0.0011160714285714285)
    value = torch.maximum(value, (count - 72) * 0.002232142857142857)
    value = torch.maximum(value, (count - 80) * 0.004464285714285714)
    value = torch.maximum(value, (count - 88) * 0.008928571428571428)
    value = torch.maximum(value, (count - 96) * 0.017857142857142856)
    value = torch.maximum(value, (count - 104) * 0.03571428571428571)
    return torch.maximum(value, (count - 112) * 0.07142857142857142)


fp8_e4m3_signed = Blockwise(256, 255, encode_signed, decode_signed)
fp8_e4m3_unsigned = Blockwise(256, 127, encode_unsigned, decode_unsigned)
