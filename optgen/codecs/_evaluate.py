"""Evaluate: the numbers that codes stand for, in float64."""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping
from functools import reduce
from itertools import pairwise
from typing import Any

import sympy

from optgen.codecs import Code, Lines
from optgen.errors import RuleError

NEAR = 1e-6  # relative error of a division and a multiplication in float32, and more
FUNCTIONS: Mapping[str, Any] = {
    "Abs": abs,
    "sign": lambda x: float((x > 0) - (x < 0)),
    "Max": max,
    "Min": min,
    "floor": math.floor,
    "exp": math.exp,
    "log": math.log,
    "copysign": math.copysign,
    "float_place": lambda x, digits, span, least: max(_place(span * x, digits), least),
}


def numbers(code: Code) -> list[float]:
    """What each code from 0 to `levels` - 1 stands for. Raises RuleError for a function that is not known here."""
    return [_last(code.decode, {"code": float(k)}) for k in range(code.levels)]


def stays(code: Code) -> bool:
    """Whether no number over the largest of its block, itself computed with an error, is given a code too high or low.

    Told by the numbers that have codes, those between them and those at the ends. Raises RuleError as `numbers`.
    """
    known = sorted({*numbers(code), -1.0 if min(numbers(code)) < 0 else 0.0, 1.0})
    between = [(low + high) / 2 for low, high in pairwise(known)]
    given = [_last(code.encode, {"x": x * (1 + NEAR)}) for x in (*known, *between)]
    return all(0 <= int(position) < code.levels for position in given)


def _last(lines: Lines, known: dict[str, float]) -> float:
    """The result of a computation."""
    for name, expr in lines:
        known[name] = _value(expr, known)
    return float(known[""])


def _place(x: float, digits: float) -> float:
    """Which of the floats is nearest that have so many digits from 1 on. None is rounded to float32 before."""
    exponent = max(math.frexp(x)[1] - 1, 0)
    return float(math.floor(2.0**digits * (x / 2.0**exponent + exponent) + 0.5))


def _value(expr: Any, known: Mapping[str, float]) -> Any:
    match expr:
        case sympy.Symbol():
            return known[expr.name]
        case sympy.Number():
            return float(expr)
        case sympy.Piecewise():
            return next(_value(value, known) for value, condition in expr.args if _value(condition, known))
        case sympy.logic.boolalg.BooleanAtom():
            return bool(expr)
    args = [_value(arg, known) for arg in expr.args]
    match expr:
        case sympy.Add():
            return reduce(operator.add, args)
        case sympy.Mul():
            return reduce(operator.mul, args)
        case sympy.Pow():
            return math.sqrt(args[0]) if expr.exp == sympy.S.Half else args[0] ** args[1]
        case sympy.core.relational.Relational():
            return {">=": operator.ge, ">": operator.gt, "<=": operator.le, "<": operator.lt}[expr.rel_op](*args)
    name = expr.func.__name__
    if name not in FUNCTIONS:
        raise RuleError(f"{name} has no value in a storage format", None, f"use one of {', '.join(FUNCTIONS)}")
    return FUNCTIONS[name](*args)
