"""Equations as text and as LaTeX keep the author's order and parentheses."""

from __future__ import annotations

from typing import Any

import pytest
from sympy import IndexedBase

from optgen import dsl
from optgen.dsl import Eq, Max, Piecewise, Rule, cols, load, matmul, mean, t, tensors, transpose
from optgen.dsl.load import built_in_names, literal
from optgen.dsl.symbols import Hyper
from optgen.equations import latex, text


def names_of(rule: Any) -> dict[str, Any]:
    """Everything that the text of a rule may name."""
    expressions = list(rule.expressions()) if isinstance(rule, Rule) else [rule.value]
    atoms = {a for e in expressions for a in e.atoms(IndexedBase, Hyper)}
    return {name: getattr(dsl, name) for name in dsl.__all__} | {str(a): a for a in atoms}


@pytest.mark.parametrize("name", built_in_names())
def test_the_text_of_an_equation_read_as_python_is_the_equation(name: str) -> None:
    rule = load(name)
    sides = [(e.lhs, e.rhs) for e in rule.equations] if isinstance(rule, Rule) else [(None, rule.value)]
    for line, (left, right) in zip(text(rule), sides, strict=True):
        written_left, written_right = line.split(" = ", 1)
        with literal():
            read = eval(written_right, names_of(rule))
            assert left is None or eval(written_left, names_of(rule)) == left
        assert read == right, line


def one_line(make: Any) -> str:
    """The LaTeX right side of theta[t] = make(...), built literally."""
    theta, g = tensors("theta g")
    with literal():
        rule = Rule(param=theta, grad=g, equations=[Eq(theta[t], make(theta[t - 1], g[t]))])
    return latex(rule).splitlines()[1].split("&= ")[1]


@pytest.mark.parametrize(("make", "expected"), [
    (lambda p, g: (p + g) - p, r"\left(\theta_{t - 1} + g_{t}\right) - \theta_{t - 1}"),
    (lambda p, g: p - 2 * (g + p), r"\theta_{t - 1} - 2 \, \left(g_{t} + \theta_{t - 1}\right)"),
    (lambda p, g: g * p, r"g_{t} \, \theta_{t - 1}"),
    (lambda p, g: p * g, r"\theta_{t - 1} \, g_{t}"),
    (lambda p, g: Max(p, g), r"\max\left(\theta_{t - 1}, g_{t}\right)"),
    (lambda p, g: Max(g, p), r"\max\left(g_{t}, \theta_{t - 1}\right)"),
    (lambda p, g: mean(g**2, cols), r"\operatorname{mean}_{\mathrm{cols}}\left(g_{t}^{2}\right)"),
    (lambda p, g: matmul(p + g, transpose(g)), r"\left(\theta_{t - 1} + g_{t}\right) \, g_{t}^{\top}"),
    (lambda p, g: Piecewise((g, t <= 5), (p, True)),
     r"\begin{cases} g_{t} & \text{if } t \leq 5 \\ \theta_{t - 1} & \text{otherwise} \end{cases}"),
])
def test_latex_keeps_the_order_in_which_an_expression_is_written(make: Any, expected: str) -> None:
    assert one_line(make) == expected


def test_latex_writes_names_as_papers_do() -> None:
    lines = latex(load("adamw"))
    assert r"\hat{m}_{t} &= \frac{m_{t}}{1 - \beta_{1}^{t}}" in lines
    assert r"v_{\mathrm{max},t} &= \max\left(v_{\mathrm{max},t - 1}, v_{t}\right)" in lines
    assert r"\mathrm{weight\_decay} \, \theta_{t - 1}" in lines


@pytest.mark.parametrize("name", built_in_names())
def test_latex_braces_balance_and_no_script_stands_twice(name: str) -> None:
    written = latex(load(name)).replace(r"\{", "").replace(r"\}", "")
    assert written.count("{") == written.count("}")
    depth_scripts: list[set[str]] = [set()]
    for before, character in zip(" " + written, written, strict=False):
        if character == "{":
            depth_scripts.append(set())
        elif character == "}":
            depth_scripts.pop()
        elif character in "_^" and before != "\\":
            assert character not in depth_scripts[-1], f"double {character} in {written}"
            depth_scripts[-1].add(character)
        elif character not in "_^" and before not in "_^}":
            depth_scripts[-1].clear()
