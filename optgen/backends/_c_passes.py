"""C passes: the lines of one variant's functions over elements: a span, phases over tiles, and the calls of these."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from optgen.backends._c_lines import STEP
from optgen.backends._c_phases import STARTS, Variant
from optgen.backends._c_ways import ELEMENTWISE, Way
from optgen.fused import is_over_model
from optgen.ir import Map, Op, Reduce, Role, Statement, reads
from optgen.weave import Item

TENSOR_LINE = "const struct tensor *tensor = part->tensor;"
ROW_LINE = "const double *row = part->row;"
VALUES_LINE = "real *values = part->values;"
FACTOR_LINE = "const real factor = part->factor;"
GRAD_LINE = "const grad_type *grad = part->grad;"
COLS_LINE = "const int64_t length = part->cols;"


def calls(variant: Variant) -> Iterator[Item]:
    """What a step calls, one after the other."""
    for k in range(len(variant.elements) + 1):
        if variant.has_values(k):
            yield (f"each_tensor(&work, values_{k + 1});",)
        yield from (_over_model(variant, s) for s in _small_totals(variant, k))
        if variant.has_phase(k):
            each = "part" if variant.goes_by_tiles(k) else "span"
            yield (f"each_{each}(&work, phase_{k + 1});",)
        for s in variant.sums(k, model=True):
            places = f"{variant.places.part('tensor', s.target)}, {variant.number(s.target)}"
            yield (f"{'largest_tile' if s.op is Op.MAX else 'sum_tiles'}_of_all(&work, {places});",)


def _over_model(variant: Variant, statement: Reduce) -> Item:
    function = "largest_of_all" if statement.op is Op.MAX else "sum_of_all"
    return (f"{function}(&work, {variant.number(statement.target)});",)


def _small_totals(variant: Variant, k: int) -> list[Reduce]:
    """What is reduced over the model of values per tensor or row: each tensor has given its share."""
    found = variant.between[k] if k < len(variant.between) else []
    return [s for s in found if isinstance(s, Reduce) and is_over_model(s)]


# functions over elements


def span_lines(variant: Variant) -> Iterator[Item]:
    """The function that steps some elements of a tensor, where each is computed of itself and one phase is all."""
    names, way = _names(variant, 0), ELEMENTWISE
    yield from _streams(variant, names, 0, way)
    yield from variant.scalars({*names})
    yield from _rows_open(variant, names, [], 0, way)
    yield from _loop(variant, names, 0, way)
    yield from _close(variant, [], 0, way)


def phase_lines(variant: Variant, k: int) -> list[Item]:
    """The function that steps one part of a tensor in phase k; empty if there is none."""
    if not variant.has_phase(k):
        return []
    names, way = _names(variant, k), variant.way(k)
    sums = [s for s in variant.elements[k] if isinstance(s, Reduce)]
    lines = [*_streams(variant, names, k, way), *_singles(variant, names, way), *_sums_open(variant, sums)]
    lines += [*_rows_open(variant, names, sums, k, way), *_loop(variant, names, k, way), *_close(variant, sums, k, way)]
    return [*_used(lines, TENSOR_LINE, ROW_LINE, VALUES_LINE, FACTOR_LINE, GRAD_LINE, COLS_LINE), *lines]


def _names(variant: Variant, k: int) -> list[str]:
    """What phase k reads that it does not compute."""
    statements = variant.elements[k]
    wanted = {n for s in statements for n in reads(s)} - {s.target for s in statements if isinstance(s, Map)}
    wanted |= {value for _, value in variant.stores[k]} - {s.target for s in statements}
    return [v.name for v in variant.step.vars if v.name in wanted]


def _used(lines: Iterable[Item], *declarations: str) -> Iterator[Item]:
    """The declarations of names that stand in the lines."""
    text = "\n".join(line for item in lines for line in item)
    for declaration in declarations:
        name = declaration.partition(" = ")[0].rpartition(" ")[2].lstrip("*")
        if re.search(rf"(?<![.>\w]){name}\b", text):
            yield (declaration,)


def _streams(variant: Variant, names: Sequence[str], k: int, way: Way) -> Iterator[Item]:
    """Where in what is stored the elements are that a function steps."""
    read = [n for n in names if variant.is_stored(n) and variant.step.var(n).role is not Role.GRAD]
    used = {*read, *(into for into, _ in variant.stores[k])}
    for name in [v.name for v in variant.step.vars if v.name in used]:
        kind = variant.kind(name)
        if variant.is_coded(name):
            yield (f"real {variant.stem(name)}_values[{way.room}];",)
        elif kind == "element" or kind in way.indices:
            pointers = [variant.pointer(name), *variant.beside(name)]
            offset = f" + {way.start}" if kind == "element" else way.offsets.get(kind, "")
            yield from ((f"{pointer}{offset};",) for pointer in pointers)
    yield from (("union chance chance;",) for _ in variant.drawn(k, way))


def _singles(variant: Variant, names: Sequence[str], way: Way) -> Iterator[Item]:
    """What is one number for a whole part, and where the numbers of its rows and columns are."""
    yield from variant.scalars({*names})
    for name in names:
        kind = variant.kind(name)
        offset = way.offsets.get(kind, "")
        if variant.is_stored(name) and kind in _single(way):
            yield (f"const real {name} = load({variant.stem(name)}_type, {variant.at(name)}{offset});",)
        elif not variant.is_stored(name) and kind in _single(way):
            index = offset.removeprefix(" + ") or variant.number(name)
            yield (f"const real {name} = {variant.values(name)}[{index}];",)
        elif not variant.is_stored(name) and kind in way.indices:
            yield (f"const real *{name}_values = {variant.values(name)}{offset};",)


def _single(way: Way) -> set[str]:
    """What there is one of in all that a function steps."""
    return {"tensor", "matrix"} - way.indices.keys()


def _sums_open(variant: Variant, sums: Sequence[Reduce]) -> Iterator[Item]:
    """Where a part leaves its sums. Those of a tile with several parts go on from one to the next."""
    for s in sums:
        name, kind, start = s.target, variant.kind(s.target), STARTS[s.op]
        place = variant.places.part(kind, name)
        if kind == "tensor":
            yield (f"real *{name}_parts = tile_parts(tensor, values, {place}) + part->tile;",)
            yield (f"real {name} = {f'part->opens ? {start} : *{name}_parts' if variant.by_rows else start};",)
        elif kind == "row":
            first = "part->at_row * tiles_across(tensor) + part->across"
            yield (f"real *{name}_parts = row_parts(tensor, values, {place}) + {first};",)
        else:
            yield (f"real *{name}_parts = col_parts(tensor, values, {place}) + part->down;",)
            yield (
                "for (int64_t along = 0; along < length && part->opens; along++)",
                f"{STEP}{name}_parts[along] = {start};",
            )


def _rows_open(variant: Variant, names: Sequence[str], sums: Sequence[Reduce], k: int, way: Way) -> Iterator[Item]:
    """What buffers hold, and the loop over rows, with what is one number for a whole row."""
    margin = STEP if way.outer else ""
    filled = [line for (line,) in (*variant.drawn(k, way), *variant.buffered("load", names, way))]
    if not way.is_filled_inside:
        yield from ((line,) for line in filled)
    yield from ((line,) for line in way.outer)
    for name in names:
        if variant.kind(name) in way.indices.keys() - {"col"}:
            yield (f"{STEP}{variant.loaded(name, way.indices[variant.kind(name)])}",)
    for s in sums:
        if variant.kind(s.target) == "row":
            yield (f"{STEP}real {s.target} = {STARTS[s.op]};",)
    if way.is_filled_inside:
        yield from ((f"{margin}{line}",) for line in filled)
    yield (f"{margin}{_pragma(variant, sums)}",)


def _pragma(variant: Variant, sums: Sequence[Reduce]) -> str:
    kept = [s for s in sums if variant.kind(s.target) != "col"]
    added = [s.target for s in kept if s.op is not Op.MAX]
    largest = [s.target for s in kept if s.op is Op.MAX]
    clauses = [f"reduction({how} : {', '.join(of)})" for how, of in (("+", added), ("largest", largest)) if of]
    return " ".join(["#pragma omp simd", *clauses])


def _loop(variant: Variant, names: Sequence[str], k: int, way: Way) -> Iterator[Item]:
    """The loop over the elements of a part, or of a row of it."""
    outer = STEP if way.outer else ""
    index = "along" if way.outer else "i"
    yield (f"{outer}for (int64_t {index} = 0; {index} < {way.length}; {index}++) {{",)
    yield from ((f"{outer}{STEP}const int64_t i = {way.i};",) for _ in way.outer[:1])
    yield from ((f"{outer}{STEP}{line}",) for line in _elements(variant, names, k, way))
    yield (f"{outer}}}",)


def _elements(variant: Variant, names: Sequence[str], k: int, way: Way) -> Iterator[str]:
    """What phase k does with one element: loads, one statement a line with the equation it comes from, stores."""
    for name in names:
        if variant.step.var(name).role is Role.GRAD:
            yield f"const real {name} = factor * load(grad_type, grad + i);"
        elif variant.kind(name) == "element":
            yield variant.loaded(name, way.at if variant.is_coded(name) else "i")
        elif variant.kind(name) == "col":
            yield variant.loaded(name, way.indices["col"])
    for statement in variant.quoted(variant.elements[k]):
        yield from statement if isinstance(statement, tuple) else (_element(variant, statement),)
    for into, value in variant.stores[k]:
        yield variant.kept_as(into, value, way)


def _element(variant: Variant, statement: Statement) -> str:
    if isinstance(statement, Reduce):
        is_col = variant.kind(statement.target) == "col"
        return variant.accumulated(statement, f"{statement.target}_parts[along]" if is_col else statement.target)
    assert isinstance(statement, Map)
    return f"const {variant.type(statement.target)} {statement.target} = {variant.text(statement.expr)};"


def _close(variant: Variant, sums: Sequence[Reduce], k: int, way: Way) -> Iterator[Item]:
    """The end of a row and of a part, which leave their sums, and codes of what buffers hold."""
    for s in sums:
        if variant.kind(s.target) == "row":
            yield (f"{STEP}{s.target}_parts[down * tiles_across(tensor)] = {s.target};",)
    if way.outer:
        yield ("}",)
    yield from variant.buffered("store", [into for into, _ in variant.stores[k]], way)
    yield from ((f"*{s.target}_parts = {s.target};",) for s in sums if variant.kind(s.target) == "tensor")
