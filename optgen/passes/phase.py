"""Phase: cut the body where a value needs all of another; each part is one pass over memory.

Assumes a hoisted step. Establishes that a phase reads stored quantities, results of reductions and of earlier
products, and what it computes itself: what an earlier phase computed is computed again, or loaded if it was stored. A
stored quantity is overwritten in the last phase that still needs its past. Where nothing may be read back, since a
store may round it, a stored quantity is computed again too, and one that is kept apart is stored in a phase that sums
over no elements. What kernels may sum or store later, they do where the phases then move less memory, and they read
nothing of each element back unless that moves less.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from optgen.ir import ELEMENT, TENSOR, Map, MatMul, Phase, Place, Reduce, Role, Statement, Step, Write, reads


def phase(
    step: Step, everywhere: bool, read_back: Collection[str] | None = None, apart: Collection[str] = ()
) -> tuple[Phase, ...]:
    """The body in phases. `everywhere` cuts at each reduction and product, as kernels must; else at the model's.

    read_back: the stored quantities of which a phase may load what an earlier one has stored, by their past names;
    None for all. apart: those that no phase stores which sums over elements, by their past names.
    """
    best = _least(step, everywhere, read_back, apart)
    few = None if read_back is None else [name for name in read_back if step.var(name).axes != ELEMENT]
    if everywhere and few is not None and len(few) < len(read_back or ()):
        others = _least(step, everywhere, few, apart)
        best = others if len(others) == len(best) and _moved(step, others) <= _moved(step, best) else best
    return best


def _least(
    step: Step, everywhere: bool, read_back: Collection[str] | None, apart: Collection[str]
) -> tuple[Phase, ...]:
    """The phases in which what may wait does so as long as each wait moves less memory."""
    best = _Cutter(step, everywhere, read_back, apart, {}).phases()
    later: dict[str, int] = {}
    for name in _movable(step) if everywhere and len(best) > 1 else ():
        for wait in range(1, len(best)):
            parts = _Cutter(step, everywhere, read_back, apart, {**later, name: wait}).phases()
            if len(parts) == len(best) and _moved(step, parts) < _moved(step, best):
                best, later = parts, {**later, name: wait}
    return best


def _movable(step: Step) -> list[str]:
    """What may be summed or stored in a later phase than the first that could."""
    sums = [s.target for s in step.body if isinstance(s, Reduce)]
    return [*sums, *(w.value for w in step.writes if w.value not in sums)]


def _moved(step: Step, parts: tuple[Phase, ...]) -> int:
    """How many values per element all phases load and store."""
    names = [name for part in parts for name in (*part.loads, *(w.into for w in part.stores))]
    return sum(step.var(name).axes == ELEMENT for name in names)


@dataclass(slots=True)
class _Cutter:
    step: Step
    everywhere: bool
    read_back: Collection[str] | None
    apart: Collection[str]
    later: Mapping[str, int]
    level: dict[str, int] = field(default_factory=dict)
    ready: dict[str, int] = field(default_factory=dict)
    by_target: dict[str, Statement] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for statement in self.step.body:
            level = max((self.ready.get(name, 0) for name in reads(statement)), default=0)
            if (
                isinstance(statement, MatMul)
                and self.everywhere
                and any(name in self.level for name in reads(statement))
            ):
                level += 1
            if isinstance(statement, Reduce):
                level += self.later.get(statement.target, 0)
            self.level[statement.target] = level
            self.ready[statement.target] = level + self._cuts(statement)
            self.by_target[statement.target] = statement

    def phases(self) -> tuple[Phase, ...]:
        writes = [w for w in self.step.writes if self.step.var(w.into).place is Place.DEVICE]
        sums = {s.target for s in self.step.body if isinstance(s, Reduce)}
        wait = {name: count for name, count in self.later.items() if name not in sums}
        store = {w.value: self.ready.get(w.value, 0) + wait.get(w.value, 0) for w in writes}
        while True:
            count = max([*self.level.values(), *store.values(), 0]) + 1
            made = [self._phase(k, writes, store) for k in range(count)]
            late = {w.value: k + 1 for k, part in enumerate(made) if self._sums(part) for w in self._of_apart(part)}
            late |= {
                w.value: k for k, part in enumerate(made) for w in writes if w.into in part.loads and k > store[w.value]
            }
            if not late:
                return tuple(part for part in made if part.body or part.stores) or tuple(made[:1])
            store |= late

    def _of_apart(self, part: Phase) -> list[Write]:
        return [w for w in part.stores if w.into in self.apart]

    def _sums(self, part: Phase) -> bool:
        """Whether a phase reduces over elements."""
        sums = [s for s in part.body if isinstance(s, Reduce)]
        return {*ELEMENT} in ({axis for name in reads(s) for axis in self.step.var(name).axes} for s in sums)

    def _cuts(self, statement: Statement) -> bool:
        match statement:
            case Map():
                return False
            case MatMul():
                return self.everywhere
            case Reduce(over=over):
                return self.everywhere or TENSOR in over

    def _phase(self, k: int, writes: list[Write], store: dict[str, int]) -> Phase:
        stores = tuple(w for w in writes if store[w.value] == k)
        needed = {s.target for s in self.step.body if self.level[s.target] == k and not self._late(s, k, store)}
        waiting = [*needed, *(w.value for w in stores)]
        body: set[str] = set()
        loads: set[str] = set()
        while waiting:
            name = waiting.pop()
            if name in body or name in loads:
                continue
            statement = self.by_target.get(name)
            if statement is None:
                loads |= {name} if self._is_stored(name) else set()
            elif name in store and store[name] < k and self._may_be_loaded(name):
                loads.add(name)
            elif self.ready[name] > self.level[name] and self.level[name] < k:
                continue  # a finished reduction or product
            else:
                body.add(name)
                waiting += reads(statement)
        order = [v.name for v in self.step.vars if v.name in loads]
        return Phase(tuple(order), tuple(s for s in self.step.body if s.target in body), stores)

    def _late(self, statement: Statement, k: int, store: dict[str, int]) -> bool:
        """Whether a value that no phase hands on is needed by other phases only."""
        return not self._cuts(statement) and not (statement.target in store and store[statement.target] == k)

    def _may_be_loaded(self, value: str) -> bool:
        into = next(w.into for w in self.step.writes if w.value == value)
        return self.read_back is None or into in self.read_back

    def _is_stored(self, name: str) -> bool:
        return (
            self.step.var(name).role in (Role.PARAM, Role.GRAD, Role.INPUT, Role.STATE)
            and self.step.var(name).place is Place.DEVICE
        )
