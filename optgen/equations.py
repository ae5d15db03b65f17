"""Equations as a reader writes them: a line of text each, or LaTeX, both in the author's order."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from sympy import true
from sympy.printing.latex import LatexPrinter
from sympy.printing.precedence import PRECEDENCE
from sympy.printing.str import StrPrinter

from optgen.dsl.load import literal
from optgen.dsl.rule import Rule, Schedule
from optgen.dsl.symbols import AXES

ACCENTS = {"hat": r"\hat", "bar": r"\bar", "tilde": r"\tilde"}
GREEK = frozenset("alpha beta gamma delta epsilon eta theta kappa lambda mu nu pi rho sigma tau phi psi omega".split())


def text(rule: Rule | Schedule) -> tuple[str, ...]:
    """The equations as Python would read them, one line each: `m[t] = beta1*m[t - 1] + (1 - beta1)*g[t]`."""
    return _lines(_sides(rule, "factor(t)"))


@lru_cache(maxsize=16)
def _lines(sides: tuple[tuple[Any, Any], ...]) -> tuple[str, ...]:
    printer = _Text({"order": "none"})
    with literal():
        return tuple(f"{printer.doprint(left)} = {printer.doprint(right)}" for left, right in sides)


def latex(rule: Rule | Schedule) -> str:
    """The equations as one LaTeX `aligned` environment."""
    printer = _Latex({"order": "none", "mul_symbol": r" \, "})
    with literal():
        lines = [rf"{printer.doprint(left)} &= {printer.doprint(right)}" for left, right in _sides(rule, "f_{t}")]
    return "\\begin{aligned}\n" + " \\\\\n".join(lines) + "\n\\end{aligned}"


def _sides(rule: Rule | Schedule, factor: str) -> tuple[tuple[Any, Any], ...]:
    if isinstance(rule, Schedule):
        return ((factor, rule.value),)
    return tuple((equation.lhs, equation.rhs) for equation in rule.equations)


class _Text(StrPrinter):
    """SymPy's own text, but a product keeps its parentheses and a reciprocal is one."""

    def _print_Given(self, expr: Any) -> str:
        return f"given({expr.quantity.label})"

    def _print_bfloat16(self, expr: Any) -> str:
        return f'rounded({self._print(expr.args[0])}, "bfloat16")'

    def _print_Mul(self, expr: Any) -> str:
        sign, factors = ("-", expr.args[1:]) if expr.args[0] == -1 and len(expr.args) > 1 else ("", expr.args)
        text = self.parenthesize(factors[0], PRECEDENCE["Mul"], strict=True)
        for factor in factors[1:]:
            below = factor.is_Pow and factor.exp == -1
            text += "/" if below else "*"
            text += self.parenthesize(factor.base if below else factor, PRECEDENCE["Mul"])
        return f"{sign}{text}"


class _Latex(LatexPrinter):
    """SymPy's own LaTeX, with the papers' symbols and without its sorting of arguments."""

    def _print_Symbol(self, expr: Any, style: str = "plain") -> str:
        head, below = symbol_parts(expr.name)
        return f"{head}_{{{','.join(below)}}}" if below else head

    def _print_Given(self, expr: Any) -> str:
        return rf"{self._print(expr.quantity.label)} \text{{ is given}}"

    def _print_Indexed(self, expr: Any) -> str:
        head, below = symbol_parts(str(expr.base.label))
        return f"{head}_{{{','.join([*below, *(self._print(i) for i in expr.indices)])}}}"

    def _print_Piecewise(self, expr: Any) -> str:
        rows = [self._print(value) + (r" & \text{otherwise}" if condition is true
                                      else rf" & \text{{if }} {self._print(condition)}")
                for value, condition in expr.args]
        return r"\begin{cases} " + r" \\ ".join(rows) + r" \end{cases}"

    def _print_Function(self, expr: Any, exp: str | None = None) -> str:
        name, power = type(expr).__name__, f"^{{{exp}}}" if exp else ""
        arguments = [self._print(a) for a in expr.args]
        if name in ("Max", "Min"):
            return rf"\{name.lower()}{power}\left({', '.join(arguments)}\right)"
        if len(expr.args) == 2 and expr.args[1] in AXES:
            return rf"\operatorname{{{name}}}_{{\mathrm{{{expr.args[1]}}}}}{power}\left({arguments[0]}\right)"
        return str(super()._print_Function(expr, exp))

    _print_Max = _print_Min = _print_Function

    def _print_matmul(self, expr: Any, exp: str | None = None) -> str:
        product = r" \, ".join(self.parenthesize(a, PRECEDENCE["Mul"], strict=True) for a in expr.args)
        return rf"\left({product}\right)^{{{exp}}}" if exp else product

    def _print_transpose(self, expr: Any, exp: str | None = None) -> str:
        turned = self.parenthesize(expr.args[0], PRECEDENCE["Func"]) + r"^{\top}"
        return rf"\left({turned}\right)^{{{exp}}}" if exp else turned


def symbol_parts(name: str) -> tuple[str, list[str]]:
    """A name as LaTeX: its letter with an accent, and what belongs below it. Words stay upright and whole."""
    stem, *tails = name.split("_")
    letters, digits = re.fullmatch(r"(.*?)(\d*)", stem).groups()  # type: ignore[union-attr]  # it matches any text
    if letters in GREEK:
        head = f"\\{letters}"
    elif letters == "eps":
        head = r"\epsilon"
    elif len(letters) == 1:
        head = letters
    else:
        return r"\mathrm{" + name.replace("_", r"\_") + "}", []
    while tails and tails[0] in ACCENTS:
        head = f"{ACCENTS[tails.pop(0)]}{{{head}}}"
    return head, ([digits] if digits else []) + [rf"\mathrm{{{tail}}}" for tail in tails]
