"""Hoist: what depends on t and hyperparameters only runs once per step, on the host, in float64.

Assumes places. Establishes that a device expression reads host values as single names, that reciprocals of scalars are
host values, and that the scalar factors of a product are one. A computation never leaves the branch that guards it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from sympy import And, Mul, Not, Piecewise, Pow, S, Symbol, log

from optgen.ir import Map, MatMul, Place, Reduce, Role, Statement, Step, Var, is_condition, symbol
from optgen.passes.name_scalar import name_scalar
from optgen.passes.rewrite import rebuild


def hoist(step: Step) -> Step:
    """The same step with its host part in `step.host`."""
    hoister = _Hoister(step)
    body = [moved for s in step.body if (moved := hoister.statement(s)) is not None]
    scalars = [Var(name, Role.LOCAL, place=Place.HOST, boolean=boolean) for name, boolean in hoister.made.items()]
    return _drop_unread(replace(step, vars=(*step.vars, *scalars), host=tuple(hoister.host), body=tuple(body)))


@dataclass(slots=True)
class _Hoister:
    step: Step
    host: list[Map] = field(default_factory=list)
    made: dict[str, bool] = field(default_factory=dict)
    known: dict[Any, Any] = field(default_factory=dict)
    host_names: set[str] = field(init=False)
    taken: set[str] = field(init=False)

    def __post_init__(self) -> None:
        self.taken = {v.name for v in self.step.vars}
        self.host_names = {v.name for v in self.step.vars if v.place is Place.HOST}

    def statement(self, statement: Statement) -> Statement | None:
        match statement:
            case Map(target=target, expr=expr) if target in self.host_names:
                self.host.append(replace(statement, expr=expr))
                return None
            case Map(target=target, expr=expr):
                return replace(statement, expr=self._visit(expr, target, S.true))
            case Reduce(target=target, arg=arg):
                return replace(statement, arg=self._visit(arg, target, S.true))
            case MatMul():
                return statement

    def _is_host(self, expr: Any) -> bool:
        return all(s.name in self.host_names for s in expr.free_symbols)

    def _visit(self, expr: Any, target: str, guard: Any) -> Any:
        if expr.is_Symbol or expr.is_Number or (expr.is_Boolean and not expr.free_symbols):
            return expr
        if self._is_host(expr):
            return self._scalar(expr, target, guard)
        if isinstance(expr, Piecewise):
            return self._branches(expr, target, guard)
        if isinstance(expr, Mul):
            return self._product(expr, target, guard)
        return rebuild(expr, [self._visit(arg, target, guard) for arg in expr.args])

    def _branches(self, expr: Any, target: str, guard: Any) -> Any:
        pairs = []
        for value, condition in expr.args:
            condition = self._visit(condition, target, guard)
            known = condition if self._is_host(condition) else S.true
            pairs.append((self._visit(value, target, _both(guard, known)), condition))
            guard = _both(guard, Not(known) if known != S.true else S.true)
        return Piecewise(*pairs, evaluate=False)

    def _product(self, expr: Any, target: str, guard: Any) -> Any:
        """Gathers the scalar factors of a product, in their order, where the first of them stands."""
        factors = _factors(expr)
        scalar = [f for f in factors if self._is_host(f) and f != S.NegativeOne]
        if len(scalar) > 1:
            one = self._scalar(Mul(*scalar), target, guard)
            place = factors.index(scalar[0])
            factors = [f for f in factors if f not in scalar]
            factors.insert(place, one)
        return Mul(*(self._visit(f, target, guard) for f in factors))

    def _scalar(self, expr: Any, target: str, guard: Any) -> Any:
        """A name for a host expression; if a branch guards it, it is 0 or False wherever the branch is not taken."""
        if expr.is_Symbol or expr.is_Number:
            return expr
        guarded = expr
        if guard != S.true and _can_fail(expr):
            guarded = Piecewise((expr, guard), (S.false if is_condition(expr) else S.Zero, True), evaluate=False)
        if guarded not in self.known:
            name = name_scalar(expr, target, self.taken)
            self.taken.add(name)
            self.made[name] = is_condition(expr)
            self.host_names.add(name)
            self.host.append(Map(name, guarded))
            self.known[guarded] = symbol(name, self.made[name])
        return self.known[guarded]


def _factors(expr: Any) -> list[Any]:
    """The factors of a product in order of evaluation: those of a leading product are not in parentheses.

    A sign binds nothing: the products after it lead, too.
    """
    head, *rest = expr.args
    if head == S.NegativeOne and rest:
        lead, *rest = rest
        return [head, *(_factors(lead) if isinstance(lead, Mul) else [lead]), *rest]
    return [*(_factors(head) if isinstance(head, Mul) else [head]), *rest]


def _can_fail(expr: Any) -> bool:
    """Whether Python may raise where the branch is not taken: a division, a root, a logarithm, a power."""
    return any(not (p.exp.is_Integer and p.exp > 0) for p in expr.atoms(Pow)) or bool(expr.atoms(log))


def _both(a: Any, b: Any) -> Any:
    if S.true in (a, b):
        return b if a == S.true else a
    return And(a, b)


def _drop_unread(step: Step) -> Step:
    """Without the hyperparameters, and host scalars, that no statement reads any more."""
    stored = {w.value for w in step.writes}
    host = list(step.host)
    body_reads = {s.name for s in _symbols(step.body)}
    while True:
        read = body_reads | {s.name for s in _symbols(tuple(host))} | stored
        kept = [m for m in host if m.target in read]
        if len(kept) == len(host):
            break
        host = kept
    gone = {m.target for m in step.host} - {m.target for m in host}
    inits = {s.name for v in step.of_role(Role.STATE) for s in v.init.free_symbols}
    keep = [
        v
        for v in step.vars
        if v.name not in gone and (v.name in read | inits or v.role not in (Role.HYPER, Role.STEP, Role.EXTENT))
    ]
    return replace(step, vars=tuple(keep), host=tuple(host))


def _symbols(statements: tuple[Statement, ...]) -> set[Symbol]:
    found: set[Symbol] = set()
    for statement in statements:
        match statement:
            case Map(expr=expr) | Reduce(arg=expr):
                found |= expr.free_symbols
            case MatMul(a=a, b=b):
                found |= {symbol(a), symbol(b)}
    return found
