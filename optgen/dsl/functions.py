"""Functions of elements, functions that look at other elements, and the branch."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import sympy
from sympy import Function, pi

from optgen.dsl.expression import refuse_text
from optgen.dsl.names import caller, shown
from optgen.dsl.rule import Eq
from optgen.dsl.structural import Structural
from optgen.dsl.symbols import refuse_bool
from optgen.errors import Loc, RuleError

__all__ = [
    "Abs",
    "And",
    "Max",
    "Min",
    "Ne",
    "Not",
    "Or",
    "Piecewise",
    "amax",
    "clip",
    "cos",
    "exp",
    "floor",
    "log",
    "matmul",
    "mean",
    "norm",
    "pi",
    "rms",
    "rounded",
    "sign",
    "sin",
    "sqrt",
    "tanh",
    "total",
    "transpose",
]


def _without_text(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function of SymPy, which by itself would evaluate an argument that is a text as Python."""

    @wraps(function, updated=())
    def call(*args: Any) -> Any:
        for arg in args:
            refuse_text(arg, f"an argument of {function.__name__}", caller())
            refuse_bool(arg, caller())
        return function(*args)

    return call


Abs, cos, exp, floor, log, sign, sin, sqrt, tanh = (
    _without_text(function)
    for function in (
        sympy.Abs,
        sympy.cos,
        sympy.exp,
        sympy.floor,
        sympy.log,
        sympy.sign,
        sympy.sin,
        sympy.sqrt,
        sympy.tanh,
    )
)
And, Ne, Not, Or = (_without_text(function) for function in (sympy.And, sympy.Ne, sympy.Not, sympy.Or))


class _Named(Function):
    """A function of optgen's own, which SymPy knows by its name only."""

    def __new__(cls, *args: Any, **options: Any) -> Any:
        for arg in args:
            refuse_text(arg, f"an argument of {cls.__name__}", caller())
        return super().__new__(cls, *args, **options)


class Max(_Named):
    """The larger of two; a NaN in either is kept. Keeps the author's order, which sympy.Max does not."""

    nargs = 2


class Min(_Named):
    """The smaller of two; a NaN in either is kept. Keeps the author's order, which sympy.Min does not."""

    nargs = 2


class bfloat16(_Named):
    """x rounded to the nearest bfloat16, ties to even."""

    nargs = 1


def rounded(x: Any, form: str | Structural | None) -> Any:
    """x rounded to "bfloat16", to nearest, ties to even, and further computed with in the precision of the step.

    Left as it is for None. form: also a structural parameter that says so. Raises RuleError for another format.
    """
    form = form.value if isinstance(form, Structural) else form
    if form not in ("bfloat16", None):
        hint = 'write "bfloat16", or None for no rounding'
        raise RuleError(f"rounded is given the format {shown(form)}", caller(), hint)
    return x if form is None else bfloat16(x)


def clip(x: Any, low: Any, high: Any) -> Any:
    """x limited to the interval [low, high]."""
    return Min(Max(x, low), high)


class total(_Named):
    """total(x, over): the sum of x over elems, rows, cols or model."""

    nargs = 2


class mean(_Named):
    """mean(x, over): the arithmetic mean. mean(x, cols) leaves one number per row."""

    nargs = 2


class norm(_Named):
    """norm(x, over): the Euclidean norm, the square root of the sum of squares."""

    nargs = 2


class rms(_Named):
    """rms(x, over): the square root of the mean of squares."""

    nargs = 2


class amax(_Named):
    """amax(x, over): the largest value."""

    nargs = 2


class matmul(_Named):
    """matmul(a, b): the matrix product over the last two axes."""

    nargs = 2


class transpose(_Named):
    """transpose(a): the last two axes exchanged."""

    nargs = 1


REDUCTIONS = (total, mean, norm, rms, amax)


def Piecewise(*pairs: tuple[Any, Any]) -> Any:
    """The value of the first pair whose condition holds: Piecewise((value, condition), ..., (value, True)).

    Conditions are relations such as `t <= 5`, `Eq(t, 1)` or `Ne(momentum, 0)`, `first`, and flags, joined by & | ~.
    Raises RuleError for a bare Python bool (what `t == 1` gives) and for a missing last pair.
    """
    loc = caller()
    made = []
    for position, pair in enumerate(pairs):
        if not isinstance(pair, tuple) or len(pair) != 2:
            raise RuleError(
                "Piecewise takes pairs of a value and a condition", loc, "write Piecewise((a, t <= 5), (b, True))"
            )
        value, condition = pair
        refuse_text(value, "a value of Piecewise", loc)
        last = position == len(pairs) - 1
        if isinstance(condition, Eq):
            condition = sympy.sympify(condition)
        if isinstance(condition, (bool, sympy.logic.boolalg.BooleanAtom)) and not (last and bool(condition)):
            hint = "Python decides `t == 1` at once; write Eq(t, 1), Ne(t, 1), t <= 1, first or a flag"
            if bool(condition):
                hint = "a pair with True stands last; " + hint
            raise RuleError(f"a condition of Piecewise is the bare Python value {bool(condition)}", loc, hint)
        if not isinstance(condition, (bool, sympy.logic.boolalg.Boolean)):
            found = _text(condition)
            hint = "write a relation such as t <= 5 or Ne(momentum, 0), first, or a flag"
            if isinstance(value, sympy.logic.boolalg.Boolean) or value is True:
                hint = f"a pair is (value, condition), in this order: write ({found}, {value})"
            raise RuleError(f"a condition of Piecewise is {found}, which is not a condition", loc, hint)
        if last and condition not in (True, sympy.true):
            raise RuleError("the last pair of Piecewise has a condition", loc, "add a pair (value, True) after it")
        _refuse_branch(condition, loc)
        made.append((value, condition))
    if not made:
        raise RuleError("Piecewise was given no pair", loc, "write Piecewise((a, t <= 5), (b, True))")
    return sympy.Piecewise(*made, evaluate=False)


def _refuse_branch(condition: Any, loc: Loc) -> None:
    """SymPy would fold a branch out of a condition: into other terms in another order, or for ever."""
    if isinstance(condition, sympy.Basic) and condition.has(sympy.Piecewise):
        hint = "give the inner one an equation of its own, and compare the quantity that it defines"
        raise RuleError("a condition of Piecewise holds a Piecewise itself", loc, hint)


def _text(condition: Any) -> str:
    return str(condition) if isinstance(condition, sympy.Basic) else shown(condition)
