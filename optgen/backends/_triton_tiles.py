"""Triton tiles: the launches of one variant of a rule that sums over rows or columns.

A phase goes over all elements in tiles of matrices, and leaves a part of what it sums of each row and column that
crosses a tile. One that stores codes sums nothing, and goes in spans instead, straight through the rows of a matrix:
tiles would cut their blocks. Between phases a launch over lines, rows and columns, adds these up, computes what there
is one of per row or column, and stores it. What is one number for a matrix or tensor is computed where it is needed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from optgen.backends._formats import is_coded
from optgen.backends._triton_kernels import WHAT, Kernel, Places, column_of
from optgen.fused import is_over_model, kind_of, reduced
from optgen.ir import Map, Reduce, Role, Statement, Step, Var, Write, reads
from optgen.listing import quoted
from optgen.passes import Program
from optgen.passes.phase import phase
from optgen.weave import Item

LINES = ("row", "col")
NAMES = {"chunk": "_phase", "span": "_span", "line": "_lines", "tensor": "_values"}


@dataclass(slots=True)
class Tiled:
    """One variant. rounds: whether storing a state may round it, so that it must be computed again.

    stored, read: as kernels number them. texts: the equations. calls: what is launched, as lines of Python.
    """

    program: Program
    step: Step
    rounds: bool
    stored: Mapping[str, Var]
    read: Sequence[Var]
    places: Places
    texts: Mapping[str, str] | None = None
    kernels: list[Kernel] = field(default_factory=list)
    calls: list[Item] = field(default_factory=list)

    def __post_init__(self) -> None:
        late = [w for w in self.step.writes if self.kind(w.into) in ("matrix", "tensor")]
        kinds = LINES if self.rounds else ("element", *LINES)  # of what may be read back; values of lines are kept
        coded = {v.name for v in self.step.of_role(Role.STATE) if is_coded(v)}
        states = {v.name for v in self.step.of_role(Role.STATE) if self.kind(v.name) in kinds} - coded
        step = replace(self.step, writes=tuple(w for w in self.step.writes if w not in late))
        done: set[str] = set()
        sums: list[Reduce] = []  # of lines, that tiles have left
        waiting: list[Write] = []  # for others to have read the past
        for part in phase(step, everywhere=True, read_back=states, apart=coded):
            lines = [s for s in part.body if self._is_of_lines(s) and s.target not in done]
            elements = [s for s in part.body if self.is_element(s)]
            waiting += [w for w in part.stores if self.kind(w.into) in LINES]
            past = {name for s in elements for name in reads(s)}
            stores = tuple(w for w in waiting if w.into not in past)
            self._add("line", lines, stores, finishes=sums)
            waiting, sums = [w for w in waiting if w not in stores], []
            done |= {s.target for s in lines}
            self._add("tensor", [s for s in part.body if self._is_share(s)])
            whole = tuple(w for w in part.stores if self.kind(w.into) == "element")
            each = "span" if coded & {w.into for w in whole} else "chunk"
            self._add(each, elements, whole, loads=part.loads)
            sums += [s for s in elements if isinstance(s, Reduce) and self.kind(s.target) in LINES]
        self._add("line", (), tuple(waiting), finishes=sums)
        self._add("line", (), tuple(w for w in late if self.kind(w.into) == "matrix"))
        self._add("tensor", (), tuple(w for w in late if self.kind(w.into) == "tensor"))
        self._keep()

    def _add(
        self, each: str, body: Sequence[Statement], stores: tuple[Write, ...] = (), *, loads: tuple[str, ...] = (),
        finishes: Sequence[Reduce] = ()
    ) -> None:
        """Adds a kernel, unless it had nothing to do, and the launches that combine what its programs leave."""
        if not (body or stores or finishes):
            return
        name = f"{NAMES[each]}_{sum(kernel.each == each for kernel in self.kernels) + 1}"
        statements = self._with_values(body, stores)
        self.kernels.append(Kernel(name, each, statements, loads, stores, tuple(finishes)))
        self.calls.append((f"launches.each_{each}({name})",))
        columns = {"line": self.places.lines, "tensor": self.places.shares}.get(each, self.places.parts)
        for s in body:
            if isinstance(s, Reduce) and self.kind(s.target) not in LINES:
                column = column_of(columns, s.target)
                if is_over_model(s):
                    place = column_of(self.places.common, s.target)
                    self.calls.append((f"launches.{WHAT[s.op]}_of_{each}s({column}, {place})",))

    def _with_values(self, wanted: Sequence[Statement], stores: Sequence[Write]) -> tuple[Statement, ...]:
        """The statements, with those of numbers per matrix and tensor that they need."""
        needed = {w.value for w in stores}
        found = []
        for s in reversed(self.step.body):
            is_value = isinstance(s, Map) and self.kind(s.target) in ("matrix", "tensor") and s.target in needed
            if s in wanted or is_value:
                found.append(s)
                needed |= {*reads(s)}
        return tuple(reversed(found))

    def _keep(self) -> None:
        """Tells the kernels over lines what later ones read."""
        read: set[str] = set()
        for at in reversed(range(len(self.kernels))):
            kernel = self.kernels[at]
            if kernel.each == "line":
                keeps = tuple(name for name in self.makes_lines(kernel) if name in read)
                self.kernels[at] = replace(kernel, keeps=keeps)
            read |= {name for s in kernel.body for name in reads(s)} | {w.value for w in kernel.stores}
        for kernel in self.kernels:
            for s in kernel.body:
                if isinstance(s, Reduce) and kernel.each == "chunk" and self.kind(s.target) in LINES:
                    column_of(self.places.planes[f"{self.kind(s.target)}_parts"], s.target)
            for name in kernel.keeps:
                column_of(self.places.planes[f"{self.kind(name)}_values"], name)

    def makes_lines(self, kernel: Kernel) -> list[str]:
        """What a kernel over lines computes, one number for each row or column."""
        return [s.target for s in (*kernel.finishes, *kernel.body) if self.kind(s.target) in LINES]

    def kind(self, name: str) -> str:
        """One number per what a name stands for; host for a scalar of the host."""
        return kind_of(self.step, name)

    def is_element(self, statement: Statement) -> bool:
        """Whether a statement is of a pass over all elements."""
        return (self.kind(statement.target) if isinstance(statement, Map) else self.argument(statement)) == "element"

    def argument(self, statement: Statement) -> str:
        """What a reduction reduces: one number per what."""
        return reduced(self.step, statement)

    def quoted(self, statements: Iterable[Statement]) -> Iterator[Item | Statement]:
        """The statements, those of an equation after a comment that quotes it."""
        return quoted(self.program, self.step, statements, texts=self.texts)

    def _is_of_lines(self, statement: Statement) -> bool:
        """Whether a statement is of a pass over rows and columns."""
        return (self.kind(statement.target) if isinstance(statement, Map) else self.argument(statement)) in LINES

    def _is_share(self, statement: Statement) -> bool:
        return is_over_model(statement) and self.argument(statement) == "tensor"
