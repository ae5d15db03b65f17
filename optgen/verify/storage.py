"""Storage: what is stored in formats, read as the numbers it stands for, with what rounding may add to an error.

It is read by the generated NumPy functions of their formats. What they do is not taken on trust: a number
that is stored is compared with the one that the equations give, and may miss it by half a step of the format.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np

from optgen.bounds import BF16, FP32

Array = Any
BESIDE = ("param_rest", "param_master")  # the keys of what is stored beside a parameter
ROUNDING = {"bf16": 2.0**-8, "fp16": 2.0**-11, "fp32": 2.0**-24}
SCALED = 1 + 2.0**-14  # the place between two codes, a number up to 256, is itself computed with an error


@dataclass(frozen=True, slots=True)
class Decoder:
    """Reads what a module stores of a parameter. formats: of its states, by their keys, from its NumPy module.

    param: that of a parameter in bfloat16, and its name.
    """

    formats: Mapping[str, Any] = field(default_factory=dict)
    param: Any = None
    name: str = ""

    def read(self, stored: Mapping[str, Array], size: Sequence[int], order: Sequence[int]) -> tuple[
        dict[str, Array], dict[str, Array]
    ]:
        """The states in float64, and how far each number may be from what was to be stored.

        size, order: the shape of the parameter, and its axes from the outermost in memory.
        """
        own = {key: x for key, x in stored.items() if key not in BESIDE}
        values, missed = {key: np.asarray(x, np.float64) for key, x in own.items()}, {}
        for key, form in self.formats.items():
            if f"{key}_absmax" in stored:
                absmax = values.pop(f"{key}_absmax").astype(np.float32)
                values[key], missed[key] = _decoded(form, np.asarray(stored[key]), absmax, size, order)
            elif key in stored and not hasattr(form, "block"):
                if np.asarray(stored[key]).dtype == np.uint16:  # bfloat16, which NumPy lacks
                    values[key] = form.load(np.asarray(stored[key]), np.zeros(1))
                missed[key] = np.abs(values[key]) * ROUNDING[form.name] + 2.0**-24
        return values, missed

    def missed_at_start(self, key: str, values: Array) -> Array:
        """How far what a state holds before its first step may be from the values that it starts at."""
        form, values = self.formats.get(key), np.asarray(values).astype(np.float64)
        if form is None:
            return np.zeros_like(values)
        if hasattr(form, "block"):
            codes, absmax = form.store(values.reshape(-1).astype(np.float32))
            missed = _decoded(form, codes, absmax, [values.size], [0])[1].reshape(values.shape)
        else:
            missed = np.abs(values) * ROUNDING[form.name] + 2.0**-24
        return np.where(values == 0, 0, missed)

    def read_param(self, bits: Array, stored: Mapping[str, Array]) -> tuple[Array, Array]:
        """A parameter in a format, in float64, and how far each number may be from what was to be stored.

        bits: those of bfloat16, in uint16.
        """
        (beside,) = [x for key, x in stored.items() if key in BESIDE] or [None]
        if beside is not None and beside.dtype == np.float64:  # bfloat16 as PyTorch's was read
            beside = as_bits(beside) if self.name == "bf16_kahan" else beside.astype(np.float32)
        given = [bits] if self.name == "bf16_sr" else [bits, beside]
        with np.errstate(invalid="ignore"):
            numbers = self.param.load(*given).astype(np.float64)
        size = np.abs(numbers)
        match self.name:
            case "bf16_sr":  # it is one of the two neighbours
                return numbers, BF16.spacing(size)
            case "bf16_kahan":  # half a place of the rest, which is half a place of the parameter, and one of their sum
                return numbers, size * (2.0**-17 + FP32.unit) + BF16.tiny
            case "bf16_split8":  # half of the last of 8 more bits, all of it where there is no larger number
                last = BF16.spacing(size) * 2.0**-8
                return numbers, np.where(np.asarray(0 if beside is None else beside) == 127, last, last / 2)
        return numbers, np.zeros_like(numbers)


def as_bits(values: Array) -> Array:
    """The bits, in uint16, of numbers that bfloat16 holds."""
    return (np.asarray(values, np.float32).view(np.uint32) >> 16).astype(np.uint16)


def decoder(module: ModuleType | None, param: str = "") -> Decoder:
    """That of a rule, from its NumPy module. param: the format of its parameters."""
    return Decoder(getattr(module, "FORMATS", {}), getattr(module, param) if param else None, param)


def _decoded(form: Any, codes: Array, absmax: Array, size: Sequence[int], order: Sequence[int]) -> tuple[Array, Array]:
    """The numbers of a parameter's shape, and how far each may be from what was to be stored."""
    lies = tuple(size[axis] for axis in order)
    row = codes.transpose(order).reshape(-1) if codes.shape == tuple(size) else codes.reshape(-1)
    like = np.zeros(int(np.prod(lies)), np.float32)
    with np.errstate(invalid="ignore"):
        numbers = form.load(row, absmax, like).astype(np.float64)
        scales = np.repeat(absmax.astype(np.float64), form.block)[: like.size]
        missed = _reach(form)[_codes(form, row, like.size)] * scales * SCALED
    back = np.argsort(order)
    return numbers.reshape(lies).transpose(back), missed.reshape(lies).transpose(back)


def _codes(form: Any, row: Array, count: int) -> Array:
    return np.stack([row & 15, row >> 4], axis=-1).reshape(-1)[:count] if form.levels <= 16 else row


def _rounded_power(known: Array) -> float:
    """Of which power of a number the nearest is stored: that in which all there are lie evenly, or the number."""
    for power in (1.0, 0.5, 0.25):
        if np.ptp(np.diff(np.sign(known) * np.abs(known) ** power)) < 1e-5:
            return power
    return 1.0


@cache
def _reach(form: Any) -> Array:
    """For each code how far the numbers that become it lie from its own, of a block whose largest is 1."""
    codes = np.arange(form.levels, dtype=np.uint8)
    row = codes[::2] | codes[1::2] << 4 if form.levels <= 16 else codes
    ones = np.ones(-(-codes.size // form.block), np.float32)
    table = form.load(row, ones, np.zeros(codes.size, np.float32))[: form.levels].astype(np.float64)
    known = np.unique(table)
    lowest = -1.0 if known[0] < 0 else 0.0
    power = _rounded_power(known)
    roots = np.sign(known) * np.abs(known) ** power
    middles = (roots[:-1] + roots[1:]) / 2
    borders = np.concatenate([[lowest], np.sign(middles) * np.abs(middles) ** (1 / power), [max(known[-1], 1)]])
    reach = np.maximum(known - borders[:-1], borders[1:] - known)
    reach[1] = max(reach[1], known[1] - lowest) if lowest == 0 else reach[1]  # where a format has a 0 that it avoids
    return reach[np.searchsorted(known, table)]
