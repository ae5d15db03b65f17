"""Drawn rules: random valid rules for property tests, with reductions, branches, host recurrences and flags."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sympy
from hypothesis import strategies as st

from optgen.dsl import (
    Abs,
    Eq,
    Max,
    Min,
    Ne,
    Piecewise,
    Rule,
    amax,
    cols,
    elems,
    exp,
    first,
    flag,
    hyper,
    literal,
    mean,
    model,
    norm,
    rms,
    rows,
    sign,
    sqrt,
    t,
    tanh,
    tensors,
    total,
)

HOST, MODEL, TENSOR, ROW, COL, ELEMENT = range(6)  # the shapes a quantity may have, each broadcast to later ones
WITHIN = {HOST: (HOST,), MODEL: (HOST, MODEL), TENSOR: (HOST, MODEL, TENSOR), ROW: (HOST, MODEL, TENSOR, ROW),
          COL: (HOST, MODEL, TENSOR, COL), ELEMENT: (HOST, MODEL, TENSOR, ROW, COL, ELEMENT)}
OVER = {MODEL: (model,), TENSOR: (elems,), ROW: (cols,), COL: (rows,)}

theta, g, *quantities = tensors("theta g p q u v w")
lr, a, b = (hyper(name, 0.5, at_least=0) for name in ("lr", "alpha", "beta"))
bright = flag("bright", False)
bent = flag("bent", True)
LETTERS = (lr, a, b, t)


@st.composite
def rules(draw: Callable[..., Any], most: int = 5) -> Rule:
    """A rule of 1 to `most` quantities besides the parameter, depth up to 4."""
    with literal():
        kinds = {q: draw(st.sampled_from((HOST, ELEMENT, ELEMENT, TENSOR, ROW, COL, MODEL)))
                 for q in quantities[: draw(st.integers(1, most))]}
        made = _Drawing(draw, {theta: ELEMENT, g: ELEMENT, **kinds})
        equations = []
        for quantity, kind in kinds.items():
            equations.append(Eq(quantity[t], made.expression(kind, draw(st.integers(1, 4)))))
            made.defined.append(quantity)
        equations.append(Eq(theta[t], theta[t - 1] - lr * made.expression(ELEMENT, draw(st.integers(1, 4)))))
        return Rule(param=theta, grad=g, equations=equations, name="Drawn")


class _Drawing:
    def __init__(self, draw: Callable[..., Any], kinds: dict[Any, int]) -> None:
        self.draw = draw
        self.kinds = kinds
        self.defined = [g]

    def expression(self, kind: int, depth: int) -> Any:
        """A random expression whose shape is within a kind."""
        if depth == 0:
            return self.leaf(kind)
        reductions = [self.reduction] if kind in OVER and depth > 1 else []
        make = self.draw(st.sampled_from([self.leaf, self.sum, self.product, self.quotient, self.call, self.branch,
                                          *reductions, *reductions]))
        return make(kind) if make == self.leaf else make(kind, depth - 1)

    def leaf(self, kind: int) -> Any:
        now = [q[t] for q in self.defined if self.kinds[q] in WITHIN[kind]]
        past = [q[t - 1] for q, has in self.kinds.items() if has in WITHIN[kind] and q != g]
        numbers = [self.draw(st.sampled_from((0.25, 2, 3, 1.5)))]
        return self.draw(st.sampled_from([*now, *now, *past, *past, *LETTERS, *numbers]))

    def sum(self, kind: int, depth: int) -> Any:
        left, right = self.expression(kind, depth), self.expression(kind, depth)
        return self.draw(st.sampled_from((left + right, left - right, left + (right + left), 1 - right)))

    def product(self, kind: int, depth: int) -> Any:
        left, right = self.expression(kind, depth), self.expression(kind, depth)
        made = (left * right, -left * right, 2 * a * left * b * right, left * (a * right), left**2)
        return self.draw(st.sampled_from(made))

    def quotient(self, kind: int, depth: int) -> Any:
        left, right = self.expression(kind, depth), self.expression(kind, depth)
        made = (left / (1 + Abs(right)), left / b / a, left / (a * b), left / (2 + right**2))
        return self.draw(st.sampled_from(made))

    def call(self, kind: int, depth: int) -> Any:
        left, right = self.expression(kind, depth), self.expression(kind, depth)
        return self.draw(st.sampled_from((sqrt(Abs(left)), tanh(left), exp(-Abs(left)), Abs(left), sign(left),
                                          Max(left, right), Min(left, right), a**t * left, (Abs(left) + 1) ** -2)))

    def branch(self, kind: int, depth: int) -> Any:
        left, right = self.expression(kind, depth), self.expression(kind, depth)
        a_side, b_side = (self.leaf(kind) if sympy.sympify(side).has(sympy.Piecewise) else side
                          for side in (left, right))
        conditions = [t <= 3, Eq(t, 2), first, bright, bent & (t > 2), Ne(a, 0), ~bent | (a_side > b_side), a < b]
        condition = self.draw(st.sampled_from([*conditions, t * a > b if kind == HOST else a_side > b_side]))
        return Piecewise((left, condition), (right, True))

    def reduction(self, kind: int, depth: int) -> Any:
        """Of something that has every element, whatever the rest of it turns out to be."""
        inner = self.draw(st.sampled_from((theta[t - 1], g[t]))) * self.expression(ELEMENT, depth - 1)
        how = self.draw(st.sampled_from((total, norm, amax) if kind == MODEL else (total, mean, norm, rms, amax)))
        return how(inner, self.draw(st.sampled_from(OVER[kind])))
