"""Reading: how the oracle takes equations apart: quantities and their indices, terms and factors in order."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import sympy
from sympy import Add, Indexed

from optgen.dsl.rule import Eq, Rule
from optgen.dsl.symbols import cols, numel, rows, t
from optgen.errors import OptgenError

Key = tuple[Any, int | str]  # a quantity and its index: "t", "t - 1" or a whole number
NOW, PAST = "t", "t - 1"
RECENT = 64  # rules whose equations are kept apart from one step to the next


def key_of(quantity: Any) -> Key:
    """The quantity and its index. Raises OptgenError for an index other than t, t - 1 or a whole number."""
    index = quantity.indices[0]
    if index == t:
        return quantity.base, NOW
    if index.is_Integer:
        return quantity.base, int(index)
    if isinstance(index, Add) and set(index.args) == {t, sympy.Integer(-1)}:
        return quantity.base, PAST
    raise OptgenError(f"{quantity} has an index other than t, t - 1 or a whole number")


def extents(shape: tuple[int, ...]) -> dict[Any, int]:
    """rows, cols and numel of a shape; 1 where it has no such axis."""
    return {rows: shape[-2] if len(shape) > 1 else 1, cols: shape[-1] if shape else 1, numel: int(np.prod(shape))}


def spine(expr: Any, kind: type) -> list[Any]:
    """The terms or factors from left to right: those of a leading one of the same kind are not in parentheses."""
    head, *rest = expr.args
    return [*(spine(head, kind) if isinstance(head, kind) else [head]), *rest]


def by_key(rule: Rule) -> Mapping[Key, Any]:
    """The right side of each equation, by what stands on its left."""
    return _by_key(tuple(rule.equations))


@lru_cache(RECENT)
def _by_key(equations: tuple[Eq, ...]) -> dict[Key, Any]:
    return {key_of(equation.lhs): equation.rhs for equation in reversed(equations)}


def outputs(rule: Rule) -> tuple[Any, ...]:
    """States that the parameter's update reads under no condition, such as an average of it: kept for whoever looks."""
    return _outputs(rule.param, tuple(rule.equations))


@lru_cache(RECENT)
def _outputs(param: Any, equations: tuple[Eq, ...]) -> tuple[Any, ...]:
    reads = {key: {key_of(node) for node in rhs.atoms(Indexed)} for key, rhs in reversed(_by_key(equations).items())}
    needed: set[Key] = set()
    waiting: list[Key] = [(param, NOW)]
    while waiting:
        quantity, index = waiting.pop()
        if (quantity, index) not in needed:
            needed.add((quantity, index))
            waiting += [(quantity, NOW)] if index == PAST else reads.get((quantity, index), ())
    pasts = {quantity for keys in reads.values() for quantity, index in keys if index == PAST}
    return tuple(q for q, index in reads if index == NOW and q in pasts and (q, NOW) not in needed)
