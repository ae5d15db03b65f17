"""Random rules: valid ones of 2 to 6 equations, a good part of them with what compilers get wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
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
    cos,
    elems,
    exp,
    first,
    flag,
    given,
    hyper,
    literal,
    log,
    matmul,
    mean,
    model,
    norm,
    numel,
    rms,
    rows,
    sign,
    sin,
    sqrt,
    t,
    tanh,
    tensors,
    total,
    transpose,
)

Draw = Callable[[st.SearchStrategy[Any]], Any]
DEEPEST = 5

theta, g, h, k, *QUANTITIES = tensors("theta g h k m v u w")
m = QUANTITIES[0]
lr = hyper("lr", 0.05, at_least=0)
beta, gamma = hyper("betas", (0.9, 0.75), at_least=0, below=1, names="beta gamma")
decay = hyper("decay", 0, at_least=0)
bright = flag("bright", False)
heavy = flag("heavy", True)


@dataclass(frozen=True)
class Drawn:
    """A rule and what it is made of: "time", "host", "flag", "reduction", "state", "first", "elements", "input"."""

    rule: Rule
    features: frozenset[str]


@st.composite
def random_rules(draw: Draw, elementwise: bool = False) -> Drawn:
    """A rule with a Piecewise in t, a host recurrence and a flag, each in half of all cases; reductions in a third,
    inputs in a fourth."""
    with literal():
        wanted = {name for name in ("time", "host", "flag") if draw(st.booleans())}
        if not elementwise and draw(st.integers(0, 2)) == 2:
            wanted.add("reduction")
        if draw(st.integers(0, 3)) == 3:
            wanted.add(draw(st.sampled_from(("input", "needed input"))))
        return _Drawing(draw, wanted).rule(draw(st.integers(0 if "host" in wanted else 1, 4)))


@dataclass
class _Drawing:
    draw: Draw
    wanted: set[str]
    features: Counter[str] = field(default_factory=Counter)
    defined: list[Any] = field(default_factory=list)

    def one(self, *choices: Any) -> Any:
        return self.draw(st.sampled_from(choices))

    def rule(self, others: int) -> Drawn:
        equations, init = [], {}
        if "host" in self.wanted:
            equations.append(Eq(h[t], self.host_recurrence()))
            init[h] = self.one(0, 1, lr)
            self.features["host"] += 1
        for quantity in QUANTITIES[:others]:
            equations.append(Eq(quantity[t], self.quantity(quantity)))
            self.defined.append(quantity[t])
            start = self.one(0, 0, 0.5, gamma, theta, g)
            if self.reads_past(equations[-1]) and start != 0:
                init[quantity] = start
        equations.append(Eq(theta[t], theta[t - 1] - lr * self.featured(self.expression(self.depth()))))
        is_read = any(k in e.rhs.atoms(type(k)) for e in equations)  # a branch that is never taken is dropped
        rule = Rule(param=theta, grad=g, equations=equations, init=init, name="Drawn",
                    inputs={k: "besides"} if is_read else {})
        return Drawn(rule, frozenset(self.features if is_read else self.features.keys() - {"input"}))

    def reads_past(self, equation: Eq) -> bool:
        return (equation.lhs.base)[t - 1] in equation.rhs.atoms(type(equation.lhs))

    def depth(self) -> int:
        return int(self.draw(st.integers(1, DEEPEST - 1)))

    def quantity(self, quantity: Any) -> Any:
        if not self.draw(st.booleans()):
            return self.expression(self.depth())
        self.features["state"] += 1
        past = self.one(beta * quantity[t - 1], gamma * quantity[t - 1], tanh(quantity[t - 1]))
        return past + self.one(1, 1 - beta, -0.25) * self.expression(self.depth() - 1)

    def featured(self, expr: Any) -> Any:
        """The expression with every feature that is wanted and not there yet."""
        if "flag" in self.wanted and not self.features["flag"]:
            expr = self.by_flag(expr, self.leaf())
        if "time" in self.wanted and not self.features["time"]:
            expr = self.by_time(expr, self.leaf())
        if "host" in self.wanted:
            expr = self.one(h[t] * expr, expr + h[t], expr / (1 + Abs(h[t])))
        if {"input", "needed input"} & self.wanted and not self.features["input"]:
            expr = self.one(expr + self.input(), expr * (1 + self.input()))
        if "reduction" in self.wanted and not self.features["reduction"]:
            expr = expr / (1 + self.reduction(1))
        return expr

    # scalars on the host

    def host_recurrence(self) -> Any:
        return self.one(
            beta * h[t - 1] + (1 - beta) * self.scalar(),
            h[t - 1] * (1 - gamma / (t + 1)),
            Max(h[t - 1], self.scalar()),
            Piecewise((self.scalar(), first), (h[t - 1] / 2 + self.scalar(), True)),
            Piecewise((h[t - 1] + 1, t <= 3), (Min(h[t - 1], 2), True)),
        )

    def scalar(self) -> Any:
        return self.one(
            lr, beta, 2, 1 / t, gamma**t, 1 - beta**t, sqrt(t), 1 / (1 - beta**t), exp(-t / 4), Min(t / 5, 1),
            lr / sqrt(1 - gamma**t), cos(t), log(t + 1), Max(beta, gamma) ** (t + 1), 0.1 * decay, 1.5 / numel,
            Piecewise((sqrt(5 - t), t <= 4), (1, True)), Piecewise((beta, Ne(decay, 0)), (gamma, True)),
        )

    # values per element

    def leaf(self) -> Any:
        now, past = self.defined, [theta[t - 1], *(q.base[t - 1] for q in self.defined)]
        if {"input", "needed input"} & self.wanted and self.one(False, False, True):
            return self.input()
        kind = self.one("g", "now", "past", "scalar", "number")
        if kind == "past":
            self.features["state"] += 1
        return {
            "g": lambda: g[t],
            "now": lambda: self.one(g[t], *now),
            "past": lambda: self.one(g[t - 1], *past),
            "scalar": self.scalar,
            "number": lambda: self.one(1, 2, 0.5, 3, -1.25, 0.1),
        }[kind]()

    def input(self) -> Any:
        """What a step is given besides, or something else where it is not."""
        self.features["input"] += 1
        if "needed input" in self.wanted:
            return k[t]
        there = self.one(k[t], k[t] * g[t], k[t] - theta[t - 1])
        return Piecewise((there, given(k)), (self.one(g[t], 0.5, g[t] / 2), True))

    def expression(self, depth: int) -> Any:
        if depth <= 0:
            return self.leaf()
        makers: list[Callable[[int], Any]] = [self.sum, self.product, self.quotient, self.function, self.branch]
        if "reduction" in self.wanted:
            makers.append(self.reduced)
        return self.one(*makers)(depth - 1)

    def both(self, depth: int) -> tuple[Any, Any]:
        other = self.draw(st.integers(0, max(depth, 0)))
        pair: Sequence[Any] = (self.expression(depth), self.expression(other))
        return tuple(pair if self.draw(st.booleans()) else reversed(pair))  # type: ignore[return-value]

    def sum(self, depth: int) -> Any:
        a, b = self.both(depth)
        return self.one(a + b, a - b, a - (b + 1), a + lr + b + beta, -a + b, a - lr * b, (a + b) - a)

    def product(self, depth: int) -> Any:
        a, b = self.both(depth)
        s = self.scalar()
        return self.one(a * b, s * a, lr * a * gamma * b, a * (beta * b), a * s * 3, -(a * b), -a / 2, a**2,
                        (a + b) ** 2)

    def quotient(self, depth: int) -> Any:
        a, b = self.both(depth)
        return self.one(a / (1 + Abs(b)), a / beta / gamma, lr * a / (sqrt(b**2) + 0.01), a / (beta * 3) * b,
                        1 / (2 + b**2), a / (1 - beta**t), a / b)

    def function(self, depth: int) -> Any:
        a, b = self.both(depth)
        return self.one(Abs(a), Max(a, b), Min(a, 1), sqrt(Abs(a)), tanh(a), exp(-Abs(a)), sign(a), sin(a), cos(b),
                        log(1 + Abs(a)), a**3, (1 + Abs(a)) ** -2, (1 + a**2) ** 0.75, Max(Min(a, 2), -2))

    def branch(self, depth: int) -> Any:
        a, b = self.both(depth)
        return self.one(self.by_time, self.by_flag, self.by_first, self.by_element)(a, b)

    def by_time(self, a: Any, b: Any) -> Any:
        self.features["time"] += 1
        condition = self.one(t <= 3, t > 2, Ne(t, 4), (t >= 2) & (t < 6), sqrt(t) * beta < 1.5)
        return Piecewise((a, condition), (b, True))

    def by_flag(self, a: Any, b: Any) -> Any:
        self.features["flag"] += 1
        condition = self.one(bright, ~heavy, bright & (t <= 4), heavy | (decay > 0.1), Ne(decay, 0) & bright)
        return Piecewise((a, condition), (b, True))

    def by_first(self, a: Any, b: Any) -> Any:
        self.features["first"] += 1
        return Piecewise((a, first), (b, True))

    def by_element(self, a: Any, b: Any) -> Any:
        self.features["elements"] += 1
        # A condition holds no branch itself.
        plain = [x for x in (a, b) if not sympy.sympify(x).has(sympy.Piecewise)] or [g[t]]
        condition = self.one(plain[0] * g[t] > 0, Abs(plain[-1]) <= 1, (g[t] < 1) & (t > 1), (plain[0] > g[t]) | bright)
        return Piecewise((a, condition), (b, True))

    # values that look at other elements

    def reduced(self, depth: int) -> Any:
        return self.one(lambda d: self.reduction(d), lambda d: self.expression(d) / (0.1 + self.reduction(d)))(depth)

    def reduction(self, depth: int) -> Any:
        self.features["reduction"] += 1
        inner = g[t] * self.expression(depth - 1)
        return self.one(
            norm(inner, elems), rms(inner, elems), mean(inner, elems), total(inner, elems), amax(Abs(inner), elems),
            norm(g[t], model), total(total(inner, elems), model), amax(amax(inner, elems), model), mean(inner, cols),
            rms(inner, rows), amax(inner, rows), mean(inner, cols) * mean(inner, rows),
            matmul(matmul(g[t], transpose(g[t])), inner),
        )
