"""Collisions: names that are no names, or that would be one name in the generated code."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePath
from typing import Any

from sympy import Indexed

from optgen.dsl.names import FILES, OPTIONS, name_problem
from optgen.dsl.rule import Rule, Schedule, declarations_of
from optgen.dsl.symbols import Declaration, Recurrence
from optgen.errors import Loc, Problem, line_of
from optgen.passes.quantities import index_of, label


def name_problems(rule: Rule | Schedule) -> Iterator[Problem]:
    """What is wrong with the names of quantities, hyperparameters, group constants and the file."""
    if rule.source:
        problem = name_problem(PurePath(rule.source).stem, "the file name", rule.loc, FILES)
        yield from [problem] if problem else []
    for declaration in rule.declarations:
        yield from _declared(declaration)
    yield from _joined(rule) if isinstance(rule, Rule) else ()
    taken: dict[str, str] = {}
    if isinstance(rule, Rule):
        yield from _bases(rule)
        told = set()
        for name, what, loc in _quantities(rule):
            if taken.setdefault(name, what) != what and name not in told:
                yield _same(name, what, taken[name], loc)
                told.add(name)
    for declaration in declarations_of(rule.expressions()) if isinstance(rule, Rule) else rule.declarations:
        for name in dict.fromkeys((declaration.name, *declaration.names)):
            what = f"hyperparameter {name}"
            if name in taken:
                yield _same(name, what, taken[name], declaration.loc)
            taken[name] = what
    if isinstance(rule, Rule):
        for one in rule.structural:
            if one.name in taken:
                yield _same(one.name, f"structural parameter {one.name}", taken[one.name], one.loc)
            taken[one.name] = f"structural parameter {one.name}"
        for name in rule.group_constants:
            if name in rule.arguments:
                loc = line_of(rule.loc, "group_constants")
                yield _same(name, f"group constant {name}", taken[name], loc)


def signature_problems(rule: Rule) -> Iterator[Problem]:
    """What is wrong with the order of the constructor's arguments."""
    loc = line_of(rule.loc, "signature")
    order, declared = rule.signature.split(), rule.arguments
    for name in dict.fromkeys(order):
        if name not in (*declared, *OPTIONS, "*"):
            hint = f"write hyperparameters of the equations ({', '.join(declared) or 'none'}), * or options of torch"
            yield Problem(f"signature names {name}, which the rule does not have", loc, hint)
        if order.count(name) > 1:
            yield Problem(f"signature names {name} twice", loc, "remove one of them")
    missing = [name for name in declared if name not in order]
    if order and missing:
        yield Problem(f"signature leaves out {', '.join(missing)}", loc, "name every hyperparameter")
    if order and order[-1] == "*":
        yield Problem("signature ends with *", loc, "name what is keyword-only after it, or remove it")


def _joined(rule: Rule) -> Iterator[Problem]:
    """Hyperparameters that this rule and `otherwise` declare in two ways, or that are a quantity of the other."""
    if rule.otherwise is None:
        return
    loc = line_of(rule.loc, "otherwise")
    mine, theirs = declarations_of(rule.expressions()), {d.name: d for d in rule.otherwise.declarations}
    for d in mine:
        other = theirs.get(d.name, d)
        if (other.kind, other.names, other.is_tuple) != (d.kind, d.names, d.is_tuple):
            yield Problem(f"{d.name} is another kind of hyperparameter in `otherwise`", loc, "rename one of the two")
    for one, two in ((rule, rule.otherwise), (rule.otherwise, rule)):
        names = {name for d in declarations_of(one.expressions()) for name in d.names}
        for name in sorted({name for name, _, _ in _quantities(two)} & names):
            message = f"{name} is a hyperparameter of one rule and a quantity of the other, which `otherwise` joins"
            yield Problem(message, loc, "rename one of the two")


def _declared(declaration: Declaration) -> Iterator[Problem]:
    for name in dict.fromkeys((declaration.name, *declaration.names)):
        problem = name_problem(name, "hyperparameter", declaration.loc)
        yield from [problem] if problem else []


def _bases(rule: Rule) -> Iterator[Problem]:
    """Quantities that were not made by tensors, or that were but have a name that is none."""
    places = [(base, rule.loc) for base in (rule.param, rule.grad, *rule.inputs)]
    places += [(node.base, e.loc) for e in rule.equations for node in (e.lhs, *_in_order(e.rhs))]
    for base, loc in dict(reversed(places)).items():
        problem = name_problem(label(base), "quantity", loc)
        if not problem and type(base) is not Recurrence:
            problem = Problem(f"quantity {base} was not declared", loc, f'write {base} = tensors("{base}")')
        yield from [problem] if problem else []


def _quantities(rule: Rule) -> Iterator[tuple[str, str, Loc | None]]:
    """Every name that quantities become, what it stands for, and an equation that reads or defines it."""
    yield label(rule.param) + "_prev", f"the past of {label(rule.param)}", rule.loc
    yield label(rule.grad), f"quantity {label(rule.grad)}", rule.loc
    for quantity, name in rule.inputs.items():
        yield name, f"{'quantity' if name == label(quantity) else 'input'} {name}", rule.loc
        yield f"has_{label(quantity)}", f"given({label(quantity)})", rule.loc
    for equation in rule.equations:
        for node in (equation.lhs, *_in_order(equation.rhs)):
            name, index = label(node), index_of(node)
            yield name, f"quantity {name}", equation.loc
            if index == -1:
                yield f"{name}_prev", f"the past of {name}", equation.loc
            elif isinstance(index, str):
                yield f"{name}_{index}", f"{name}[{index}]", equation.loc


def _in_order(expr: Any) -> Iterator[Any]:
    if isinstance(expr, Indexed):
        yield expr
    else:
        for arg in expr.args:
            yield from _in_order(arg)


def _same(name: str, what: str, other: str, loc: Loc | None) -> Problem:
    if what == other:
        return Problem(f"{what} is declared twice", loc, "rename one of the two")
    return Problem(f"{what} and {other} would both be called {name} in generated code", loc, "rename one of them")
