"""Reals: arrays of float64, or of mpmath numbers with 128 bits, behind the few functions that equations call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import mpmath
import numpy as np

_mp = mpmath.MPContext()
_mp.prec = 128  # 75 bits more than float64, whose rounding is what is judged with it


@dataclass(frozen=True, slots=True)
class Reals:
    """One kind of number: how to make an array of them, and the functions that differ from NumPy's operators."""

    array: Callable[[Any], Any]
    divide: Callable[[Any, Any], Any]
    power: Callable[[Any, Any], Any]
    pi: Any
    functions: Mapping[str, Callable[[Any], Any]]

    def call(self, name: str, x: Any) -> Any:
        """The function of this name, element by element; NaN outside its domain."""
        with np.errstate(all="ignore"):
            return np.asarray(self.functions[name](x))


def _float_array(x: Any) -> Any:
    return np.asarray(x).astype(np.float64)


def _quietly(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any) -> Any:
        with np.errstate(all="ignore"):
            return np.asarray(function(*args))

    return call


def _elementwise(function: Callable[..., Any], count: int = 1) -> Callable[..., Any]:
    applied = _quietly(np.frompyfunc(function, count, 1))  # mpmath's own float operations raise flags for a NaN
    return lambda *args: np.asarray(applied(*args), dtype=object)


def _divide(a: Any, b: Any) -> Any:
    if b == 0:
        return _mp.nan if a == 0 or a != a else _mp.inf if a > 0 else -_mp.inf
    return _mp.mpf(a) / b


def _power(a: Any, b: Any) -> Any:
    if a == 0:
        return _mp.mpf(1) if b == 0 else _mp.mpf(0) if b > 0 else _mp.inf
    return _mp.mpf(a) ** b if a > 0 or b == int(b) else _mp.nan


def _multi_log(x: Any) -> Any:
    return _mp.nan if not x >= 0 else -_mp.inf if x == 0 else _mp.log(x)


def _bfloat16(x: Any) -> Any:
    """To 8 bits of significand, to even; subnormal below 2**-126, infinite from halfway beyond the largest on."""
    spacing = 2.0 ** (np.floor(np.log2(np.maximum(np.abs(x), 2.0**-126))) - 7)
    made = np.where(np.isfinite(x), np.rint(x / spacing) * spacing, x)
    return np.where(np.abs(made) >= 2.0**128, np.sign(made) * np.inf, made)


def _multi_bfloat16(x: Any) -> Any:
    if not _mp.isfinite(x):
        return x
    spacing = _mp.mpf(2) ** (max(_mp.frexp(x)[1] - 1, -126) - 7)
    made = _mp.nint(x / spacing) * spacing
    return made if abs(made) < _mp.mpf(2) ** 128 else _mp.sign(made) * _mp.inf


FLOAT = Reals(
    array=_float_array, divide=_quietly(np.divide), power=_quietly(np.power), pi=np.pi,
    functions={"sqrt": np.sqrt, "exp": np.exp, "log": np.log, "sin": np.sin, "cos": np.cos, "tanh": np.tanh,
               "sign": np.sign, "floor": np.floor, "bfloat16": _bfloat16},
)
MULTI = Reals(
    array=_elementwise(_mp.mpf),
    divide=_elementwise(_divide, 2), power=_elementwise(_power, 2), pi=+_mp.pi,
    functions={"sqrt": _elementwise(lambda x: _mp.sqrt(x) if x >= 0 else _mp.nan), "exp": _elementwise(_mp.exp),
               "log": _elementwise(_multi_log), "sin": _elementwise(_mp.sin), "cos": _elementwise(_mp.cos),
               "tanh": _elementwise(_mp.tanh), "sign": _elementwise(_mp.sign), "floor": _elementwise(_mp.floor),
               "bfloat16": _elementwise(_multi_bfloat16)},
)
