"""Triton tile lines: the lines of the kernels of one variant of a rule that sums over rows or columns."""

from __future__ import annotations

from collections.abc import Iterator

from optgen.backends import _triton_formats as formats
from optgen.backends._triton_kernels import EMPTY, Kernel, column_of, mapped, needed_lines
from optgen.backends._triton_phases import scalars_of
from optgen.backends._triton_tile_places import COUNT, WALKS, chance, numbers, places, pointers, work
from optgen.backends._triton_tiles import Tiled
from optgen.fused import stream
from optgen.ir import Map, Op, Reduce, Role, Statement, reads
from optgen.languages import TRITON
from optgen.printers import to_text
from optgen.weave import Item

TURN = "ROWS // 2 if tail else ROWS"
WHERE = "at, height, width, tail, ROWS, COLS"  # a turn is in its tile
OTHER = {"row": "col", "col": "row"}


def opening(variant: Tiled, kernel: Kernel) -> list[Item]:
    """What a program reads and computes before its loop, or before it looks at lines, or in all."""
    wanted = {name for s in kernel.body for name in reads(s)} | {write.value for write in kernel.stores}
    wanted -= {s.target for s in kernel.body}
    lines = [*work(variant, kernel), *places(variant, kernel), *pointers(variant, kernel), *chance(variant, kernel)]
    lines += [*scalars_of(variant.step, variant.read, wanted), *numbers(variant, wanted)]
    if kernel.each == "chunk":
        lines += _of_columns(variant, kernel)
    lines += [(f"{s.target} = tl.full({_size(variant, s)}, {EMPTY[s.op]}, COMPUTE)",) for s in sums_of(variant, kernel)]
    values = [s for s in kernel.body if isinstance(s, Map) and variant.kind(s.target) in ("matrix", "tensor")]
    for statement in variant.quoted(values):
        lines += [statement if isinstance(statement, tuple) else mapped(statement)]
    rest = [item for part in (starts, body, rows, cols, ends) for item in part(variant, kernel)]
    loop = {"chunk": ["word", "height", "width"], "span": ["word", "left"], "line": ["block", "row_blocks"]}
    return needed_lines(lines, rest, loop.get(kernel.each, []))


def _of_columns(variant: Tiled, kernel: Kernel) -> Iterator[Item]:
    """What a tile reads of its columns."""
    for name in _lines_read(variant, kernel, "col"):
        yield (f"{name} = load_cols({_at(variant, name)}, width, COLS, COMPUTE)",)


def _lines_read(variant: Tiled, kernel: Kernel, kind: str) -> list[str]:
    """What a kernel reads of what there is one of per row, or per column, and does not compute itself."""
    read = {name for s in kernel.body for name in reads(s)} | {w.value for w in kernel.stores}
    made = {s.target for s in (*kernel.body, *kernel.finishes)} if kernel.each == "line" else set[str]()
    return [v.name for v in variant.step.vars if v.name in read - made and variant.kind(v.name) == kind]


def _at(variant: Tiled, name: str) -> str:
    is_state = variant.step.var(name).role is Role.STATE
    return f"{stream(variant.program, name)}_at" if is_state else f"{name}_values"


def _size(variant: Tiled, s: Reduce) -> str:
    return "(COLS,)" if variant.kind(s.target) == "col" else "()"


def sums_of(variant: Tiled, kernel: Kernel) -> list[Reduce]:
    """What a program sums until its end. What it sums of a row it leaves at once."""
    found = [s for s in kernel.body if isinstance(s, Reduce) and kernel.each != "tensor"]
    return [s for s in found if variant.kind(s.target) != "row"]


def makes(kernel: Kernel) -> list[str]:
    """What a kernel leaves for later launches and for later steps."""
    made = [*kernel.keeps, *(s.target for s in kernel.body if isinstance(s, Reduce))]
    return list(dict.fromkeys([*made, *(write.value for write in kernel.stores)]))


def starts(variant: Tiled, kernel: Kernel) -> Iterator[Item]:
    """Where sums begin, one for each element of a turn."""
    for s in sums_of(variant, kernel) if kernel.each == "chunk" else ():
        yield (f"{s.target}_block = tl.full(({TURN}, COLS), {EMPTY[s.op]}, COMPUTE)",)


def sums(variant: Tiled, kernel: Kernel) -> Iterator[Item]:
    """What is made of sums after a loop: those of the masked one go on from those of the main one."""
    for s in sums_of(variant, kernel) if kernel.each == "chunk" else ():
        name, block = s.target, f"{s.target}_block"
        if variant.kind(name) == "col":
            found = _over(s.op, block, 0)
        else:
            found = f"highest({_over(s.op, block, 1)})" if s.op is Op.MAX else f"tl.sum({_over(s.op, block, 1)})"
        yield (f"{name} = maximum({name}, {found})" if s.op is Op.MAX else f"{name} += {found}",)


def _over(op: Op, value: str, axis: int) -> str:
    return f"highest_along({value}, {axis})" if op is Op.MAX else f"tl.sum({value}, {axis})"


def body(variant: Tiled, kernel: Kernel) -> Iterator[Item]:
    """What is done with some rows of a tile: loads, one statement a line with its equation, stores."""
    if kernel.each not in WALKS:
        return
    walk = WALKS[kernel.each]
    for name in kernel.loads:
        if variant.kind(name) == "element":
            yield from formats.load_lines(name, stream(variant.program, name), variant.stored, walk)
    yield from _of_rows(variant, kernel) if kernel.each == "chunk" else _of_both(variant, kernel)
    for statement in variant.quoted(filter(variant.is_element, kernel.body)):
        match statement:
            case Reduce():
                yield from _summed(variant, statement)
            case tuple():
                yield statement
            case _:
                yield mapped(statement)
    for write in kernel.stores:
        yield from formats.store_lines(stream(variant.program, write.into), write.value, variant.stored, walk)


