"""C values: the lines of one variant's functions between phases: what there is per tensor, matrix, row and column."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from optgen.backends._c_lines import STEP
from optgen.backends._c_phases import COUNT, LENGTH, STARTS, Variant
from optgen.ir import Map, Op, Reduce, Statement, reads
from optgen.weave import Item


def values_lines(variant: Variant, k: int) -> list[Item]:
    """The function that computes the values of one tensor before phase k; empty if there are none.

    First what phase k - 1 has summed, then what is computed of that, then what is stored.
    """
    if not variant.has_values(k):
        return []
    sums, statements, kept = variant.sums(k - 1, model=False), variant.between[k], variant.kept[k]
    made = {s.target for s in (*sums, *statements)}
    wanted = {n for s in statements for n in reads(s)} | {value for _, value in kept}
    ordered = [v.name for v in variant.step.vars if v.name in wanted | made | {into for into, _ in kept}]
    lines = [item for s in sums for item in _finished(variant, s, k)]
    for statement in variant.quoted(statements):
        lines += [statement] if isinstance(statement, tuple) else _computed(variant, statement, k)
    lines += [item for into, value in kept for item in _stored(variant, into, value)]
    return [*_opened(variant, ordered, made, wanted), *lines]


def _opened(variant: Variant, names: Sequence[str], made: set[str], wanted: set[str]) -> Iterator[Item]:
    """Where values and states are, and what there is one of and wanted."""
    yield from variant.scalars({*names})
    for name in names:
        kind = variant.kind(name)
        if kind == "host":
            continue
        if variant.is_stored(name):
            yield (f"{variant.pointer(name)};",)
            if kind == "tensor" and name in wanted:
                yield (f"const real {name} = load({variant.stem(name)}_type, {variant.stem(name)}_at);",)
        elif kind == "tensor" and name not in made:
            yield (f"const real {name} = values[{variant.number(name)}];",)
        elif kind != "tensor":
            yield (f"real *{name}_values = {variant.values(name)};",)


def _made(variant: Variant, name: str, value: str, k: int) -> Iterator[Item]:
    """A value per tensor, kept for later functions if one reads it."""
    yield (f"const real {name} = {value};",)
    if variant.is_read_after(name, k):
        yield (f"values[{variant.number(name)}] = {name};",)


def _finished(variant: Variant, s: Reduce, k: int) -> Iterator[Item]:
    """What tiles have summed, as the values that it makes."""
    name, kind = s.target, variant.kind(s.target)
    place = variant.places.part(kind, name)
    if kind == "tensor":
        found = f"{'largest' if s.op is Op.MAX else 'summed'}(tile_parts(tensor, values, {place}), tiles(tensor))"
        mean = f"(real)({found} / tensor->numel)"
        value = mean if s.op is Op.MEAN else found if s.op is Op.MAX else f"(real){found}"
        yield from _made(variant, name, value, k)
        return
    other = {"row": "tensor->cols", "col": "tensor->rows"}[kind]
    parts = f"tensor, {name}_values, {kind}_parts(tensor, values, {place})"
    how = "largest" if s.op is Op.MAX else "summed"
    divisor = "" if s.op is Op.MAX else f", {other if s.op is Op.MEAN else 1}"
    yield (f"{kind}s_{how}({parts}{divisor});",)


def _several(variant: Variant, names: Sequence[str], indices: dict[str, str], margin: str = STEP) -> Iterator[Item]:
    """The values at one place of a loop, of those of which there are several. indices: by what there is one per."""
    for name in [v.name for v in variant.step.vars if v.name in names]:
        if variant.kind(name) in ("matrix", "row", "col"):
            yield (f"{margin}{variant.loaded(name, indices[variant.kind(name)])}",)


def _indices(kind: str) -> dict[str, str]:
    return {kind: "i", **({"matrix": f"i / {LENGTH[kind]}"} if kind in LENGTH else {})}


def _computed(variant: Variant, statement: Statement, k: int) -> Iterator[Item]:
    return _mapped(variant, statement, k) if isinstance(statement, Map) else _reduced(variant, statement, k)


def _mapped(variant: Variant, s: Map, k: int) -> Iterator[Item]:
    name, kind, text = s.target, variant.kind(s.target), variant.text(s.expr)
    if kind == "tensor":
        yield from _made(variant, name, text, k)
        return
    yield (f"for (int64_t i = 0; i < {COUNT[kind]}; i++) {{",)
    yield from _several(variant, [*reads(s)], _indices(kind))
    yield (f"{STEP}{name}_values[i] = {text};",)
    yield ("}",)


def _reduced(variant: Variant, s: Statement, k: int) -> Iterator[Item]:
    """A reduction of values: of those of one matrix, or of all of the tensor."""
    assert isinstance(s, Reduce)
    name, kind, of = s.target, variant.kind(s.target), variant.argument(s)
    total = f"{name}_parts"
    start = (f"{'real' if s.op is Op.MAX else 'double'} {total} = {STARTS[s.op]};",)
    if of == "tensor":  # what this tensor gives to a value of the model
        yield (f"values[{variant.number(name)}] = {variant.text(s.arg)};",)
        return
    if kind == "tensor":
        count = COUNT[of]
        yield start
        yield (f"for (int64_t i = 0; i < {count}; i++) {{",)
        yield from _several(variant, [*reads(s)], _indices(of))
        yield (f"{STEP}{variant.accumulated(s, total)}",)
        yield ("}",)
        yield from _made(variant, name, f"(real)({total}{f' / ({count})' if s.op is Op.MEAN else ''})", k)
        return
    yield ("for (int64_t matrix = 0; matrix < tensor->matrices; matrix++) {",)
    yield (f"{STEP}{start[0]}",)
    yield (f"{STEP}for (int64_t i = matrix * {LENGTH[of]}; i < (matrix + 1) * {LENGTH[of]}; i++) {{",)
    yield from _several(variant, [*reads(s)], {of: "i", "matrix": "matrix"}, 2 * STEP)
    yield (f"{2 * STEP}{variant.accumulated(s, total)}",)
    yield (f"{STEP}}}",)
    yield (f"{STEP}{name}_values[matrix] = (real)({total}{f' / {LENGTH[of]}' if s.op is Op.MEAN else ''});",)
    yield ("}",)


def _stored(variant: Variant, into: str, value: str) -> Iterator[Item]:
    stem, kind = variant.stem(into), variant.kind(into)
    if kind == "tensor":
        yield (f"store({stem}_type, {stem}_at, {value});",)
        return
    yield (f"for (int64_t i = 0; i < {COUNT[kind]}; i++) {{",)
    yield from _several(variant, [value], _indices(kind))
    yield (f"{STEP}store({stem}_type, {stem}_at + i, {value});",)
    yield ("}",)
