"""Triton phases: the launches of one variant of a rule with reductions, and the lines of their kernels.

A phase goes over all elements; each of its programs leaves what it sums of its chunk, a part. What is one number for a
whole tensor is computed of the parts where it is needed, by each program anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from optgen.backends import _triton_formats as formats
from optgen.backends import _triton_parameters as parameters
from optgen.backends._formats import is_coded, takes_seed
from optgen.backends._triton_kernels import EMPTY, WHAT, Kernel, Places, column_of, mapped, needed_lines, past
from optgen.backends._triton_streams import address_of, kept_in, record_length
from optgen.backends._triton_time import row_length
from optgen.fused import ORDER, is_over_model, kind_of, reduced, stream
from optgen.ir import Map, Op, Reduce, Role, Statement, Step, Var, Write, reads
from optgen.languages import TRITON
from optgen.listing import host_names, quoted
from optgen.passes import Program
from optgen.passes.phase import phase
from optgen.printers import to_text
from optgen.weave import Item


@dataclass(slots=True)
class Variant:
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
        whole = [w for w in self.step.writes if kind_of(self.step, w.into) == "element"]
        states = {
            v.name for v in self.step.of_role(Role.STATE) if kind_of(self.step, v.name) == "element" and not is_coded(v)
        }
        step = replace(self.step, writes=tuple(whole))  # one number for a tensor is stored after all have read its past
        for part in phase(step, everywhere=True, read_back=set() if self.rounds else states):
            self._launch("values", "tensor", [s for s in part.body if self._is_share(s)], (), ())
            elements = [s for s in part.body if self.is_element(s)]
            self._launch("phase", "chunk", elements, part.loads, part.stores)
        kept = tuple(w for w in self.step.writes if kind_of(self.step, w.into) == "tensor")
        self._launch("values", "tensor", (), (), kept)

    def _launch(
        self, name: str, each: str, wanted: Sequence[Statement], loads: tuple[str, ...], stores: tuple[Write, ...]
    ) -> None:
        """Adds a kernel, unless it had nothing to do, and the launches that combine what its programs leave."""
        if not (wanted or stores):
            return
        name = f"_{name}_{sum(kernel.each == each for kernel in self.kernels) + 1}"
        self.kernels.append(Kernel(name, each, self._with_values(wanted, stores), loads, stores))
        self.calls.append((f"launches.each_{each}({name})",))
        columns = self.places.parts if each == "chunk" else self.places.shares
        for s in wanted:
            if isinstance(s, Reduce):
                column = column_of(columns, s.target)
                if is_over_model(s):
                    place = column_of(self.places.common, s.target)
                    self.calls.append((f"launches.{WHAT[s.op]}_of_{each}s({column}, {place})",))

    def _with_values(self, wanted: Sequence[Statement], stores: Sequence[Write]) -> tuple[Statement, ...]:
        """The statements, with those of numbers per tensor that they need."""
        needed = {w.value for w in stores}
        found = []
        for s in reversed(self.step.body):
            is_value = isinstance(s, Map) and not self.is_element(s) and s.target in needed
            if s in wanted or is_value:
                found.append(s)
                needed |= {*reads(s)}
        return tuple(reversed(found))

    def is_element(self, statement: Statement) -> bool:
        """Whether a statement is of a pass over all elements."""
        if isinstance(statement, Map):
            return kind_of(self.step, statement.target) == "element"
        return reduced(self.step, statement) == "element"

    def quoted(self, statements: Iterable[Statement]) -> Iterator[Item | Statement]:
        """The statements, those of an equation after a comment that quotes it."""
        return quoted(self.program, self.step, statements, texts=self.texts)

    def _is_share(self, statement: Statement) -> bool:
        return is_over_model(statement) and not self.is_element(statement)


def opening(variant: Variant, kernel: Kernel) -> list[Item]:
    """What a program reads and computes before its loop, or in all where it has none."""
    step, values = variant.step, [s for s in kernel.body if isinstance(s, Map) and not variant.is_element(s)]
    lines = [*_work(variant, kernel), *_pointers(variant, kernel), *_chance(variant, kernel)]
    wanted = {name for s in kernel.body for name in reads(s)} | {write.value for write in kernel.stores}
    wanted -= {s.target for s in kernel.body}
    lines += [*scalars_of(step, variant.read, wanted)]
    for s in step.body:
        if s.target in wanted and isinstance(s, Reduce):
            lines.append((f"{s.target} = {_finished(variant, s)}",))
    lines += [(f"{s.target} = tl.full((), {EMPTY[s.op]}, COMPUTE)",) for s in sums_of(variant, kernel)]
    for statement in variant.quoted(values):
        lines += [statement if isinstance(statement, tuple) else mapped(statement)]
    rest = [*body(variant, kernel), *ends(variant, kernel)]
    return needed_lines(lines, rest, ["word", "left"] if kernel.each == "chunk" else [])


def _work(variant: Variant, kernel: Kernel) -> Iterator[Item]:
    """What a program works on."""
    of_chunk, numel = kernel.each == "chunk", len(kept_in(variant.stored))
    tensor, length = "tensor" if of_chunk else "tensor_of(word)", numel + 2 + takes_seed(variant.program)
    yield ("word = tl.load(words + tl.program_id(0))",)
    yield ("tensor = tensor_of(word)",)
    yield (f"record = records + {tensor} * {record_length(length)}",)
    yield (f"row = {past('scalars', 'row_of(word)', row_length(variant.program, variant.read))}",)
    yield ("start = chunk_of(word) * chunk",)
    yield (f"elements = tl.load(record + {numel})",)
    yield ("left = tl.minimum(elements - start, chunk).to(tl.int32)",)
    if of_chunk:
        yield ("if SCALED:", "    left = tl.where(truth(found_inf), 0, left)")
    yield ("factor = div(1.0, tl.load(grad_scale).to(COMPUTE), True) if SCALED else 1.0",)
    yield (f"its_parts = {past('parts', f'tl.load(record + {numel + 1})', len(variant.places.parts))}",)
    kind, width = ("parts", len(variant.places.parts)) if of_chunk else ("shares", len(variant.places.shares))
    yield (f"mine = {past(kind, 'tl.program_id(0).to(tl.int64)', width)}",)
    yield ("chunks = tl.cdiv(elements, chunk).to(tl.int32)",)
    yield ("goes = ~truth(found_inf) if SCALED else tl.full((), 1, tl.int1)",)


def _pointers(variant: Variant, kernel: Kernel) -> Iterator[Item]:
    """Where the elements and the numbers per tensor are that a program reads or writes."""
    step = variant.step
    values = {name for s in kernel.body for name in reads(s) if kind_of(step, name) == "tensor"}
    used = {stream(variant.program, name) for name in (*kernel.loads, *values, *(w.into for w in kernel.stores))}
    for name in variant.stored:
        if name not in used:
            continue
        mine = next(v for v in step.of_role(*ORDER) if stream(variant.program, v.name) == name)
        if kind_of(step, mine.name) == "element":
            yield from ((line,) for line in formats.pointers(variant.stored, name))
        else:
            yield (f"{name}_at = stream({address_of(variant.stored, name)}, {name}_type, 0)",)
    for name in sorted(values):
        if step.var(name).role is Role.STATE:
            yield (f"{name} = tl.load({stream(variant.program, name)}_at).to(COMPUTE)",)


def _chance(variant: Variant, kernel: Kernel) -> Iterator[Item]:
    """What random bits depend on, for a parameter that the program rounds by chance."""
    scalars, numbers = len(variant.read), len(kept_in(variant.stored)) + 2
    yield from parameters.chance_of(variant.step, kernel, variant.stored, scalars, numbers)


def scalars_of(step: Step, read: Sequence[Var], wanted: set[str]) -> Iterator[Item]:
    """The scalars of the host that are read. A name may be one in another variant only."""
    for k, var in enumerate(read):
        if var.name in wanted & host_names(step):
            yield (f"{var.name} = {'truth' if var.boolean else 'tl.load'}(row + {k})",)


def _finished(variant: Variant, s: Reduce) -> str:
    """What an earlier launch has left of a reduction."""
    if is_over_model(s):
        return f"tl.load(common + {column_of(variant.places.common, s.target)})"
    column = column_of(variant.places.parts, s.target)
    of = f"(its_parts + {column}, chunks, {len(variant.places.parts)})"
    found = f"{'largest' if s.op is Op.MAX else 'summed'}{of}"
    return f"div({found}, elements.to(COMPUTE), STRICT)" if s.op is Op.MEAN else found


def sums_of(variant: Variant, kernel: Kernel) -> list[Reduce]:
    """What a program sums over its elements."""
    return [s for s in kernel.body if isinstance(s, Reduce) and kernel.each == "chunk"]


def makes(kernel: Kernel) -> list[str]:
    """What a kernel leaves for later launches and for later steps."""
    return [*(s.target for s in kernel.body if isinstance(s, Reduce)), *(write.value for write in kernel.stores)]


def starts(variant: Variant, kernel: Kernel) -> Iterator[Item]:
    """Where sums begin, one for each element of a turn."""
    size = formats.size(variant.stored)
    for s in sums_of(variant, kernel):
        yield (f"{s.target}_block = tl.full({size}, {EMPTY[s.op]}, COMPUTE)",)


def sums(variant: Variant, kernel: Kernel) -> Iterator[Item]:
    """What is made of sums after a loop: those of the masked one go on from those of the main one."""
    for s in sums_of(variant, kernel):
        found = f"highest({s.target}_block)" if s.op is Op.MAX else f"tl.sum({s.target}_block)"
        yield (f"{s.target} = maximum({s.target}, {found})" if s.op is Op.MAX else f"{s.target} += {found}",)


def body(variant: Variant, kernel: Kernel) -> Iterator[Item]:
    """What is done with a block of elements: loads, one statement a line with its equation, stores."""
    if kernel.each != "chunk":
        return
    for name in kernel.loads:
        if kind_of(variant.step, name) == "element":
            yield from formats.load_lines(name, stream(variant.program, name), variant.stored)
    for statement in variant.quoted(filter(variant.is_element, kernel.body)):
        match statement:
            case Reduce(target=target, op=op, arg=arg):
                value = f"inside({to_text(arg, TRITON)}, {EMPTY[op]}, at, left, tail, BLOCK)"
                into = f"{target}_block"
                yield (f"{into} = maximum({into}, {value})" if op is Op.MAX else f"{into} += {value}",)
            case tuple():
                yield statement
            case _:
                yield mapped(statement)
    for write in kernel.stores:
        yield from formats.store_lines(stream(variant.program, write.into), write.value, variant.stored)


def ends(variant: Variant, kernel: Kernel) -> Iterator[Item]:
    """What a program leaves."""
    if kernel.each == "chunk":
        for s in sums_of(variant, kernel):
            yield (f"tl.store(mine + {column_of(variant.places.parts, s.target)}, {s.target})",)
        return
    for statement in variant.quoted([s for s in kernel.body if isinstance(s, Reduce)]):
        if isinstance(statement, Reduce):
            column = column_of(variant.places.shares, statement.target)
            yield (f"tl.store(mine + {column}, {to_text(statement.arg, TRITON)})",)
        elif isinstance(statement, tuple):
            yield statement
    for write in kernel.stores:
        yield (f"put({stream(variant.program, write.into)}_at, {write.value}, goes)",)
