"""Triton launches: the kernels of a rule with reductions, woven of its variants, and a function that launches them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

from optgen.backends import _triton_formats as formats
from optgen.backends import _triton_phases, _triton_tile_lines
from optgen.backends._formats import at_times_coded, takes_seed
from optgen.backends._triton_kernels import PLANES, Kernel, Places
from optgen.backends._triton_phases import Variant
from optgen.backends._triton_streams import CONSTANTS
from optgen.backends._triton_tiles import Tiled
from optgen.backends._triton_time import LOOP, TURN, WHOLE, kernel_of, lines_of
from optgen.fused import flag_names, scalars, state_kinds, streams
from optgen.ir import Step, Var
from optgen.listing import equation_texts, imports, is_elementwise, names_in, needs_matrix, variant_of, woven
from optgen.passes import Program
from optgen.weave import Item, weave
from optgen.wrapping import wrap

GIVEN = "words records gradients scalars grad_scale found_inf parts shares common".split()
OF_PARTS = frozenset(["highest", "largest", "summed"])
OF_TILES = frozenset(
    """LINE highest_along inside lines_largest lines_summed load_cols load_lines load_rows load_tile put_cols
    put_lines put_rows store_tile whole_rows""".split()
)
OF_CODED = frozenset("load_tile_codes of_cols of_rows".split())
IN_CHUNKS = OF_PARTS | frozenset("chunks common elements inside its_parts launches mine parts shares ROUNDS".split())
IN_TILES = (
    OF_PARTS
    | OF_TILES
    | OF_CODED
    | frozenset(
        """across all_cols all_rows at_col at_row block blocks chunk col_parts col_start col_values common down elements
        height its_cols its_lines its_parts its_rows launches line lines matrices matrix mine offset parts planes
        row_blocks row_parts row_start row_values shares spans tall width COLS ROUNDS ROWS""".split()
    )
)


@dataclass(frozen=True, slots=True)
class _Way:
    """How kernels go over elements: what their variants and lines are made by, what they are given, and their loops.

    whats: what a program is for, by what there is one for.
    """

    variant: Callable[..., Any]
    lines: ModuleType
    tensors: Sequence[str]
    constants: Sequence[str]
    whole: str
    length: str
    turn: str
    whats: Mapping[str, str]


CHUNKS = _Way(
    Variant, _triton_phases, [*GIVEN, "chunk"], CONSTANTS, WHOLE, "left", TURN,
    {"chunk": "one chunk of one tensor", "tensor": "one tensor"},
)  # fmt: skip
TILES = _Way(
    Tiled,
    _triton_tile_lines,
    [*GIVEN, "lines", "planes", "tall"],
    [*(name for name in CONSTANTS if name != "BLOCK"), "ROWS", "COLS"],
    "whole_rows(word, height, width, ROWS, COLS)",
    "height",
    "ROWS // 2 if tail else ROWS",
    {"chunk": "one tile of one matrix", "line": "some rows or columns of one matrix", "tensor": "one tensor"},
)
SPANS = replace(
    TILES, tensors=[*TILES.tensors, "chunk"], constants=[*CONSTANTS, "COLS"], whole=WHOLE, length="left", turn="BLOCK",
    whats={"span": "some elements of one matrix, straight through its rows"},
)  # fmt: skip


def way_of(program: Program) -> _Way:
    """How the kernels of a rule with reductions go over elements."""
    return TILES if needs_matrix(program) else CHUNKS


def launches(program: Program, step: Step) -> int:
    """How many launches a step of one variant makes, but for that of scalars."""
    return 1 if is_elementwise(program) else len(variant_for(program, step, rounds=False).calls)


def variant_for(program: Program, step: Step, rounds: bool) -> Any:
    """The kernels and launches of one variant."""
    return way_of(program).variant(program, step, rounds, streams(program), scalars(program), Places())


def in_phases(program: Program, stored: Mapping[str, Var], read: Sequence[Var]) -> dict[str, Any]:
    """The kernels of a rule with reductions, and the function that launches them."""
    places, texts, way = Places(), equation_texts(program), way_of(program)
    variants = {
        (*variant_of(step), rounds): way.variant(program, step, rounds, stored, read, places, texts)
        for step in program.steps
        for rounds in (True, False)
    }
    names = dict.fromkeys(kernel.name for variant in variants.values() for kernel in variant.kernels)
    kernels = [_kernel(program, way, variants, name) for name in sorted(names)]
    asked = [f'flags["{name}"]' for name in flag_names(program)]
    states = formats.beside(stored)
    kinds = {state_kinds(program, step, states) for step in program.steps}
    lines = woven(program, lambda s: [(f"kinds = {state_kinds(program, s, states)}",)], conditions=asked)
    counts = ", ".join(f"{name}={len(getattr(places, name))}" for name in ("parts", "shares", "common"))
    if way is TILES:
        lengths = ", ".join(f"{name}={len(places.planes[name])}" for name in PLANES)
        counts += f", tiles=Tiles(lines={len(places.lines)}, {lengths})"
    if tables := formats.tables(stored):
        counts += f", numbers=({tables},)"
    if mixed := at_times_coded(program):
        counts += f", at_times=({', '.join(str([*states].index(name)) for name in mixed)},)"
    counts += ", draws=True" if takes_seed(program) else ""
    return {
        "imports": _imports(way, names_in(line for kernel in kernels for line in lines_of(kernel)), bool(tables)),
        "kernels": kernels,
        "launches": _woven({key: variant.calls for key, variant in variants.items()}, [*asked, "rounds"]),
        "kinds": lines if len(kinds) > 1 else [],
        "form": wrap(f"form = Form({'kinds_of' if len(kinds) > 1 else min(kinds)}, {counts})"),
        "step": "_launches",
    }


def _imports(way: _Way, used: set[str], has_codes: bool) -> list[str]:
    """The lines that import what the kernels use besides, and what tells the form of the rule."""
    if way is CHUNKS:
        of_parts = used & (OF_PARTS if has_codes else OF_PARTS | {"inside"})
        sums = imports("._reductions", of_parts) if of_parts else []
        return [*imports("._phases", ["Form", "Launches"]), *sums]
    sums = imports("._reductions", used & OF_PARTS) if used & OF_PARTS else []
    phases = imports("._phases", ["Form", "Launches"])
    tiles = [*imports("._matrices", ["Tiles"]), *imports("._matrix_tiles", used & OF_TILES)]
    coded = imports("._coded_matrices", used & OF_CODED) if used & OF_CODED else []
    return [*coded, *tiles, *phases, *sums]


def _kernel(program: Program, way: _Way, every: Mapping[tuple[bool, ...], Any], name: str) -> dict[str, Any]:
    """One kernel, of the variants that have it."""
    conditions = [*flag_names(program), "ROUNDS"]
    having = {key: (v, kernel) for key, v in every.items() for kernel in v.kernels if kernel.name == name}

    def lines(part: Callable[[Any, Kernel], Iterable[Item]]) -> list[str]:
        return _woven({key: [*part(v, kernel)] for key, (v, kernel) in having.items()}, conditions)

    made = ", ".join(dict.fromkeys(n for v, kernel in having.values() for n in way.lines.makes(kernel)))
    (each,) = {kernel.each for _, kernel in having.values()}
    way = SPANS if each == "span" else way
    stored = streams(program)
    constants = [*formats.typed(program, stored), *conditions, *way.constants]
    tensors = formats.with_numbers(way.tensors, stored)
    loop = {part: lines(getattr(way.lines, part)) for part in LOOP if hasattr(way.lines, part)}
    about = f"{made}: of {way.whats[each]}."
    return kernel_of(
        name, tensors, constants, about, lines(way.lines.opening), whole=way.whole, length=way.length,
        turn=formats.turn(stored) if way is CHUNKS else way.turn, **loop,
    )  # fmt: skip


def _woven(items: Mapping[tuple[bool, ...], Sequence[Item]], conditions: Sequence[str]) -> list[str]:
    """The items of some variants as one text, wrapped."""
    return [part for line in weave(items, conditions) for part in wrap(line)]
