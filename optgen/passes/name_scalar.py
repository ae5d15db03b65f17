"""Name a scalar: `1 - beta1**t` becomes one_minus_beta1_t, so that hoisted code still says what it computes."""

from __future__ import annotations

import itertools
from typing import Any

from sympy import Mul, S
from sympy.core.relational import Eq, Ge, Gt, Le, Lt, Ne

from optgen.dsl.names import RESERVED
from optgen.ir import is_condition

LONGEST = 32
RELATIONS = {Le: "le", Lt: "lt", Ge: "ge", Gt: "gt", Ne: "ne", Eq: "eq"}


def name_scalar(expr: Any, target: str, taken: set[str]) -> str:
    """A new name for a host expression: its own words if they are short, else the quantity it belongs to."""
    words = _words(expr)
    if words and len(words) <= LONGEST and words[0].isalpha() and words not in taken and words not in RESERVED:
        return words
    stem = f"{target}_{'if' if is_condition(expr) else 'scale'}"
    return next(n for n in itertools.chain([stem], (f"{stem}{i}" for i in itertools.count(2))) if n not in taken)


def _words(expr: Any) -> str:
    """The expression in words; empty if there are none for it."""
    if expr.is_Symbol:
        return str(expr.name)
    if expr.is_Integer and expr >= 0:
        return ("zero", "one", "two", "three")[int(expr)] if expr < 4 else str(expr)
    parts = [_words(arg) for arg in expr.args]
    if expr.is_Pow:
        return _power(expr, parts)
    if type(expr) in RELATIONS and all(parts):
        return f"{parts[0]}_{RELATIONS[type(expr)]}_{parts[1]}"
    if expr.is_Mul:
        return _product(expr, parts)
    if expr.is_Add and len(expr.args) == 2:
        minus = _negated(expr.args[1])
        second = _words(minus) if minus is not None else parts[1]
        return f"{parts[0]}_{'minus' if minus is not None else 'plus'}_{second}" if parts[0] and second else ""
    return ""


def _power(expr: Any, parts: list[str]) -> str:
    if expr.exp == S.NegativeOne:
        return f"inv_{parts[0]}" if parts[0] else ""
    if expr.exp == S.Half:
        return f"sqrt_{parts[0]}" if parts[0] else ""
    return f"{parts[0]}_{parts[1]}" if expr.base.is_Symbol and expr.exp.is_Symbol else ""


def _product(expr: Any, parts: list[str]) -> str:
    if not all(parts) or expr.args[0].is_Number:
        return ""
    over = [i for i, arg in enumerate(expr.args) if arg.is_Pow and arg.exp == S.NegativeOne]
    if over == [len(parts) - 1] and len(parts) > 1:
        return f"{'_'.join(parts[:-1])}_over_{parts[-1].removeprefix('inv_')}"
    return "_".join(parts) if not over else ""


def _negated(expr: Any) -> Any:
    """x if the expression is -x, else None."""
    if not expr.is_Mul or expr.args[0] != S.NegativeOne:
        return None
    return Mul(*expr.args[1:]) if len(expr.args) > 2 else expr.args[1]
