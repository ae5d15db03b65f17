"""Ranges: the sign of every state, from the equations: an interval for each value, by arithmetic of intervals.

Assumes hoisted steps. A state is never negative if it starts so, and if what a step makes of it is not negative
wherever its past, and that of the other states, is not.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import sympy
from sympy import S

from optgen.dsl.rule import Rule
from optgen.dsl.symbols import Declaration, Kind
from optgen.ir import Map, MatMul, Op, Place, Reduce, Role, Statement, Step, Var, is_condition, symbol

Interval = tuple[float, float]
Intervals = dict[str, Interval]
EVERYTHING: Interval = (-math.inf, math.inf)
POSITIVE: Interval = (0.0, math.inf)
BOOLEAN: Interval = (0.0, 1.0)


def nonnegative(rule: Rule, steps: Iterable[Step], at_defaults: bool = False) -> set[str]:
    """The names of the device states that no variant ever makes negative, or none that has the defaults."""
    hypers = _hypers(rule, at_defaults)
    found = {v.name for step in steps for v in _states(step) if _starts_so(v, hypers)}
    while True:
        failing = {name for step in steps for name in _failing(step, hypers, found)}
        if not failing:
            return found
        found -= failing


def fragile_roots(rule: Rule, step: Step) -> Iterator[tuple[Any, set[str]]]:
    """Roots and logarithms of what is known not to be negative only because of how several states are related.

    Yields each argument with the past states that it is computed of. Once these are rounded apart, it may be negative:
    a mean of squares less the square of the mean. Hyperparameters have their defaults.
    """
    known, made = _followed(step, _hypers(rule, at_defaults=True), nonnegative(rule, (step,), at_defaults=True))
    reader, states = _Reader(known), {v.name for v in _states(step)}
    for statement in step.body:
        for argument in _rooted(statement):
            read = _sources(argument, made) & states
            if len(read) > 1 and reader.at(argument)[0] < 0:
                yield argument, read


def _rooted(statement: Statement) -> Iterator[Any]:
    """What stands under a root, a logarithm or a power that is no whole number."""
    expr = statement.expr if isinstance(statement, Map) else statement.arg if isinstance(statement, Reduce) else S.One
    yield from (power.base for power in expr.atoms(sympy.Pow) if not power.exp.is_Integer)
    yield from (logarithm.args[0] for logarithm in expr.atoms(sympy.log))


def _sources(expr: Any, made: Mapping[str, Any]) -> set[str]:
    """The names that an expression is computed of, in the end."""
    found: set[str] = set()
    waiting = [s.name for s in expr.free_symbols]
    while waiting:
        name = waiting.pop()
        if name in made:
            waiting += [s.name for s in made[name].free_symbols]
        found.add(name)
    return found


def _states(step: Step) -> Iterator[Var]:
    return (v for v in step.of_role(Role.STATE) if v.place is Place.DEVICE)


def _starts_so(state: Var, hypers: Intervals) -> bool:
    return not state.tensor_init and _Reader(hypers).at(state.init)[0] >= 0


def _failing(step: Step, hypers: Intervals, assumed: set[str]) -> Iterator[str]:
    """The states among those assumed that this variant may make negative."""
    known, _ = _followed(step, hypers, assumed)
    yield from (w.into for w in step.writes if w.into in assumed and known.get(w.value, EVERYTHING)[0] < 0)


def _followed(step: Step, hypers: Intervals, positive: set[str]) -> tuple[Intervals, dict[str, Any]]:
    """The intervals of all names, and what each is computed of, if these states are not negative."""
    known = hypers | {v.name: POSITIVE for v in step.vars if v.name in positive or v.role is Role.EXTENT}
    known |= {"t": (1.0, math.inf), "first": BOOLEAN}
    reader, made = _Reader(known), dict[str, Any]()
    for statement in (*step.host, *step.body):
        match statement:
            case Map(target=target, expr=expr):
                known[target], made[target] = reader.at(expr), expr
            case Reduce(target=target, op=op, arg=arg):
                low, high = reader.at(arg)
                known[target] = (low, high) if op is not Op.SUM else (0.0 if low >= 0 else -math.inf, math.inf)
                made[target] = arg
            case MatMul(target=target, a=a, b=b):
                known[target], made[target] = EVERYTHING, symbol(a) * symbol(b)
    return known, made


def _hypers(rule: Rule, at_defaults: bool = False) -> Intervals:
    found = {name: _bounds(d) for d in rule.declarations for name in d.names}
    if at_defaults:
        values = {name: v for d in rule.declarations for name, v in zip(d.names, _defaults(d), strict=True)}
        found |= {name: (float(v), float(v)) for name, v in values.items() if type(v) in (int, float)}
    return found


def _defaults(d: Declaration) -> tuple[Any, ...]:
    return d.default if d.is_tuple else (d.default,)


def _bounds(d: Declaration) -> Interval:
    if d.kind is Kind.FLAG:
        return BOOLEAN
    low = [float(x) for x in (d.bounds.at_least, d.bounds.above) if x is not None]
    high = [float(x) for x in (d.bounds.at_most, d.bounds.below) if x is not None]
    return max(low, default=-math.inf), min(high, default=math.inf)


class _Reader:
    """The interval in which an expression lies, from those of the names in it."""

    def __init__(self, known: Mapping[str, Interval]) -> None:
        self.known = known

    def at(self, expr: Any) -> Interval:
        """A NaN lies in every interval."""
        if is_condition(expr) or expr in (sympy.true, sympy.false):
            return BOOLEAN
        match expr:
            case sympy.Symbol():
                return self.known.get(expr.name, EVERYTHING)
            case sympy.Number() | sympy.NumberSymbol():
                return float(expr), float(expr)
            case sympy.Add():
                return self._sum(expr)
            case sympy.Mul():
                return self._product(expr)
            case sympy.Pow():
                return self._power(self.at(expr.base), expr.exp)
            case sympy.Piecewise():
                return _hull(self.at(value) for value, _ in expr.args)
            case _:
                return self._call(expr.func.__name__, [self.at(arg) for arg in expr.args])

    def _sum(self, expr: Any) -> Interval:
        lows, highs = zip(*map(self.at, expr.args), strict=True)
        return _number(sum(lows), -math.inf), _number(sum(highs), math.inf)

    def _product(self, expr: Any) -> Interval:
        found = (1.0, 1.0)
        for arg in expr.args:
            found = _times(found, self.at(arg))
        return found

    def _power(self, base: Interval, exponent: Any) -> Interval:
        low, high = base
        if exponent.is_Integer and exponent > 0:
            ends = [abs(x) ** int(exponent) if int(exponent) % 2 == 0 else x ** int(exponent) for x in base]
            return (0.0 if low < 0 < high and int(exponent) % 2 == 0 else min(ends), max(ends))
        if low < 0:
            return POSITIVE if exponent.is_Integer and int(exponent) % 2 == 0 else EVERYTHING
        least = self.at(exponent)[0]
        if high <= 1 and least >= 0:
            return 0.0, 1.0
        if low == high == 1 or (low >= 1 and least >= 0):
            return 1.0, math.inf
        return POSITIVE

    def _call(self, name: str, args: list[Interval]) -> Interval:
        match name:
            case "Abs":
                (low, high), = args
                return max(low, -high, 0.0), max(-low, high)
            case "exp":
                return POSITIVE
            case "Max":
                return max(x[0] for x in args), max(x[1] for x in args)
            case "Min":
                return min(x[0] for x in args), min(x[1] for x in args)
            case "sign" | "tanh":
                (low, high), = args
                return -1.0 if low < 0 else 0.0, 1.0 if high > 0 else 0.0
            case "floor":
                (low, high), = args
                return (math.floor(low) if math.isfinite(low) else low), high
            case _:
                return EVERYTHING


def _times(a: Interval, b: Interval) -> Interval:
    ends = [0.0 if 0.0 in (x, y) else x * y for x in a for y in b]
    return min(ends), max(ends)


def _hull(intervals: Iterable[Interval]) -> Interval:
    lows, highs = zip(*intervals, strict=True)
    return min(lows), max(highs)


def _number(x: float, otherwise: float) -> float:
    return otherwise if math.isnan(x) else x
