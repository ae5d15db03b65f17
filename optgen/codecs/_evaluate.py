"""Evaluate: the numbers that codes stand for, in float64."""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping
from functools import reduce
from typing import Any

import sympy

from optgen.codecs import Code
from optgen.errors import RuleError

FUNCTIONS: Mapping[str, Any] = {
    "Abs": abs,
    "sign": lambda x: float((x > 0) - (x < 0)),
    "Max": max,
    "Min": min,
    "floor": math.floor,
    "exp": math.exp,
    "log": math.log,
}


def numbers(code: Code) -> list[float]:
    """What each code from 0 to `levels` - 1 stands for. Raises RuleError for a function that is not known here."""
    found = []
    for k in range(code.levels):
        known = {"code": float(k)}
        for name, expr in code.decode:
            known[name] = _value(expr, known)
        found.append(float(known[""]))
    return found


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
