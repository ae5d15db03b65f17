"""Tensor: one parameter during one step, and the literal meaning of every expression for it.

Quantities are computed on demand and once: reading theta[t] reads what its equation reads. Static conditions are
decided first, so a state that no possible branch reads does not exist.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sympy
from sympy import Add, And, Indexed, IndexedBase, Mul, Not, Or, Pow, Symbol
from sympy.core.relational import Equality, Relational, Unequality

from optgen.bounds import Bounded, Machine
from optgen.bounds import branches as br
from optgen.bounds import reductions as red
from optgen.bounds.rounding import to_bfloat16
from optgen.dsl.functions import REDUCTIONS, Max, Min, amax, bfloat16, matmul, mean, norm, rms, transpose
from optgen.dsl.inputs import Given
from optgen.dsl.rule import Rule
from optgen.dsl.symbols import cols, elems, first, model, rows
from optgen.errors import OptgenError
from optgen.oracle.reading import NOW, PAST, Key, by_key, key_of, outputs, spine

AXES: Mapping[Any, tuple[int, ...] | None] = {elems: None, rows: (-2,), cols: (-1,)}
ORDER = {sympy.Le: operator.le, sympy.Lt: operator.lt, sympy.Ge: operator.ge, sympy.Gt: operator.gt,
         Equality: operator.eq, Unequality: operator.ne}


@dataclass(slots=True)
class Tensor:
    """static: hyperparameters and extents. known: t, first, which inputs are given and the quantities read so far.
    together: all that step now. common: values that those share.
    reached: what the parameter's update reads, once that is known.
    """

    rule: Rule
    machine: Machine
    static: Mapping[Symbol, bool | Bounded]
    known: dict[Any, Any] = field(default_factory=dict)
    together: list[Tensor] = field(default_factory=list)
    common: dict[Any, Bounded] = field(default_factory=dict)
    reached: dict[Key, None] = field(default_factory=dict)

    # what is in force

    def states(self) -> list[Any]:
        """The quantities whose past the parameter's update needs, in this step or a later one."""
        reached = self._reached()
        pasts = [quantity for quantity, index in reached if index == PAST and quantity != self.rule.param]
        return list(dict.fromkeys(pasts))

    def on_host(self) -> frozenset[Any]:
        """The quantities that depend on t and hyperparameters only, their own past included."""
        return self._free_of()

    def of_model(self) -> frozenset[Any]:
        """Those with one value for all tensors that step together: of sums over the model, and of each other."""
        return self._free_of(model) - self.on_host()

    def single(self) -> frozenset[Any]:
        """Those that are one number for a tensor or for all, but not on the host."""
        return self._free_of(model, elems) - self.on_host()

    def _free_of(self, *sums: Any) -> frozenset[Any]:
        """The quantities that depend on nothing of the tensor, but for sums over these."""
        own: set[Any] = {self.rule.param, self.rule.grad, *self.rule.inputs}
        own |= {q for q, start in self.rule.init.items() if start in (self.rule.param, self.rule.grad)}
        equations = [(k[0], self._equation(k)) for k in self._reached() if k[1] != PAST and not self._is_outer(k)]
        before = -1
        while len(own) != before:
            before = len(own)
            own |= {q for q, expr in equations if {key[0] for key in self._reads(expr, sums)} & own}
        return frozenset(q for q, _ in equations if q not in own)

    def _reached(self) -> Mapping[Key, None]:
        found = self.reached
        if found:
            return found
        waiting: list[Key] = [(self.rule.param, NOW), *((output, NOW) for output in outputs(self.rule))]
        while waiting:
            key = waiting.pop(0)
            if key in found:
                continue
            found[key] = None
            if key[1] == PAST:
                waiting.append((key[0], NOW))
            elif not self._is_outer(key):
                waiting += self._reads(self._equation(key))
        return found

    def _is_outer(self, key: Key) -> bool:
        return key[0] == self.rule.grad or key[0] in self.rule.inputs

    def _reads(self, expr: Any, sums: Sequence[Any] = ()) -> Iterator[Key]:
        """What an expression reads, but in sums over these."""
        if isinstance(expr, Indexed):
            yield key_of(expr)
        elif isinstance(expr, sympy.Piecewise):
            for value, condition in self._branches(expr):
                yield from self._reads(condition, sums)
                yield from self._reads(value, sums)
        elif not isinstance(expr, IndexedBase) and not {*sums} & {*expr.args}:
            for arg in expr.args:
                yield from self._reads(arg, sums)

    def _equation(self, key: Key) -> Any:
        found = by_key(self.rule).get(key)
        if found is None:
            raise OptgenError(f"{key[0]}[{key[1]}] is read, but no equation of rule {self.rule.name!r} computes it")
        return found

    def _branches(self, piecewise: Any, now: bool = False) -> Iterator[tuple[Any, Any]]:
        for value, condition in piecewise.args:
            decided = self.decide(condition, now)
            if decided is not False:
                yield value, sympy.true if decided else condition
            if decided:
                return

    def decide(self, condition: Any, now: bool = False) -> bool | None:
        """Whether a condition holds, as far as hyperparameters and extents tell. That of numbers alone is no choice.

        now: also what is given in this step, on which no state depends.
        """
        match condition:
            case sympy.logic.boolalg.BooleanAtom():
                return bool(condition)
            case Given():
                return bool(self.known[condition]) if now else None
            case Symbol():
                return bool(self.static[condition]) if condition in self.static else None
            case Not():
                inner = self.decide(condition.args[0], now)
                return None if inner is None else not inner
            case And() | Or():
                decisive = isinstance(condition, Or)
                parts = [self.decide(arg, now) for arg in condition.args]
                return decisive if decisive in parts else None if None in parts else not decisive
        if condition.free_symbols and all(s in self.static for s in condition.free_symbols):
            return bool(self.condition(condition).holds)
        return None

    # values

    def read(self, key: Key) -> Bounded:
        """The value of a quantity."""
        if key not in self.known:
            self.known[key] = self.evaluate(self._equation(key))
        made: Bounded = self.known[key]
        return made

    def evaluate(self, expr: Any) -> Bounded:
        """The value of an expression, in the order in which it is written."""
        match expr:
            case Symbol():
                value = self.static.get(expr, self.known.get(expr))
                if not isinstance(value, Bounded):
                    raise OptgenError(f"{expr} has no value: {value}")
                return value
            case Indexed():
                return self.read(key_of(expr))
            case Add():
                return self._sum(expr)
            case Mul():
                return self._product(expr)
            case Pow():
                return self.machine.power(self.evaluate(expr.base), self.evaluate(expr.exp))
            case sympy.Piecewise():
                branches = self._branches(expr, now=True)
                pairs = [(self.evaluate(value), self.condition(condition)) for value, condition in branches]
                return br.select(self.machine, pairs) if len(pairs) > 1 else pairs[0][0]
            case sympy.Rational():
                return self.machine.constant(int(expr.p), int(expr.q))
            case sympy.Float():
                return self.machine.constant(float(expr))
            case sympy.exp() | sympy.log() | sympy.sin() | sympy.cos() | sympy.tanh():
                return self.machine.call(expr.func.__name__, self.evaluate(expr.args[0]))
        return self._rest(expr)

    def _rest(self, expr: Any) -> Bounded:
        if isinstance(expr, REDUCTIONS):
            return self._reduction(expr)
        args = [self.evaluate(arg) for arg in expr.args]
        match expr:
            case sympy.Abs():
                return self.machine.absolute(*args)
            case sympy.sign() | sympy.floor():
                return self.machine.step_function(expr.func.__name__, *args)
            case Max():
                return self.machine.larger(*args)
            case Min():
                return self.machine.smaller(*args)
            case bfloat16():
                return to_bfloat16(self.machine, *args)
            case matmul():
                return red.product(self.machine, *args)
            case transpose():
                return red.transposed(*args)
            case sympy.core.numbers.Pi():
                return self.machine.pi()
        raise OptgenError(f"the oracle does not know {expr}")

    def _sum(self, expr: Any) -> Bounded:
        terms = [self.evaluate(term) for term in spine(expr, Add)]
        made = terms[0]
        for term in terms[1:]:
            made = self.machine.add(made, term)
        return made if made.host else self.machine.gathered(made, [term for term in terms if term.host])

    def _product(self, expr: Any) -> Bounded:
        made: Bounded | None = None
        negative = False
        for factor in spine(expr, Mul):
            if factor == -1:
                negative = not negative
            elif made is None:
                made = self.evaluate(factor)
            elif isinstance(factor, Pow) and factor.exp.is_Number and factor.exp < 0:
                divisor = factor.base if factor.exp == -1 else Pow(factor.base, -factor.exp, evaluate=False)
                made = self.machine.divide(made, self.evaluate(divisor))
            else:
                made = self.machine.multiply(made, self.evaluate(factor))
        made = made or self.machine.constant(1)
        return self.machine.negate(made) if negative else made

    def condition(self, expr: Any) -> br.Condition:
        """Where a condition holds and where that is in doubt."""
        match expr:
            case sympy.logic.boolalg.BooleanAtom():
                return br.known(bool(expr))
            case Symbol():
                in_step = expr == first or isinstance(expr, Given)
                return br.known(bool(self.known[expr] if in_step else self.static[expr]))
            case Not():
                return br.negation(self.condition(expr.args[0]))
            case And():
                return br.conjunction([self.condition(arg) for arg in expr.args])
            case Or():
                return br.disjunction([self.condition(arg) for arg in expr.args])
            case Relational():
                left, right = (self.evaluate(arg) for arg in expr.args)
                return br.compare(self.machine, ORDER[expr.func], left, right)
        raise OptgenError(f"the oracle does not know the condition {expr}")

    # reductions

    def _reduction(self, expr: Any) -> Bounded:
        what, over = expr.args
        if over == model:
            if expr not in self.common:
                self.common[expr] = self._over_model(expr, what)
            return self.common[expr]
        a = self.evaluate(what)
        if isinstance(expr, amax):
            return red.largest(self.machine, a, AXES[over])
        a = self.machine.multiply(a, a) if isinstance(expr, (norm, rms)) else a
        made = red.total(self.machine, a, AXES[over])
        return self._finish(expr, made, a.value.size // max(made.value.size, 1))

    def _over_model(self, expr: Any, what: Any) -> Bounded:
        parts = [peer.evaluate(what) for peer in self.together]
        if isinstance(expr, amax):
            largest = [red.largest(self.machine, part, None) for part in parts]
            made = largest[0]
            for part in largest[1:]:
                made = self.machine.larger(made, part)
            return made
        if isinstance(expr, (norm, rms)):
            parts = [self.machine.multiply(part, part) for part in parts]
        made = red.total_of(self.machine, [red.total(self.machine, part, None) for part in parts])
        return self._finish(expr, made, sum(part.value.size for part in parts))

    def _finish(self, expr: Any, made: Bounded, count: int) -> Bounded:
        if isinstance(expr, (mean, rms)):
            made = self.machine.divide(made, self.machine.constant(count))
        return self.machine.sqrt(made) if isinstance(expr, (norm, rms)) else made
