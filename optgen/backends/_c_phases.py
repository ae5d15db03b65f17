"""C phases: one variant of a rule with reductions, cut into passes over all elements and the values between them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from optgen.backends._c_parameters import draw_text, load_text, pointers, store_text
from optgen.backends._c_ways import FLAT, SPAN, TILE, Way
from optgen.backends._formats import held, is_coded, is_random, name_of
from optgen.codecs import codec
from optgen.fused import is_over_model, kind_of, reduced, stream
from optgen.ir import Map, Op, Reduce, Role, Statement, Step, Var, Write, reads
from optgen.languages import C
from optgen.listing import host_names, quoted
from optgen.passes import Program
from optgen.passes.phase import phase
from optgen.printers import to_text
from optgen.weave import Item

LENGTH = {"row": "tensor->rows", "col": "tensor->cols"}  # of one matrix
COUNT = {"matrix": "tensor->matrices", **{kind: f"tensor->matrices * {length}" for kind, length in LENGTH.items()}}
STARTS = {Op.SUM: "0", Op.MEAN: "0", Op.MAX: "-INFINITY"}


@dataclass(slots=True)
class Places:
    """Where values between phases are kept: the number of each among those of its kind, over all variants."""

    values: dict[str, list[str]] = field(default_factory=dict)
    parts: dict[str, list[str]] = field(default_factory=dict)

    def value(self, kind: str, name: str) -> int:
        """The number of a value."""
        return _number(self.values.setdefault(kind, []), name)

    def part(self, kind: str, name: str) -> int:
        """The number of what tiles leave of a sum."""
        return _number(self.parts.setdefault(kind, []), name)

    def macros(self) -> list[str]:
        """How many there are of each."""
        counts = {f"PER_{kind.upper()}": self.values.get(kind, []) for kind in ("tensor", "matrix", "row", "col")}
        counts |= {"PER_TILE": self.parts.get("tensor", []), "PER_ROW_PART": self.parts.get("row", [])}
        counts["PER_COL_PART"] = self.parts.get("col", [])
        return [f"#define {name} {len(found)}" for name, found in counts.items()]


def _number(names: list[str], name: str) -> int:
    if name not in names:
        names.append(name)
    return names.index(name)


@dataclass(slots=True)
class Variant:
    """One variant.

    stored, read: as the kernel numbers them. rounds: whether storing a state may round it, so that it must be computed
    again. elements, stores: what each phase computes and stores for each element.
    between, kept: what is computed and stored before each phase, and after the last, that is no number per element.
    """

    program: Program
    step: Step
    stored: Sequence[str]
    read: Sequence[Var]
    places: Places
    by_rows: bool
    rounds: bool = True
    elements: list[list[Statement]] = field(default_factory=list)
    stores: list[list[tuple[str, str]]] = field(default_factory=list)
    between: list[list[Statement]] = field(default_factory=list)
    kept: list[list[tuple[str, str]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        done: set[str] = set()
        waiting: list[Statement] = []
        coded = [w.into for w in self.step.writes if self.is_coded(w.into)]
        apart = coded if self.by_rows else ()  # tiles would cut their blocks
        states = [v.name for v in self.step.of_role(Role.STATE) if self.kind(v.name) == "element" and not is_coded(v)]
        for part in phase(self.step, everywhere=True, read_back=() if self.rounds else states, apart=apart):
            waiting += [s for s in part.body if not self.is_element(s) and s.target not in done]
            done |= {s.target for s in waiting}
            elements = [s for s in part.body if self.is_element(s)]
            stores = [(w.into, w.value) for w in part.stores if self.kind(w.into) == "element"]
            if elements or stores or any(map(is_over_model, waiting)):
                self.elements.append(elements)
                self.stores.append(stores)
                self.between.append(waiting)
                waiting = []
        self.between.append(waiting)
        self.kept = [[] for _ in self.between]
        for write in self.step.writes:
            if self.kind(write.into) not in ("host", "element"):
                self.kept[self._stored_before(write)].append((write.into, write.value))

    def _stored_before(self, write: Write) -> int:
        """Before which phase a value is stored: as soon as it is known and nothing more reads its past."""
        known = {s.target: k + is_over_model(s) for k, of in enumerate(self.between) for s in of}
        known |= {s.target: k + 1 for k, of in enumerate(self.elements) for s in of}
        read = [k for k, of in enumerate(self.between) for s in of if write.into in reads(s)]
        read += [k + 1 for k, of in enumerate(self.elements) for s in of if write.into in reads(s)]
        return max(known[write.value], *read, 0)

    # what is what

    def kind(self, name: str) -> str:
        """One number per what a name stands for; host for a scalar of the host."""
        return kind_of(self.step, name)

    def argument(self, statement: Statement) -> str:
        """What a reduction reduces: one number per what."""
        return reduced(self.step, statement)

    def is_element(self, statement: Statement) -> bool:
        """Whether a statement is of a pass over all elements."""
        return (self.kind(statement.target) if isinstance(statement, Map) else self.argument(statement)) == "element"

    def is_stored(self, name: str) -> bool:
        """Whether a name that is not computed is read from memory: the parameter, the gradient, a state."""
        kind = self.kind(name)  # what there is one of per element is not kept elsewhere
        is_known = self.step.var(name).role in (Role.PARAM, Role.GRAD, Role.STATE, Role.INPUT)
        return kind == "element" or (is_known and kind != "host")

    def sums(self, k: int, model: bool) -> list[Reduce]:
        """What phase k reduces over elements: of all tensors, or within one."""
        found = [s for s in self.elements[k] if isinstance(s, Reduce)] if 0 <= k < len(self.elements) else []
        return [s for s in found if is_over_model(s) == model]

    def has_values(self, k: int) -> bool:
        """Whether anything is computed or stored before phase k, or after the last."""
        return k < len(self.between) and bool(self.sums(k - 1, model=False) or self.between[k] or self.kept[k])

    def has_phase(self, k: int) -> bool:
        """Whether phase k goes over elements: one that waits for a value of the model alone does not."""
        return k < len(self.elements) and bool(self.elements[k] or self.stores[k])

    def goes_by_tiles(self, k: int) -> bool:
        """Whether phase k goes over tiles, be each a single row; else over spans, whatever row they are in."""
        return not self.by_rows or self.way(k) is TILE

    def way(self, k: int) -> Way:
        """How phase k goes over elements."""
        if not self.by_rows:
            return FLAT
        if not any(self.is_coded(into) for into, _ in self.stores[k]):
            return TILE
        read = {n for s in self.elements[k] for n in reads(s)} | {value for _, value in self.stores[k]}
        return SPAN if any(self.kind(name) in SPAN.indices for name in read) else FLAT

    def makes(self, k: int) -> list[str]:
        """What phase k sums and stores."""
        if not self.has_phase(k):
            return []
        sums = [s.target for s in self.elements[k] if isinstance(s, Reduce)]
        return [*sums, *(value for _, value in self.stores[k])]

    def computes(self, k: int) -> list[str]:
        """What is computed or stored before phase k, or after the last."""
        if not self.has_values(k):
            return []
        made = [s.target for s in (*self.sums(k - 1, False), *self.between[k])]
        return list(dict.fromkeys([*made, *(value for _, value in self.kept[k])]))

    def is_read_after(self, name: str, k: int) -> bool:
        """Whether a value that is known before phase k is read there, or by what comes later."""
        body = (s for of in (*self.elements[k:], *self.between[k + 1 :]) for s in of)
        stored = (value for of in (*self.stores[k:], *self.kept[k + 1 :]) for _, value in of)
        return any(name in reads(s) for s in body) or name in stored

    # lines

    def text(self, expr: Any) -> str:
        """An expression in C."""
        return to_text(expr, C)

    def type(self, name: str) -> str:
        """The type of a value."""
        return "int" if self.step.var(name).boolean else "real"

    def at(self, name: str) -> str:
        """What is stored under a past name, as an address."""
        stem = stream(self.program, name)
        return f"({stem}_type *)tensor->at[{self.stored.index(stem)}]"

    def stem(self, name: str) -> str:
        """The name of what is stored under a past name."""
        return stream(self.program, name)

    def number(self, name: str) -> int:
        """The place of a value among those of its kind."""
        return self.places.value(self.kind(name), name)

    def values(self, name: str) -> str:
        """Where a value is kept between phases; one per tensor by its number."""
        kind = self.kind(name)
        return "values" if kind == "tensor" else f"{kind}_values(tensor, values, {self.number(name)})"

    def pointer(self, name: str) -> str:
        """The declaration of the address of what is stored."""
        return f"{self.stem(name)}_type *{self.stem(name)}_at = {self.at(name)}"

    def beside(self, name: str) -> list[str]:
        """The declarations of the addresses of what is stored beside a parameter."""
        made = held(self.step.var(name))
        return [*pointers(self.stem(name), made, self.stored)] if made else []

    def drawn(self, k: int, way: Way) -> Iterator[Item]:
        """The line that draws random bits for a parameter that phase k rounds by chance."""
        for into in (into for into, _ in self.stores[k] if is_random(self.step.var(into))):
            yield (draw_text(self.stem(into), self.read, way.first, way.count),)

    def is_coded(self, name: str) -> bool:
        """Whether what is stored under a past name is codes, which lie in a buffer while they are numbers."""
        return is_coded(self.step.var(name))

    def buffered(self, function: str, names: Sequence[str], way: Way) -> Iterator[Item]:
        """The lines that fill the buffers of what is stored as codes, or encode these."""
        for name in filter(self.is_coded, names):
            var, stem = self.step.var(name), self.stem(name)
            places = [f"tensor->at[{self.stored.index(f'{stem}{part.suffix}')}]" for part in codec(var.codec).parts]
            given = ", ".join([f"{stem}_values", *places, way.first, way.count])
            yield (f"{function}_{name_of(var)}({given});",)

    def scalars(self, wanted: set[str]) -> Iterator[Item]:
        """The scalars of the host that are read. A name may be one in another variant only."""
        wanted &= host_names(self.step)
        for k, var in enumerate(self.read):
            if var.name in wanted and self.kind(var.name) == "host":
                value = f"row[{k}] != 0" if var.boolean else f"(real)row[{k}]"
                yield (f"const {self.type(var.name)} {var.name} = {value};",)

    def loaded(self, name: str, index: str) -> str:
        """A line that reads a value of which there are several, from memory or from between phases."""
        stem = stream(self.program, name)
        if self.is_coded(name):
            return f"const real {name} = {stem}_values[{index}];"
        made = held(self.step.var(name))
        if made is not None and not is_random(self.step.var(name)):
            return f"const real {name} = {load_text(stem, made, index)};"
        value = f"load({stem}_type, {stem}_at + {index})" if self.is_stored(name) else f"{name}_values[{index}]"
        return f"const real {name} = {value};"

    def kept_as(self, into: str, value: str, way: Way) -> str:
        """The line that stores a value of which there is one per element."""
        stem, made = self.stem(into), held(self.step.var(into))
        if made is not None:
            return store_text(stem, made, "i", value, way.at)
        return f"{stem}_values[i] = {value};" if self.is_coded(into) else f"store({stem}_type, {stem}_at + i, {value});"

    def quoted(self, statements: Sequence[Statement]) -> Iterator[Item | Statement]:
        """The statements, those of an equation after a comment that quotes it."""
        return quoted(self.program, self.step, statements, "//")

    def accumulated(self, statement: Reduce, into: str) -> str:
        """The line that adds an element to a sum, or keeps the larger."""
        if statement.op is Op.MAX:
            return f"{into} = maximum({into}, {self.text(statement.arg)});"
        return f"{into} += {self.text(statement.arg)};"
