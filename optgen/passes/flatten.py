"""Flatten: reductions and products become statements of their own, and so does what is squared.

Assumes Maps only. Establishes that no expression looks at other elements, and that the base of a whole power is a name.
norm and rms become the root of a sum or mean of squares.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from sympy import Pow, S

from optgen.dsl.functions import REDUCTIONS, amax, matmul, mean, norm, rms, total, transpose
from optgen.errors import Loc, RuleError
from optgen.ir import BATCH, COLS, ELEMENT, ROWS, Map, MatMul, Op, Reduce, Role, Statement, Step, Var, symbol
from optgen.passes.rewrite import rebuild

OVER = {"elems": (BATCH, ROWS, COLS), "rows": (ROWS,), "cols": (COLS,), "model": ELEMENT}


def flatten(step: Step) -> Step:
    """The same step with every reduction and matrix product as a statement. Raises RuleError for a bare transpose."""
    flat = _Flattener({v.name for v in step.vars})
    for statement in step.body:
        assert isinstance(statement, Map)
        flat.equation(statement)
    named = {v.name: v for v in step.vars}
    local = [named.get(s.target) or Var(s.target, Role.LOCAL) for s in flat.body]  # without loc: not the user's name
    inputs = [v for v in step.vars if v.role is not Role.LOCAL]
    return replace(step, vars=(*inputs, *local), body=tuple(flat.body))


@dataclass(slots=True)
class _Flattener:
    taken: set[str]
    body: list[Statement] = field(default_factory=list)
    known: dict[Any, Any] = field(default_factory=dict)

    def equation(self, statement: Map) -> None:
        target, expr, loc = statement.target, statement.expr, statement.loc
        assert loc is None or isinstance(loc, Loc)
        if isinstance(expr, (total, mean, amax)) and expr not in self.known:
            self.body.append(self._reduce(target, expr, loc, target))
        elif isinstance(expr, matmul):
            self.body.append(self._product(target, expr, loc, target))
        else:
            self.body.append(Map(target, self._visit(expr, target, loc), loc))

    def _visit(self, expr: Any, target: str, loc: Loc | None) -> Any:
        if expr in self.known:
            return self.known[expr]
        if isinstance(expr, (norm, rms)):
            inner = (total if isinstance(expr, norm) else mean)(
                self._named(expr.args[0], f"{target}_base", loc) ** 2, expr.args[1]
            )
            return Pow(self._visit(inner, target, loc), S.Half)
        if isinstance(expr, REDUCTIONS):
            return self._lift(expr, f"{_words(expr.args[0]) or target}_{_op(expr).value}", target, loc)
        if isinstance(expr, matmul):
            return self._lift(expr, f"{target}_product", target, loc)
        if isinstance(expr, transpose):
            raise RuleError(
                "transpose stands outside a matmul", loc, "write it as an argument: matmul(x, transpose(x))"
            )
        if isinstance(expr, Pow) and expr.exp.is_Integer and abs(expr.exp) > 1 and not expr.base.is_Symbol:
            return Pow(self._named(expr.base, f"{target}_base", loc), expr.exp)
        return rebuild(expr, [self._visit(arg, target, loc) for arg in expr.args])

    def _lift(self, expr: Any, wish: str, target: str, loc: Loc | None) -> Any:
        made = self._product("", expr, loc, target) if isinstance(expr, matmul) else self._reduce("", expr, loc, target)
        name = self._fresh(wish)  # after its arguments have taken theirs, so that numbers rise down the page
        self.body.append(replace(made, target=name))
        self.known[expr] = symbol(name)
        return self.known[expr]

    def _reduce(self, name: str, expr: Any, loc: Loc | None, target: str) -> Reduce:
        if isinstance(expr, mean) and expr.args[1].name == "model":
            raise RuleError(
                "a mean over model has no fixed number of terms", loc, "divide total(x, model) by a count of your own"
            )
        return Reduce(name, _op(expr), self._visit(expr.args[0], target, loc), OVER[expr.args[1].name], loc)

    def _product(self, name: str, expr: Any, loc: Loc | None, target: str) -> MatMul:
        turned = [isinstance(arg, transpose) for arg in expr.args]
        inner = [arg.args[0] if isinstance(arg, transpose) else arg for arg in expr.args]
        a, b = (self._named(arg, f"{target}_{side}", loc) for arg, side in zip(inner, ("left", "right"), strict=True))
        return MatMul(name, a.name, b.name, turned[0], turned[1], loc)

    def _named(self, expr: Any, wish: str, loc: Loc | None) -> Any:
        """A symbol for the expression: itself if it is one, else a new statement's target."""
        value = self._visit(expr, wish.rsplit("_", 1)[0], loc)
        if value.is_Symbol:
            return value
        if expr not in self.known:
            name = self._fresh(wish)
            self.body.append(Map(name, value, loc))
            self.known[expr] = symbol(name)
        return self.known[expr]

    def _fresh(self, wish: str) -> str:
        name = next(n for n in _numbered(wish) if n not in self.taken)
        self.taken.add(name)
        return name


def _numbered(wish: str) -> Iterator[str]:
    yield wish
    number = 2
    while True:
        yield f"{wish}_{number}"
        number += 1


def _words(arg: Any) -> str:
    """x for x and x_sq for its square; empty for anything longer."""
    if arg.is_Pow and arg.exp == 2 and arg.base.is_Symbol:
        return f"{arg.base.name}_sq"
    return str(arg.name) if arg.is_Symbol else ""


def _op(expr: Any) -> Op:
    if isinstance(expr, total):
        return Op.SUM
    return Op.MEAN if isinstance(expr, mean) else Op.MAX
