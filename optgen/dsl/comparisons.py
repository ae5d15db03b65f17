"""Comparisons: `==` and `!=` where a condition is meant. Python decides them before optgen sees anything.

`(lam != 0) & ~flag` is `True & ~flag`, which SymPy makes `~flag`: nothing of the mistake is left but the file's text.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from optgen.errors import Loc, Problem

HINT = "write {}(left, right) of optgen for left {} right"
JOINERS = ("And", "Or", "Not")


def decided_problems(tree: ast.Module, shown: str) -> Iterator[Problem]:
    """A problem for each `==` or `!=` in the conditions that a rule file writes."""
    found = {id(part): part for node in ast.walk(tree) for whole in _conditions(node) for part in _parts(whole)}
    for part in found.values():
        for operator in part.ops if isinstance(part, ast.Compare) else ():
            if isinstance(operator, (ast.Eq, ast.NotEq)):
                sign, name = ("==", "Eq") if isinstance(operator, ast.Eq) else ("!=", "Ne")
                loc = Loc(shown, part.lineno, part.end_lineno or part.lineno)
                message = f"Python decides {ast.unparse(part)} at once, so it is no condition"
                yield Problem(message, loc, HINT.format(name, sign))


def _conditions(node: ast.AST) -> Iterator[ast.expr]:
    """What stands where a condition must stand."""
    match node:
        case ast.Call(func=ast.Name(id="Piecewise"), args=args):
            yield from (arg.elts[1] for arg in args if isinstance(arg, ast.Tuple) and len(arg.elts) == 2)
        case ast.Call(func=ast.Name(id=name), args=args) if name in JOINERS:
            yield from args
        case ast.BinOp(left=left, op=ast.BitAnd() | ast.BitOr(), right=right):
            yield from (left, right)
        case ast.UnaryOp(op=ast.Invert(), operand=operand):
            yield operand
        case ast.keyword(arg="requires", value=ast.List(elts=pairs) | ast.Tuple(elts=pairs)):
            yield from (pair.elts[0] for pair in pairs if isinstance(pair, ast.Tuple) and pair.elts)


def _parts(condition: ast.expr) -> Iterator[ast.expr]:
    match condition:
        case ast.BoolOp(values=values):
            yield from (part for value in values for part in _parts(value))
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield from _parts(operand)
        case _:
            yield condition
