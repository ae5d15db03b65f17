"""Print: one expression to text, in the author's order, for any of the languages below.

Operators are evaluated left to right, as the arguments of a sum or product stand in the IR; what is nested there is in
parentheses here. An expression with a function that the language lacks raises RuleError.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import sympy
from sympy import Rational, S

from optgen.dsl.symbols import first
from optgen.errors import RuleError
from optgen.ir import TENSOR
from optgen.languages import HOST, SCALAR, TOLD, Language

SUM, PRODUCT, UNARY, POWER, ATOM = range(1, 6)
TERNARY, OR, AND, NOT, COMPARE = -4, -3, -2, -1, 0


def to_text(
    expr: Any,
    language: Language,
    host: frozenset[str] = frozenset(),
    names: Mapping[str, str] | None = None,
    axes: Mapping[str, Collection[Any]] | None = None,
    scalars: frozenset[str] = frozenset(),
) -> str:
    """The expression in a language.

    host: names of scalars, whose branches are Python's own. names: spellings of symbols. axes: of tensors,
    so that a scalar that stands for one gets its shape. scalars: what is written as a scalar although it is a tensor of
    one number here, since it is on the host elsewhere.
    Raises RuleError for a function that the language lacks.
    """
    return _Printer(language, host, names or {}, axes or {}, host | scalars).at(expr, TERNARY)


@dataclass(frozen=True, slots=True)
class _Printer:
    language: Language
    host: frozenset[str]
    names: Mapping[str, str]
    axes: Mapping[str, Collection[Any]]
    scalars: frozenset[str] = frozenset()

    def at(self, expr: Any, least: int) -> str:
        """The text, in parentheses if it binds less tightly than `least`."""
        text, binds = self.text(sympy.sympify(expr))
        return f"({text})" if binds < least else text

    def argument(self, expr: Any, least: int = TERNARY) -> str:
        """The text of what is an argument of a function or a branch."""
        expr = sympy.sympify(expr)
        is_number = isinstance(expr, (sympy.Number, sympy.NumberSymbol))
        if not is_number:
            return self.at(expr, least)
        text, typed = self.number(expr)[0], self.language.alone.partition("{")[0]
        return text if text.startswith(typed) else self.language.alone.format(text)

    def text(self, expr: Any) -> tuple[str, int]:
        match expr:
            case sympy.Symbol():
                return self.names.get(expr.name, expr.name), ATOM
            case sympy.Indexed():
                return f"{expr.base.label}[{self.at(expr.indices[0], TERNARY)}]", ATOM
            case sympy.IndexedBase():
                return str(expr.label), ATOM
            case sympy.Number() | sympy.NumberSymbol():
                return self.number(expr)
            case sympy.Add() if self.language.one_minus_power and (power := taken_from_one(expr)):
                base, exponent = map(self.argument, power.args)
                return self.language.one_minus_power.format(base, exponent), ATOM
            case sympy.Add():
                return self.sum(expr), SUM
            case sympy.Mul():
                return self.product(expr)
            case sympy.Pow():
                return self.power(expr)
            case sympy.Piecewise():
                return self.branches(expr)
            case sympy.core.relational.Relational():
                sign = {"Equality": "=="}.get(expr.func.__name__, expr.rel_op)
                return f"{self.at(expr.args[0], SUM)} {sign} {self.at(expr.args[1], SUM)}", COMPARE
            case sympy.And() | sympy.Or() | sympy.Not() | sympy.logic.boolalg.BooleanAtom():
                return self.boolean(expr)
            case _:
                return self.call(expr.func.__name__, expr.args), ATOM

    def number(self, expr: Any) -> tuple[str, int]:
        if expr == S.Pi:
            return self.language.pi, ATOM
        if isinstance(expr, Rational) and not expr.is_Integer:
            return self.language.ratio.format(expr.p, expr.q), PRODUCT
        text = self.language.integer.format(int(expr)) if expr.is_Integer else self.language.decimal.format(float(expr))
        return text, UNARY if text.startswith("-") else ATOM

    def sum(self, expr: Any) -> str:
        head, *rest = expr.args
        text = self.at(head, SUM)
        for term in rest:
            part, minus = self.term(term)
            text += f" {'-' if minus else '+'} {part}"
        return text

    def term(self, term: Any) -> tuple[str, bool]:
        """A term after the first, without its sign, and whether that is a minus."""
        if isinstance(term, sympy.Mul) and term.args[0].is_Number and term.args[0] < 0:
            first, *rest = term.args
            args = [-first, *rest] if first != S.NegativeOne else rest
            return (self.at(args[0], PRODUCT), True) if len(args) == 1 else (self.factors(args), True)
        if term.is_Number and term < 0:
            return self.at(-term, PRODUCT), True
        return self.at(term, PRODUCT), False

    def product(self, expr: Any) -> tuple[str, int]:
        first, *rest = expr.args
        if first == S.NegativeOne and rest:
            text = self.at(rest[0], UNARY) if len(rest) == 1 else self.factors(rest)
            text = f"({text})" if text.startswith("-") else text  # two signs are an operator of C
            return f"-{text}", UNARY if len(rest) == 1 else PRODUCT
        is_call = self.language.divide and _is_reciprocal(expr.args[-1])
        return self.factors(list(expr.args)), ATOM if is_call else PRODUCT

    def factors(self, args: list[Any]) -> str:
        """The factors, multiplied and divided from left to right."""
        text = ""
        is_argument = bool(self.language.divide) and any(map(_is_reciprocal, args[1:2]))
        for k, factor in enumerate(args):
            if _is_reciprocal(factor) and text and self.is_scalar_over_tensor(args[:k], factor.base):
                text = self.language.divide_scalar.format(text, self.at(factor.base, TERNARY))
            elif _is_reciprocal(factor):
                text = self.quotient(text or self.language.integer.format(1), factor.base)
            else:
                head = TERNARY if is_argument else PRODUCT
                text = f"{text} * {self.at(factor, UNARY)}" if text else self.at(factor, head)
        return text

    def is_scalar_over_tensor(self, above: list[Any], below: Any) -> bool:
        """Whether a quotient has a form of its own. That of 1 is exact as it is."""
        names = {s.name for factor in above for s in factor.free_symbols}
        is_tensor = any(s.name not in self.scalars for s in below.free_symbols)
        return bool(self.language.divide_scalar) and is_tensor and names <= self.scalars and above != [S.One]

    def quotient(self, above: str, below: Any) -> str:
        if self.language.divide:
            return self.language.divide.format(above, self.at(below, TERNARY))
        return f"{above} / {self.at(below, UNARY)}"

    def power(self, expr: Any) -> tuple[str, int]:
        base, exponent = expr.args
        if exponent == S.NegativeOne:
            return self.quotient(self.language.integer.format(1), base), PRODUCT
        if exponent == S.Half:
            return self.call("sqrt", (base,)), ATOM
        if exponent == -S.Half or (exponent.is_Integer and exponent < 0):
            below = sympy.Pow(base, -exponent, evaluate=False)
            return self.quotient(self.language.integer.format(1), below), PRODUCT
        if exponent.is_Integer and 1 < exponent <= self.language.multiplied_out:
            return " * ".join([self.at(base, ATOM)] * int(exponent)), PRODUCT
        if exponent.is_Integer and exponent > 1 and self.language.whole_power:
            return self.language.whole_power.format(self.argument(base), int(exponent)), ATOM
        call = "(" in self.language.power
        return self.language.power.format(
            self.argument(base) if call else self.at(base, ATOM), self.at(exponent, TERNARY if call else POWER)
        ), (ATOM if call else POWER)

    def branches(self, expr: Any) -> tuple[str, int]:
        """The last branch first: each condition chooses between its value and all that follows."""
        *pairs, (last, _) = expr.args
        alone = isinstance(last, (sympy.Number, sympy.NumberSymbol)) and "if" not in self.language.where
        like = self.like(expr)
        text, binds = (self.argument(last), ATOM) if alone else self.text(last)
        if like and self._is_scalar(last):
            text, binds = self.language.filled.format(like, self.at(last, TERNARY)), ATOM
        rest = [last]  # what the text has the axes of
        for value, condition in reversed(pairs):
            if self._is_scalar(condition):
                if like and self._is_smaller(rest, expr):
                    text = self.spread(like, text, binds)
                text, binds = self.chosen(value, condition, text, like, expr)
                rest = [expr]
            else:
                parts = (
                    self.at(condition, OR),
                    self.argument(value, OR if "if" in self.language.where else TERNARY),
                    text,
                )
                text = self.language.where.format(*parts)
                binds = TERNARY if "if" in self.language.where else ATOM
                rest += [value, condition]
        return text, binds

    def like(self, expr: Any) -> str:
        """What has the shape of all branches, where one could turn out a bare scalar or smaller; empty if none can."""
        values = [value for value, _ in expr.args]
        decided = any(self._is_scalar(condition) for _, condition in expr.args[:-1])
        bare = all(map(self._is_scalar, values[-2:]))
        smaller = decided and any(self._is_scalar(value) or self._is_smaller([value], expr) for value in values)
        if not self.language.filled or self._is_scalar(expr) or not (bare or smaller):
            return ""
        tensors = sorted({s.name for s in expr.free_symbols} - self.host)
        widest = {axis for name in tensors for axis in self.axes.get(name, ())}
        return next((name for name in tensors if set(self.axes.get(name, ())) == widest), " + ".join(tensors))

    def spread(self, like: str, text: str, binds: int) -> str:
        """A tensor with all axes of another."""
        is_method = self.language.spread.startswith("{1}")
        return self.language.spread.format(like, f"({text})" if is_method and binds < ATOM else text)

    def chosen(self, value: Any, condition: Any, otherwise: str, like: str, expr: Any) -> tuple[str, int]:
        """A branch on the host of a Piecewise. Only of `first` is it sure that its value may always be read."""
        least = TERNARY if self.language.choose and condition.free_symbols - {first} else OR
        taken = self.at(value, least)
        if like and self._is_scalar(value):
            taken = self.language.filled.format(like, self.at(value, TERNARY))
        elif like and self._is_smaller([value], expr):
            taken = self.spread(like, *self.text(value))
        if least == TERNARY:
            test = _Printer(SCALAR, self.host, self.names, {}).at(condition, TERNARY)
            return self.language.choose.format(test, taken, otherwise), ATOM
        test = _Printer(HOST, self.host, self.names, {}).at(condition, OR)
        return HOST.where.format(test, taken, otherwise), TERNARY

    def boolean(self, expr: Any) -> tuple[str, int]:
        if isinstance(expr, sympy.logic.boolalg.BooleanAtom):
            return str(bool(expr)), ATOM
        bitwise = " & " in self.language.and_ or "(" in self.language.and_
        if isinstance(expr, sympy.Not) and isinstance(expr.args[0], sympy.Ne):
            return self.text(sympy.Equality(*expr.args[0].args))
        if isinstance(expr, sympy.Not):
            loose = self.language.not_.startswith("not ")  # Python's binds less tightly than a comparison
            inner = TERNARY if "(" in self.language.not_ else NOT if loose else ATOM
            return self.language.not_.format(self.at(expr.args[0], inner)), NOT if loose else ATOM
        template, binds = (self.language.and_, AND) if isinstance(expr, sympy.And) else (self.language.or_, OR)
        text, *rest = (self.at(arg, ATOM if bitwise else NOT) for arg in sorted(expr.args, key=str))
        for part in rest:
            text = template.format(text, part)
        return text, binds

    def call(self, name: str, args: Any) -> str:
        template = self.language.functions.get(name)
        if template is None:
            raise RuleError(f"{name} has no form in {self.language.name}", None, "write it with functions of optgen")
        if name in self.language.mixed and any(self._is_scalar(arg) for arg in args):
            args = sorted(args, key=self._is_scalar)
            template = self.language.mixed[name]
        least = COMPARE if "{0}" in template else TERNARY  # what is written twice is an operand there
        write = self.at if name in TOLD else self.argument
        return template.format(*(write(arg, least) for arg in args))

    def _is_scalar(self, expr: Any) -> bool:
        return all(s.name in self.host for s in expr.free_symbols)

    def _is_smaller(self, parts: list[Any], expr: Any) -> bool:
        """Whether tensors lack an axis of an expression. Scalars among them are tensors already."""
        found, wanted = (
            {axis for part in of for s in part.free_symbols for axis in self.axes.get(s.name, ())}
            for of in (parts, [expr])
        )
        return not all(map(self._is_scalar, parts)) and bool(wanted - found - {TENSOR})


def _is_reciprocal(expr: Any) -> bool:
    return bool(expr.is_Pow and expr.exp == S.NegativeOne)


def taken_from_one(expr: Any) -> Any:
    """The power x**y of a sum 1 - x**y whose y is no number, else None."""
    one, rest = expr.args[0], expr.args[1:]
    if one != S.One or len(rest) != 1 or not isinstance(rest[0], sympy.Mul) or rest[0].args[0] != S.NegativeOne:
        return None
    factors = rest[0].args[1:]
    return factors[0] if len(factors) == 1 and factors[0].is_Pow and factors[0].exp.free_symbols else None
