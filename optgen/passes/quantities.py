"""Quantities: the name and the index of a quantity in an equation."""

from __future__ import annotations

from typing import Any

from sympy import Add, Indexed, Integer, Mul

from optgen.dsl.symbols import t

MOST = 10_000  # a whole-number index is part of a name


def label(quantity: Any) -> str:
    """The name of a quantity, x for x[t] and for x itself."""
    made: str = (quantity.base if isinstance(quantity, Indexed) else quantity).label.name
    return made


def index_of(quantity: Indexed) -> int | str | None:
    """0 for x[t], -1 for x[t - 1], "k" for a whole number k; None for any other index."""
    match steps(quantity):
        case (0, number) if 0 <= number < MOST:
            return str(number)
        case (1, (0 | -1) as offset):
            return offset
        case _:
            return None


def steps(quantity: Indexed) -> tuple[int, int] | None:
    """(a, b) for x[a*t + b], None for an index that is not of this form or not the only one."""
    return _linear(quantity.indices[0]) if len(quantity.indices) == 1 else None


def _linear(index: Any) -> tuple[int, int] | None:
    # SymPy's expand would take for ever on (t + 1)**100000
    if index == t:
        return 1, 0
    if isinstance(index, Integer):
        return 0, int(index)
    parts = [_linear(arg) for arg in index.args]
    if None in parts or not isinstance(index, (Add, Mul)):
        return None
    known = [part for part in parts if part is not None]
    if isinstance(index, Add):
        return sum(a for a, _ in known), sum(b for _, b in known)
    total = (0, 1)
    for a, b in known:
        if total[0] and a:
            return None
        total = total[0] * b + total[1] * a, total[1] * b
    return total
