"""Rewrite: replace parts of an expression and leave all else, order and parentheses included, as it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def rebuild(expr: Any, args: list[Any]) -> Any:
    """The same node over other arguments; the node itself if they are unchanged. Never evaluates."""
    if all(new is old for new, old in zip(args, expr.args, strict=True)):
        return expr
    return expr.func(*args, evaluate=False) if expr.is_Piecewise else expr.func(*args)


def bottom_up(expr: Any, change: Callable[[Any], Any]) -> Any:
    """Apply `change` to every node, arguments first."""
    return change(rebuild(expr, [bottom_up(arg, change) for arg in expr.args]))
