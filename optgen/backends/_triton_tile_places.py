"""Triton tile places: the lines by which a program knows what it works on and where all that it needs lies."""

from __future__ import annotations

from collections.abc import Iterator

from optgen.backends import _triton_formats as formats
from optgen.backends import _triton_parameters as parameters
from optgen.backends._formats import takes_seed
from optgen.backends._triton_kernels import Kernel, column_of, past
from optgen.backends._triton_streams import BLOCKS, TILES, address_of, kept_in, record_length
from optgen.backends._triton_tiles import LINES, Tiled
from optgen.backends._triton_time import row_length
from optgen.fused import ORDER, is_over_model, stream
from optgen.ir import Op, Reduce, Role, reads
from optgen.weave import Item

COUNT = {"row": "across", "col": "down"}  # tiles that a line crosses
CROSSED = {"row": "at_col // COLS", "col": "at_row // tall"}  # which of them this one is
WALKS = {"chunk": TILES, "span": BLOCKS}  # of what goes over elements
START = {"row": "row_start", "col": "col_start", "matrix": "matrix", "tensor": "0"}


def work(variant: Tiled, kernel: Kernel) -> Iterator[Item]:
    """What a program works on."""
    numel, each = len(kept_in(variant.stored)), kernel.each
    yield ("word = tl.load(words + tl.program_id(0))",)
    yield ("tensor = tensor_of(word)",)
    yield (f"record = records + tensor * {record_length(numel + 6 + takes_seed(variant.program))}",)
    yield (f"row = {past('scalars', 'row_of(word)', row_length(variant.program, variant.read))}",)
    yield (f"elements = tl.load(record + {numel})",)
    yield (f"its_rows = tl.load(record + {numel + 2})",)
    yield (f"its_cols = tl.load(record + {numel + 3})",)
    yield ("matrices = elements // (its_rows * its_cols)",)
    yield ("down = tl.cdiv(its_rows, tall)",)
    yield ("across = tl.cdiv(its_cols, COLS)",)
    yield ("row_blocks = tl.cdiv(its_rows, LINE)",)
    yield ("blocks = row_blocks + tl.cdiv(its_cols, LINE)",)
    yield from {"chunk": _tile, "span": _span}.get(each, _block)()
    yield ("factor = div(1.0, tl.load(grad_scale).to(COMPUTE), True) if SCALED else 1.0",)
    kind = {"line": "lines", "tensor": "shares"}.get(each, "parts")
    yield (f"mine = {past(kind, 'tl.program_id(0).to(tl.int64)', len(getattr(variant.places, kind)))}",)
    yield ("goes = ~truth(found_inf) if SCALED else tl.full((), 1, tl.int1)",)


def _tile() -> Iterator[Item]:
    """Which tile, and what it has of elements, rows and columns."""
    yield ("matrix = chunk_of(word) // (down * across)",)
    yield ("at_row = chunk_of(word) // across % down * tall",)
    yield ("at_col = chunk_of(word) % across * COLS",)
    yield ("row_start = matrix * its_rows + at_row",)
    yield ("col_start = matrix * its_cols + at_col",)
    yield ("start = row_start * its_cols + at_col",)
    yield ("height = tl.minimum(its_rows - at_row, tall).to(tl.int32)",)
    yield ("width = tl.minimum(its_cols - at_col, COLS).to(tl.int32)",)
    yield ("if SCALED:", "    height = tl.where(truth(found_inf), 0, height)")


def _span() -> Iterator[Item]:
    """Which elements of a matrix, and in which row and column the first of them is."""
    yield ("spans = tl.cdiv(its_rows * its_cols, chunk)",)
    yield ("matrix = chunk_of(word) // spans",)
    yield ("offset = chunk_of(word) % spans * chunk",)
    yield ("at_col = offset % its_cols",)
    yield ("row_start = matrix * its_rows + offset // its_cols",)
    yield ("col_start = matrix * its_cols",)
    yield ("start = matrix * its_rows * its_cols + offset",)
    yield ("left = tl.minimum(its_rows * its_cols - offset, chunk).to(tl.int32)",)
    yield ("if SCALED:", "    left = tl.where(truth(found_inf), 0, left)")


def _block() -> Iterator[Item]:
    """Which rows or columns."""
    yield ("matrix = chunk_of(word) // blocks",)
    yield ("block = chunk_of(word) % blocks",)


