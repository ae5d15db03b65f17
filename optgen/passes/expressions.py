"""Expressions: what may stand in an equation, an initial value, a requirement or a schedule, and where."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import sympy
from sympy import Add, Indexed, IndexedBase, Mul, Pow, Symbol
from sympy.core.relational import Relational
from sympy.logic.boolalg import And, Boolean, BooleanAtom, Not, Or

from optgen.dsl.functions import REDUCTIONS, Max, Min, bfloat16, matmul, mean, transpose
from optgen.dsl.inputs import Given
from optgen.dsl.symbols import AXES, BUILT_IN, Hyper, Kind, first, model
from optgen.errors import Loc, Problem

# The exact classes: a subclass would print under a name of its own.
MATH: Mapping[Any, Callable[[float], float]] = {
    sympy.exp: math.exp,
    sympy.log: math.log,
    sympy.Abs: abs,
    sympy.cos: math.cos,
    sympy.sin: math.sin,
    sympy.tanh: math.tanh,
    sympy.floor: math.floor,
}
FUNCTIONS = frozenset([*MATH, sympy.sign, Max, Min, bfloat16, sympy.Max, sympy.Min])
HIGHEST = 64
IN_PIECEWISE = "write Piecewise((1, {}), (0, True))"
INSTEAD = {
    "Mod": "write x - n * floor(x / n) for x % n",
    "ImmutableDenseMatrix": "a tensor is declared by tensors(...), and a product of two is matmul(a, b)",
}
USE = "use + - * / **, sqrt exp log Abs sign Max Min clip floor cos sin tanh, Piecewise, a reduction, matmul"


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads one expression. symbols: which built-in ones may stand there. declared: names for a better hint.

    quantity: problems of a quantity at an index. over: whether it may look at other elements.
    """

    loc: Loc | None
    symbols: Collection[Any]
    declared: Collection[str]
    quantity: Callable[[Any], Iterator[Problem]]
    over: bool = False

    def number(self, node: Any) -> Iterator[Problem]:
        """The problems of what must be a number, in reading order."""
        if isinstance(node, Indexed):
            yield from self.quantity(node)
        elif isinstance(node, IndexedBase):
            yield self._problem(f"{node} stands without an index", f"write {node}[t] or {node}[t - 1]")
        elif isinstance(node, Symbol):
            yield from self._symbol(node)
        elif isinstance(node, Boolean):
            yield self._problem(f"{node} is a condition where a number must stand", IN_PIECEWISE.format(node))
        elif not node.args:
            yield from self._constant(node)
        elif not node.free_symbols and not node.has(sympy.Piecewise) and not math.isfinite(value := _value(node)):
            found = "infinite" if value > 0 else "no real number"
            yield self._problem(f"{node} is {found}", "use a constant that is real and finite")
        else:
            yield from self._operation(node)

    def condition(self, node: Any) -> Iterator[Problem]:
        """The problems of what must be a condition, in reading order."""
        if isinstance(node, BooleanAtom):
            hint = "Python decides `t == 1` at once; write Eq(t, 1), Ne(t, 1), t <= 1, first or a flag"
            yield self._problem(f"a condition holds the bare Python value {node}", hint)
        elif isinstance(node, Symbol):
            yield from self._known(node)
            if not _is_truth(node):
                yield self._problem(f"{node} is a number, not a condition", f"write Ne({node}, 0), or {node} > 0")
        elif isinstance(node, Relational):
            for side in node.args:
                yield from self.number(side)
        elif type(node) in (And, Or, Not):
            for part in node.args:
                yield from self.condition(part)
        else:
            yield self._problem(f"{node} is not a condition", "use relations, first and flags, joined by & | ~")

    def _operation(self, node: Any) -> Iterator[Problem]:
        kind = type(node)
        if kind is sympy.Piecewise:
            for value, condition in node.args:
                yield from self.number(value)
                yield from self.condition(condition) if condition != sympy.true else ()
        elif kind in REDUCTIONS or kind in (matmul, transpose):
            yield from self._over(node)
        elif kind in (Add, Mul, Pow) or kind in FUNCTIONS:
            for part in node.args:
                yield from self.number(part)
            if kind is Pow and not node.exp.free_symbols and abs(_value(node.exp)) > HIGHEST:
                hint = "write exp(n * log(x)) if x is positive, or a power of a power"
                yield self._problem(f"the power {node} is higher than {HIGHEST}", hint)
        else:
            yield self._problem(f"the function {kind.__name__} is unknown", INSTEAD.get(kind.__name__, USE))

    def _over(self, node: Any) -> Iterator[Problem]:
        """What looks at other elements."""
        name = type(node).__name__
        parts = node.args[:1] if isinstance(node, REDUCTIONS) else node.args
        if not self.over:
            yield self._problem(f"{name} cannot stand here", "only an equation may look at tensors")
        elif isinstance(node, transpose):
            yield self._problem("transpose stands outside a matmul", "write it there: matmul(x, transpose(x))")
        elif isinstance(node, REDUCTIONS) and node.args[1] not in AXES:
            axes = ", ".join(map(str, AXES))
            yield self._problem(f"{name} is taken over {node.args[1]}", f"its last argument is one of {axes}")
        elif isinstance(node, mean) and node.args[1] == model:
            hint = "divide total(x, model) by a count of your own"
            yield self._problem("a mean over model has no fixed number of terms", hint)
        for part in parts:
            inner = part.args[0] if isinstance(node, matmul) and isinstance(part, transpose) else part
            yield from self.number(inner)

    def _symbol(self, node: Any) -> Iterator[Problem]:
        yield from self._known(node)
        if _is_truth(node):
            yield self._problem(f"{node} is a condition, not a number", IN_PIECEWISE.format(node))

    def _known(self, node: Any) -> Iterator[Problem]:
        """What is wrong with a symbol, whatever it stands for."""
        name = node.name
        if node in self.symbols or (isinstance(node, Hyper) and name in node.declaration.names):
            return
        if isinstance(node, Given):
            name = node.quantity.label
            hint = f'write Rule(..., inputs={{{name}: "{name}"}})'
            yield self._problem(f"given is asked of {name}, which is no input", hint)
            return
        near = difflib.get_close_matches(name, self.declared, 1, 0.75)
        if node in AXES:
            yield self._problem(f"{name} is an axis, not a number", f"write it last in a reduction: total(x, {name})")
        elif node in BUILT_IN:
            names = ", ".join(str(symbol) for symbol in self.symbols)
            hint = f"write it with hyperparameters{' and ' + names if names else ''} only"
            yield self._problem(f"{name} cannot stand here", hint)
        elif name in {s.name for s in BUILT_IN}:
            yield self._problem(f"this {name} is a symbol of its own", f"from optgen import {name}")
        elif name in self.declared:
            yield self._problem(f"the symbol {name} is not the one declared", f"use {name}[t], or what hyper returned")
        else:
            hint = f"did you mean {near[0]}? Else declare" if near else "declare"
            yield self._problem(f"the symbol {name} is undefined", f"{hint} it by hyper or tensors")

    def _constant(self, node: Any) -> Iterator[Problem]:
        if not isinstance(node, (sympy.Number, sympy.NumberSymbol)):
            yield self._problem(f"{node} is not a real number", "use real numbers")
        elif not node.is_finite:
            shown = {sympy.oo: "inf", -sympy.oo: "-inf", sympy.zoo: "1/0"}.get(node, node)
            yield self._problem(f"{shown} is not a finite number", "use a finite constant")

    def _problem(self, message: str, hint: str) -> Problem:
        return Problem(message, self.loc, hint)


def _is_truth(symbol: Symbol) -> bool:
    """Whether a symbol stands for a condition."""
    is_flag = isinstance(symbol, Hyper) and symbol.declaration.kind is Kind.FLAG
    return symbol == first or is_flag or isinstance(symbol, Given)


def _value(node: Any) -> float:
    """The value of an expression without symbols; infinite or NaN if Python has none, 0 for an unknown function."""
    try:
        if not node.args:
            return float(node)
        values = [_value(arg) for arg in node.args]
        if isinstance(node, Pow):
            return math.pow(*values)
        if isinstance(node, (Add, Mul)):
            return math.fsum(values) if isinstance(node, Add) else math.prod(values)
        return MATH[type(node)](*values) if type(node) in MATH else 0.0
    except OverflowError:
        return math.inf
    except (ValueError, ZeroDivisionError, TypeError):
        return math.nan
