"""Comparisons: conditions that Python decides before optgen sees them, found in the text of a rule file.

`(lam != 0) & ~flag` is `True & ~flag`, which SymPy makes `~flag`: nothing of the mistake is left but the file's text.
SymPy's own Piecewise drops a pair whose condition is False, so a rule file may not use it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TypeGuard

from optgen.errors import Loc, Problem

JOINERS = ("And", "Or", "Not")
RELATIONS = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">="}
NAMED = {ast.Eq: "Eq", ast.NotEq: "Ne"}
TIGHT = (ast.Name, ast.Call, ast.Attribute, ast.Subscript, ast.Constant)
OURS = "from optgen import Piecewise: SymPy's own drops a pair without a word where Python has decided its condition"


def decided_problems(tree: ast.Module, shown: str) -> Iterator[Problem]:
    """A problem for each condition of a rule file that uses ==, !=, and, or, not or a chain such as 0 < t < 5."""
    found = {id(part): part for node in ast.walk(tree) for part in _conditions(node) if _is_decided(part)}
    for part in found.values():
        loc = Loc(shown, part.lineno, part.end_lineno or part.lineno)
        message = f"Python decides {ast.unparse(part)} at once, so it is no condition"
        mended = _mended(part)
        origin = " and ".join(name for name in NAMED.values() if f"{name}(" in mended)
        yield Problem(message, loc, f"write {mended}" + (f", with {origin} of optgen" if origin else ""))
    for line in _foreign(tree):
        yield Problem("the file uses SymPy's Piecewise", Loc(shown, line, line), OURS)


def _conditions(node: ast.AST) -> Iterator[ast.expr]:
    """What stands where a condition must stand."""
    match node:
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name), args=args) if name == "Piecewise":
            yield from (arg.elts[1] for arg in args if isinstance(arg, ast.Tuple) and len(arg.elts) == 2)
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name), args=args) if name in JOINERS:
            yield from args
        case ast.BinOp(left=left, op=ast.BitAnd() | ast.BitOr(), right=right):
            yield from (left, right)
        case ast.UnaryOp(op=ast.Invert(), operand=operand):
            yield operand
        case ast.keyword(arg="requires", value=ast.List(elts=pairs) | ast.Tuple(elts=pairs)):
            yield from (pair.elts[0] for pair in pairs if isinstance(pair, ast.Tuple) and pair.elts)


def _is_decided(part: ast.expr) -> bool:
    match part:
        case ast.BoolOp() | ast.UnaryOp(op=ast.Not()):
            return True
        case ast.Compare(ops=ops):
            return len(ops) > 1 or type(ops[0]) in NAMED
        case _:
            return False


def _foreign(tree: ast.Module) -> Iterator[int]:
    """The lines that take Piecewise from SymPy."""
    nodes = list(ast.walk(tree))
    imports = [alias for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    modules = {alias.asname or alias.name for alias in imports if alias.name == "sympy"}
    ours = any(alias.name == "Piecewise" for node in nodes if _is_from(node, "optgen") for alias in node.names)
    for node in nodes:
        match node:
            case ast.Attribute(value=ast.Name(id=module), attr="Piecewise") if module in modules:
                yield node.lineno
            case ast.ImportFrom(names=names) if _is_from(node, "sympy") and not ours:
                yield from (node.lineno for alias in names if alias.name in ("Piecewise", "*"))


def _is_from(node: ast.AST, package: str) -> TypeGuard[ast.ImportFrom]:
    return isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == package


def _mended(part: ast.expr) -> str:
    """The condition as a rule writes it."""
    match part:
        case ast.BoolOp(op=op, values=values):
            return (" & " if isinstance(op, ast.And) else " | ").join(map(_tight, values))
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return f"~{_tight(operand)}"
        case ast.Compare(left=left, ops=ops, comparators=rights):
            sides = [ast.unparse(side) for side in (left, *rights)]
            links = [_link(op, a, b) for op, a, b in zip(ops, sides, sides[1:], strict=False)]
            return links[0] if len(links) == 1 else " & ".join(x if x.endswith(")") else f"({x})" for x in links)
        case _:
            return ast.unparse(part)


def _link(op: ast.cmpop, left: str, right: str) -> str:
    name = NAMED.get(type(op))
    return f"{name}({left}, {right})" if name else f"{left} {RELATIONS.get(type(op), '<')} {right}"


def _tight(part: ast.expr) -> str:
    """The mended condition in parentheses, unless it binds as a name does."""
    text = _mended(part)
    named = isinstance(part, ast.Compare) and len(part.ops) == 1 and type(part.ops[0]) in NAMED
    return text if isinstance(part, TIGHT) or named else f"({text})"
