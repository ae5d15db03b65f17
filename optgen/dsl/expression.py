"""Expression: what a rule gives as one becomes SymPy's, unless it is a text, no expression at all, or too large."""

from __future__ import annotations

import sys
from typing import Any

import sympy
from sympy.logic.boolalg import Boolean

from optgen.dsl.names import shown
from optgen.errors import Loc, RuleError

DEEPEST = 60  # every pass and printer is recursive, and Python stops at a depth of 1000 calls
LARGEST = 4000  # a shared part counts wherever it stands, since it is printed there
PLAIN = "write it with numbers, and symbols of optgen"
INSTEAD = {
    "tuple": "remove the comma at its end, or the parentheses around it",
    "list": "remove the square brackets",
    "ndarray": "write numbers of Python; what differs from element to element is a quantity",
}


def expression(value: Any, what: str, loc: Loc | None) -> Any:
    """The value as a SymPy expression. `what` says what it is.

    Raises RuleError for a text, which SymPy would run as code, for what is no expression, and for one that no pass
    could walk.
    """
    refuse_text(value, what, loc)
    try:
        made = sympy.sympify(value, strict=True)
    except sympy.SympifyError:
        made = None
    if not isinstance(made, (sympy.Expr, Boolean)):
        hint = INSTEAD.get(type(value).__name__, PLAIN)
        raise RuleError(f"{what} is {shown(value)}, which is no expression", loc, hint)
    refuse_large(made, what, loc)
    return made


def refuse_text(value: Any, what: str, loc: Loc | None) -> None:
    """Raises RuleError for a string: SymPy would evaluate it as Python."""
    if isinstance(value, (str, bytes)):
        raise RuleError(
            f"{what} is the text {bytes(value) if isinstance(value, bytes) else str.__str__(value)!r}",
            loc,
            "write it without quotes, with symbols of optgen: text is never run as code",
        )


def refuse_large(expr: Any, what: str, loc: Loc | None) -> None:
    """Raises RuleError for an expression of too many parts or levels. Stops counting there, and never recurs."""
    waiting, parts = [(expr, 1)], 0
    while waiting:
        node, depth = waiting.pop()
        if isinstance(node, sympy.Number) and _is_too_large(node):
            raise RuleError(f"{what} holds a number that no float can", loc, "use numbers below 1e308")
        if node is sympy.I:  # SymPy cannot print every expression that holds it
            raise RuleError(f"{what} holds an imaginary number", loc, "use real numbers")
        parts += 1
        if depth > DEEPEST or parts > LARGEST:
            size = f"is nested more than {DEEPEST} deep" if depth > DEEPEST else f"has more than {LARGEST} parts"
            raise RuleError(f"{what} {size}", loc, "name its parts in equations of their own")
        waiting += [(arg, depth + 1) for arg in reversed(node.args)]


def _is_too_large(number: Any) -> bool:
    """Whether a finite number has no float. Python may refuse to print it, too."""
    if isinstance(number, sympy.Rational):
        return bool(max(abs(number.p), abs(number.q)).bit_length() > sys.float_info.max_exp)
    return bool(isinstance(number, sympy.Float) and number.is_finite and abs(number) > sys.float_info.max)
