"""Validate: everything a user may have written wrong that shows before a variant is chosen.

Collects all problems of a rule and raises once. Establishes what the other passes assume: every quantity is defined
once and read after that, every index is t, t - 1 or a whole number, every symbol is declared, no two names collide.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import sympy
from sympy import Indexed, IndexedBase, Symbol

from optgen.dsl.functions import REDUCTIONS, Max, Min, matmul, transpose
from optgen.dsl.rule import Eq, Rule
from optgen.dsl.symbols import AXES, BUILT_IN, EXTENTS, Hyper, Kind, t
from optgen.errors import Problem, RuleError

KNOWN = (
    sympy.Add,
    sympy.Mul,
    sympy.Pow,
    sympy.Piecewise,
    sympy.exp,
    sympy.log,
    sympy.Abs,
    sympy.sign,
    sympy.cos,
    sympy.sin,
    sympy.tanh,
    sympy.floor,
    sympy.Max,
    sympy.Min,
    Max,
    Min,
    matmul,
    transpose,
    *REDUCTIONS,
    sympy.core.relational.Relational,
    sympy.And,
    sympy.Or,
    sympy.Not,
    sympy.functions.elementary.piecewise.ExprCondPair,
)
DEEPEST = 60
NO_AXIS = "the last argument of a reduction is elems, rows, cols or model"


def validate(rule: Rule) -> None:
    """Raises RuleError with every problem of the rule, in the order of the source."""
    problems = [*_collisions(rule), *_Reader(rule).problems(), *_defaults(rule)]
    if problems:
        raise RuleError.several(problems)


def index_of(quantity: Indexed) -> int | str | None:
    """0 for x[t], -1 for x[t - 1], "k" for a whole number k; None for any other index."""
    index = quantity.indices[0]
    if index.is_Integer and index >= 0:
        return str(index)
    with sympy.evaluate(True):
        offset = sympy.expand(index.doit() - t) if index.free_symbols == {t} else None
    return int(offset) if offset in (0, -1) else None


def label(quantity: Any) -> str:
    """The name of a quantity, x for x[t] and for x itself."""
    return str(quantity.base.label if isinstance(quantity, Indexed) else quantity.label)


@dataclass(slots=True)
class _Reader:
    """Walks the equations in order and remembers what has been defined."""

    rule: Rule
    defined: set[tuple[str, int | str | None]] = field(default_factory=set)

    def problems(self) -> Iterator[Problem]:
        rule = self.rule
        ever = {(label(eq.lhs), index_of(eq.lhs)) for eq in rule.equations} | {(label(rule.grad), 0)}
        self.defined.add((label(rule.grad), 0))
        for equation in rule.equations:
            for node in _within(equation.rhs):
                if isinstance(node, Indexed):
                    yield from self._read(node, equation, ever)
                else:
                    yield from _node(node, equation)
            yield from self._define(equation)
        if (label(rule.param), 0) not in ever:
            yield Problem(
                f"the parameter {label(rule.param)} is never updated", rule.loc, f"add Eq({label(rule.param)}[t], ...)"
            )

    def _read(self, node: Any, equation: Eq, ever: set[tuple[str, int | str | None]]) -> Iterator[Problem]:
        name, index = label(node), index_of(node)
        if len(node.indices) != 1 or index is None:
            yield Problem(
                f"{node} has an index other than t or t - 1",
                equation.loc,
                f"store it: a quantity x with Eq(x[t], {name}[t - 1]) gives x[t - 1], two steps back",
            )
        elif index == -1:
            if (name, 0) not in ever:
                yield Problem(
                    f"the past of {name} is read, but no equation computes {name}[t]",
                    equation.loc,
                    f"add Eq({name}[t], ...)",
                )
        elif (name, index) not in ever:
            yield Problem(
                f"{node} is undefined: no equation computes it",
                equation.loc,
                f"add Eq({node}, ...) before this equation, or correct the name",
            )
        elif (name, index) not in self.defined:
            yield Problem(
                f"{node} is read before it is defined",
                equation.loc,
                f"move Eq({node}, ...) above this equation, or read {name}[t - 1]",
            )

    def _define(self, equation: Eq) -> Iterator[Problem]:
        name, index = label(equation.lhs), index_of(equation.lhs)
        if index is None or index == -1:
            yield Problem(
                f"the left side {equation.lhs} has an index other than t", equation.loc, f"write Eq({name}[t], ...)"
            )
        elif (name, index) == (label(self.rule.grad), 0):
            yield Problem(
                f"the gradient {name}[t] is given, but the equation defines it",
                equation.loc,
                "name the changed gradient, for example g_wd",
            )
        elif (name, index) in self.defined:
            yield Problem(f"{equation.lhs} is defined twice", equation.loc, "give the second one a name of its own")
        self.defined.add((name, index))


def _within(expr: Any, depth: int = 0) -> Iterator[Any]:
    """Every node of an expression in reading order; an indexed quantity is one node."""
    yield expr if depth <= DEEPEST else None
    if depth <= DEEPEST and not isinstance(expr, (Indexed, IndexedBase)):
        args = expr.args[:1] if isinstance(expr, REDUCTIONS) and expr.args[1] in AXES else expr.args
        for arg in args:
            yield from _within(arg, depth + 1)


def _node(node: Any, equation: Eq) -> Iterator[Problem]:
    if node is None:
        yield Problem(
            f"the expression is nested more than {DEEPEST} deep",
            equation.loc,
            "name its parts in equations of their own",
        )
    elif isinstance(node, IndexedBase):
        yield Problem(f"{node} stands without an index", equation.loc, f"write {node}[t] or {node}[t - 1]")
    elif isinstance(node, REDUCTIONS) and node.args[1] not in AXES:
        yield Problem(f"{node.func.__name__} is taken over {node.args[1]}", equation.loc, NO_AXIS)
    elif (
        isinstance(node, Symbol)
        and not isinstance(node, Hyper)
        and (node not in BUILT_IN or node in set(AXES) - set(EXTENTS))
    ):
        yield Problem(
            f"the symbol {node} is undefined",
            equation.loc,
            f'declare it with hyper("{node}", default) or tensors("{node}")',
        )
    elif node.is_Number and not node.is_finite:
        yield Problem(f"{node} is not a finite number", equation.loc, "use a finite constant")
    elif node.is_Pow and node.exp.is_Integer and abs(node.exp) > 64:
        yield Problem(f"the power {node} is too large to multiply out", equation.loc, "use exp(n * log(x))")
    elif node.args and not isinstance(node, KNOWN):
        yield Problem(
            f"the function {node.func.__name__} is unknown",
            equation.loc,
            "use + - * / **, sqrt exp log Abs sign Max Min clip floor cos sin tanh, Piecewise, a reduction, matmul",
        )


def _collisions(rule: Rule) -> Iterator[Problem]:
    """Names that would be one name in the generated code."""
    quantities = {label(b) for e in rule.expressions() for b in e.atoms(IndexedBase)}
    for declaration in rule.declarations:
        for name in declaration.names:
            if name in quantities:
                yield Problem(
                    f"the name {name} stands for a hyperparameter and for a quantity",
                    declaration.loc,
                    "rename one of them",
                )
    seen: dict[str, Any] = {}
    for declaration in rule.declarations:
        for name in dict.fromkeys((declaration.name, *declaration.names)):
            if name in seen:
                yield Problem(
                    f"the name {name} is declared twice", declaration.loc, "rename one of the two hyperparameters"
                )
            seen[name] = declaration
    for name in sorted(quantities | set(seen)):
        stem = name.removesuffix("_prev")
        if stem != name and stem in quantities:
            yield Problem(
                f"the name {name} collides with the past of {stem}, which generated code calls {name}",
                rule.loc,
                "choose another name",
            )


def _defaults(rule: Rule) -> Iterator[Problem]:
    """Defaults that the rule's own requirements refuse."""
    values = {symbol: _value(symbol.declaration, symbol.name) for e in rule.expressions() for symbol in e.atoms(Hyper)}
    if any(value is None for value in values.values()):
        return
    with sympy.evaluate(True):
        for condition, message in rule.requires:
            if condition.subs(values) == sympy.false:
                yield Problem(
                    f"the defaults break a requirement: {message}", rule.loc, "change a default or the requirement"
                )


def _value(declaration: Any, name: str) -> Any:
    value = declaration.default[declaration.names.index(name)] if declaration.is_tuple else declaration.default
    return sympy.sympify(value) if declaration.kind is Kind.FLAG or value is not None else None
