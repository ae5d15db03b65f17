"""Drawn expressions: random trees that become SymPy's expressions as an author writes them, and that read themselves.

A tree is (operation, part, ...). `build` writes it with Python's operators, in the author's order and parentheses;
`value` computes it with those operators one after the other, whatever SymPy or a printer make of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import sympy
from hypothesis import assume
from hypothesis import strategies as st

from optgen.dsl import Max, Min, Ne, Piecewise
from optgen.ir import symbol

Tree = tuple[Any, ...]
TENSORS, SCALARS, FLAGS = ("x", "y", "z"), ("a", "b"), ("p", "q")
NUMBERS = (2, 3, -1, -2, 0.5, 1.25, -0.75, Fraction(1, 3), Fraction(-2, 3))
BINARY = ("add", "sub", "mul", "div", "max", "min")
EXACT = ("sqrt", "abs", "sign", "floor")
ROUNDED = ("exp", "log", "tanh", "cos", "sin")
RELATIONS = ("lt", "le", "gt", "ge", "eq", "ne")
POWERS = (2, 3, 4, 5, -1, -2, -3, Fraction(1, 2), Fraction(-1, 2))
OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "add": lambda a, b: a + b, "sub": lambda a, b: a - b, "mul": lambda a, b: a * b, "div": lambda a, b: a / b,
    "lt": lambda a, b: a < b, "le": lambda a, b: a <= b, "gt": lambda a, b: a > b, "ge": lambda a, b: a >= b,
}
WRITTEN: dict[str, Callable[..., Any]] = {
    **OPERATORS, "max": Max, "min": Min, "eq": sympy.Equality, "ne": Ne, "not": sympy.Not, "and": sympy.And,
    "or": sympy.Or, "neg": lambda a: -a, "sqrt": sympy.sqrt, "abs": sympy.Abs, "sign": sympy.sign,
    "floor": sympy.floor, "exp": sympy.exp, "log": sympy.log, "tanh": sympy.tanh, "cos": sympy.cos, "sin": sympy.sin,
    "power": lambda a, b: a**b,
}


@dataclass(frozen=True, slots=True)
class Library:
    """How a language computes: its functions, the choice of a branch, whole powers that it multiplies out."""

    functions: Mapping[str, Callable[..., Any]]
    where: Callable[[Any, Any, Any], Any]
    multiplied_out: int = 0


@st.composite
def trees(draw: Callable[..., Any], names: tuple[str, ...], functions: tuple[str, ...], depth: int = 4) -> Tree:
    """A tree in which every operation has one of these names below it; other scalars and numbers stand beside them."""
    drawing = _Drawing(draw, names, functions)
    tree = drawing.number(depth)
    return tree if drawing.holds(tree) else drawing.name()


class _Drawing:
    def __init__(self, draw: Callable[..., Any], names: tuple[str, ...], functions: tuple[str, ...]) -> None:
        self.draw = draw
        self.names = names
        self.functions = functions

    def name(self) -> Tree:
        return ("name", self.draw(st.sampled_from(self.names)))

    def number(self, depth: int) -> Tree:
        """A tree of at most this depth."""
        kinds = ("leaf", *BINARY, *BINARY[:4], *BINARY[:4], "neg", "call", "whole", "where")
        kind = self.draw(st.sampled_from(kinds)) if depth else "leaf"
        if kind == "leaf":
            leaves = [("name", n) for n in (*self.names, *self.names, *SCALARS)] + [("number", n) for n in NUMBERS]
            return self.draw(st.sampled_from(leaves))
        if kind == "where":
            return self.where(depth - 1)
        parts = [self.number(depth - 1) for _ in range(2 if kind in BINARY else 1)]
        if not any(self.holds(part) for part in parts):
            parts[self.draw(st.integers(0, len(parts) - 1))] = self.name()
        if kind == "call":
            return self.call(parts[0], depth - 1)
        return ("whole", *parts, self.draw(st.sampled_from(POWERS))) if kind == "whole" else (kind, *parts)

    def call(self, part: Tree, depth: int) -> Tree:
        function = self.draw(st.sampled_from(self.functions))
        return ("power", ("abs", part), self.number(depth)) if function == "power" else (function, part)

    def where(self, depth: int) -> Tree:
        pairs = [(self.number(depth), self.condition(min(depth, 2))) for _ in range(self.draw(st.integers(1, 2)))]
        last = self.number(depth)
        if not any(self.holds(part) for value, condition in pairs for part in (value, condition)):
            last = last if self.holds(last) else self.name()
        return ("where", *pairs, last)

    def condition(self, depth: int) -> Tree:
        kind = self.draw(st.sampled_from((*RELATIONS, "flag", "and", "or", "not"))) if depth else "lt"
        if kind == "flag":
            return ("flag", self.draw(st.sampled_from(FLAGS)))
        if kind in ("and", "or", "not"):
            parts = [self.condition(depth - 1) for _ in range(1 if kind == "not" else 2)]
            if not any(self.holds(part) for part in parts):
                parts[-1] = ("lt", self.name(), ("name", "a"))
            return (kind, *parts)
        left, right = (self.number(max(depth - 1, 0)) for _ in range(2))
        sides = [self.name() if "where" in operations(side) else side for side in (left, right)]
        if not any(self.holds(side) for side in sides):
            sides[0] = self.name()
        return (kind, *sides)

    def holds(self, tree: Tree) -> bool:
        return any(name in self.names for name in names_of(tree))


def operations(tree: Any) -> Iterator[str]:
    """The operations of a tree."""
    if isinstance(tree, tuple):
        yield from [tree[0]] if isinstance(tree[0], str) else operations(tree[0])
        for part in tree[1:]:
            yield from operations(part)


def names_of(tree: Any) -> Iterator[str]:
    """The names in a tree, in the order of writing."""
    if isinstance(tree, tuple):
        if tree[0] in ("name", "flag"):
            yield tree[1]
        else:
            for part in tree:
                yield from names_of(part)


def build(tree: Tree) -> Any:
    """The tree as a SymPy expression; to be called where SymPy evaluates nothing."""
    kind, *parts = tree
    if kind in ("name", "flag"):
        return symbol(parts[0], boolean=kind == "flag")
    if kind == "number":
        return _constant(parts[0])
    if kind == "whole":
        return build(parts[0]) ** _constant(parts[1])
    if kind == "where":
        *pairs, last = parts
        made = [(build(value), build(condition)) for value, condition in pairs]
        assume(not any(isinstance(condition, sympy.logic.boolalg.BooleanAtom) for _, condition in made))
        return Piecewise(*made, (build(last), True))
    return WRITTEN[kind](*(build(part) for part in parts))


def _constant(number: Any) -> Any:
    return sympy.Rational(*number.as_integer_ratio()) if isinstance(number, Fraction) else sympy.sympify(number)


def value(tree: Tree, library: Library, values: Mapping[str, Any]) -> Any:
    """The tree computed as it is written, with Python's operators and the library's functions."""
    kind, *parts = tree
    if kind in ("name", "flag"):
        return values[parts[0]]
    if kind == "number":
        return float(parts[0]) if isinstance(parts[0], Fraction) else parts[0]
    if kind == "whole":
        return _power(value(parts[0], library, values), parts[1], library)
    if kind == "power" and parts[1][0] == "number" and isinstance(parts[1][1], int):
        return _power(value(parts[0], library, values), parts[1][1], library)
    if kind == "where":
        *pairs, last = parts
        chosen = value(last, library, values)
        for part, condition in reversed(pairs):
            chosen = library.where(value(condition, library, values), value(part, library, values), chosen)
        return chosen
    if kind == "mul" and parts[1][0] == "whole" and parts[1][2] == -1:
        return value(("div", parts[0], parts[1][1]), library, values)  # SymPy holds x * y**-1 and x / y to be one
    done = [value(part, library, values) for part in parts]
    if kind == "neg":
        return -done[0]
    return {**OPERATORS, **library.functions}[kind](*done)


def _power(base: Any, exponent: Any, library: Library) -> Any:
    if isinstance(exponent, Fraction):
        root = library.functions["sqrt"](base)
        return root if exponent > 0 else 1 / root
    if exponent < 0:
        return 1 / _power(base, -exponent, library)
    if 1 < exponent <= library.multiplied_out:
        product = base
        for _ in range(exponent - 1):
            product = product * base
        return product
    return base if exponent == 1 else base**exponent