def places(variant: Tiled, kernel: Kernel) -> Iterator[Item]:
    """Where parts are and what lines have, plane after plane."""
    numel, places = len(kept_in(variant.stored)), variant.places
    yield (f"its_parts = {past('parts', f'tl.load(record + {numel + 1})', len(places.parts))}",)
    yield (f"its_lines = {past('lines', f'tl.load(record + {numel + 4})', len(places.lines))}",)
    yield ("all_rows = matrices * its_rows",)
    yield ("all_cols = matrices * its_cols",)
    yield (f"col_values = planes + tl.load(record + {numel + 5})",)
    yield (f"row_parts = {past('col_values', 'all_cols', len(places.planes['col_values']))}",)
    yield (f"col_parts = {past('row_parts', 'all_rows * across', len(places.planes['row_parts']))}",)
    yield (f"row_values = {past('col_parts', 'all_cols * down', len(places.planes['col_parts']))}",)
    start = {kind: [START[kind]] if kernel.each in WALKS else [] for kind in LINES}
    for kind in LINES:
        values, sums = places.planes[f"{kind}_values"], places.planes[f"{kind}_parts"]
        for name in [v.name for v in variant.step.vars if v.name in (*values, *sums) and variant.kind(v.name) == kind]:
            if name in values:
                place = [*_times(values.index(name), f"all_{kind}s"), *start[kind]]
                yield (" + ".join([f"{name}_values = {kind}_values", *place]),)
            if name in sums:
                place = _times(sums.index(name), f"{COUNT[kind]} * all_{kind}s")
                if kernel.each == "chunk":
                    place += [f"{CROSSED[kind]} * all_{kind}s", *start[kind]]
                yield (" + ".join([f"{name}_parts = {kind}_parts", *place]),)


def _times(number: int, size: str) -> list[str]:
    """What is added to skip some planes."""
    return [f"{number} * {size}"] if number > 1 else [size] * number


def pointers(variant: Tiled, kernel: Kernel) -> Iterator[Item]:
    """Where the elements are that a program reads or writes, and what states have one of."""
    step = variant.step
    read = {name for s in kernel.body for name in reads(s)}
    used = {stream(variant.program, name) for name in (*read, *kernel.loads, *(w.into for w in kernel.stores))}
    start = START if kernel.each in WALKS else {**START, "row": "0", "col": "0"}
    for name in variant.stored:
        if name in used:
            mine = next(v for v in step.of_role(*ORDER) if stream(variant.program, v.name) == name)
            kind = variant.kind(mine.name)
            if kind == "element":
                yield from ((line,) for line in formats.pointers(variant.stored, name, WALKS[kernel.each]))
            else:
                yield (f"{name}_at = stream({address_of(variant.stored, name)}, {name}_type, {start[kind]})",)
    for name in sorted(read):
        if step.var(name).role is Role.STATE and variant.kind(name) in ("matrix", "tensor"):
            yield (f"{name} = tl.load({stream(variant.program, name)}_at).to(COMPUTE)",)


def chance(variant: Tiled, kernel: Kernel) -> Iterator[Item]:
    """What random bits depend on, for a parameter that the program rounds by chance."""
    scalars, numbers = len(variant.read), len(kept_in(variant.stored)) + 6
    yield from parameters.chance_of(variant.step, kernel, variant.stored, scalars, numbers)


def numbers(variant: Tiled, wanted: set[str]) -> Iterator[Item]:
    """What earlier launches have left of reductions to one number per matrix, tensor or model."""
    for s in variant.step.body:
        if s.target in wanted and isinstance(s, Reduce) and variant.kind(s.target) not in LINES:
            yield (f"{s.target} = {_finished(variant, s)}",)


def _finished(variant: Tiled, s: Reduce) -> str:
    if is_over_model(s):
        return f"tl.load(common + {column_of(variant.places.common, s.target)})"
    of, function = variant.argument(s), "largest" if s.op is Op.MAX else "summed"
    if of == "element":
        column, width = column_of(variant.places.parts, s.target), len(variant.places.parts)
        found, count = f"{function}(its_parts + {column}, down * across * matrices, {width})", "elements"
    else:
        column, width = column_of(variant.places.lines, s.target), len(variant.places.lines)
        is_matrix = variant.kind(s.target) == "matrix"
        first = past("its_lines", "matrix * blocks", width) if is_matrix else "its_lines"
        count = f"its_{of}s" if is_matrix else f"all_{of}s"
        found = f"{function}({first} + {column}, blocks{'' if is_matrix else ' * matrices'}, {width})"
    return f"div({found}, {count}.to(COMPUTE), STRICT)" if s.op is Op.MEAN else found