def _of_rows(variant: Tiled, kernel: Kernel) -> Iterator[Item]:
    """What a turn reads of its rows in a tile, whose columns are known."""
    for name in _lines_read(variant, kernel, "row"):
        yield (f"{name} = load_rows({_at(variant, name)}, at, height, tail, ROWS, COMPUTE)",)


def _of_both(variant: Tiled, kernel: Kernel) -> Iterator[Item]:
    """What a turn reads, straight through rows, of the row and the column of each element."""
    where = "at_col, its_cols, at, left, tail, BLOCK, VEC"
    for name in _lines_read(variant, kernel, "row"):
        yield (f"{name} = of_rows({_at(variant, name)}, {where}, COMPUTE)",)
    for name in _lines_read(variant, kernel, "col"):
        aligned = "1" if variant.step.var(name).role is Role.STATE else "VEC"  # a state may lie anywhere
        yield (f"{name} = of_cols({_at(variant, name)}, {where}, {aligned}, COMPUTE)",)


def _summed(variant: Tiled, s: Reduce) -> Iterator[Item]:
    name, block = s.target, f"{s.target}_block"
    value = f"inside({to_text(s.arg, TRITON)}, {EMPTY[s.op]}, {WHERE})"
    if variant.kind(name) == "row":
        yield (f"{name} = {_over(s.op, value, 1)}",)
        yield (f"put_rows({name}_parts, {name}, at, height, tail, ROWS)",)
    else:
        yield (f"{block} = maximum({block}, {value})" if s.op is Op.MAX else f"{block} += {value}",)


def ends(variant: Tiled, kernel: Kernel) -> Iterator[Item]:
    """What a program leaves."""
    for s in sums_of(variant, kernel):
        if variant.kind(s.target) == "col":
            yield (f"put_cols({s.target}_parts, {s.target}, width, COLS)",)
        else:
            columns = variant.places.parts if kernel.each == "chunk" else variant.places.lines
            yield (f"tl.store(mine + {column_of(columns, s.target)}, {s.target})",)
    if kernel.each == "tensor":
        for statement in variant.quoted([s for s in kernel.body if isinstance(s, Reduce)]):
            yield statement if isinstance(statement, tuple) else _shared(variant, statement)
    for write in kernel.stores:
        kind = variant.kind(write.into)
        if kind in ("matrix", "tensor"):
            goes = "goes & (block == 0)" if kind == "matrix" else "goes"
            yield (f"put({stream(variant.program, write.into)}_at, {write.value}, {goes})",)


def _shared(variant: Tiled, s: Statement) -> Item:
    assert isinstance(s, Reduce)
    return (f"tl.store(mine + {column_of(variant.places.shares, s.target)}, {to_text(s.arg, TRITON)})",)


def rows(variant: Tiled, kernel: Kernel) -> Iterator[Item]:
    """What a program over lines does with rows."""
    yield from _of_lines(variant, kernel, "row") if kernel.each == "line" else ()


def cols(variant: Tiled, kernel: Kernel) -> Iterator[Item]:
    """What it does with columns."""
    yield from _of_lines(variant, kernel, "col") if kernel.each == "line" else ()


def _of_lines(variant: Tiled, kernel: Kernel, kind: str) -> Iterator[Item]:
    """The lines of a branch: what is added up, read and computed of some rows, or columns, and what is left of it."""
    first = "block" if kind == "row" else "(block - row_blocks)"
    statements = [s for s in kernel.body if _line_of(variant, s) == kind]
    finishes = [s for s in kernel.finishes if variant.kind(s.target) == kind]
    stores = [w for w in kernel.stores if variant.kind(w.into) == kind]
    if not (statements or finishes or stores):
        return
    yield (f"line = {first} * LINE + tl.arange(0, LINE)",)
    yield (f"there = line < its_{kind}s",)
    yield (f"line += matrix * its_{kind}s",)
    for s in finishes:
        function = "lines_largest" if s.op is Op.MAX else "lines_summed"
        found = f"{function}({s.target}_parts, line, there, {COUNT[kind]}, all_{kind}s)"
        mean = f"div({found}, its_{OTHER[kind]}s.to(COMPUTE), STRICT)"
        yield (f"{s.target} = {mean if s.op is Op.MEAN else found}",)
    for name in _lines_read(variant, kernel, kind):
        yield (f"{name} = load_lines({_at(variant, name)}, line, there, COMPUTE)",)
    for statement in variant.quoted(statements):
        match statement:
            case Reduce(target=target, op=op, arg=arg):
                value = f"tl.where(there, {to_text(arg, TRITON)}, {EMPTY[op]})"
                yield (f"{target} = {'highest' if op is Op.MAX else 'tl.sum'}({value})",)
            case tuple():
                yield statement
            case _:
                yield mapped(statement)
    for name in kernel.keeps:
        if variant.kind(name) == kind:
            yield (f"put_lines({name}_values, line, {name}, there)",)
    for write in stores:
        yield (f"put_lines({stream(variant.program, write.into)}_at, line, {write.value}, there & goes)",)


def _line_of(variant: Tiled, s: Statement) -> str:
    return variant.kind(s.target) if isinstance(s, Map) else variant.argument(s)
