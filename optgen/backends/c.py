"""C: one C99 file a rule, and a module that says how to call it; one call steps every tensor of a parameter group."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from optgen.backends import _c_formats
from optgen.backends._c_lines import STEP, aligned, comment, wrapped
from optgen.backends._c_parameters import HELD, held_as, plainly, with_chance
from optgen.backends._c_passes import calls, phase_lines, span_lines
from optgen.backends._c_phases import Places, Variant
from optgen.backends._c_values import values_lines
from optgen.backends._formats import at_times_coded
from optgen.backends._formats import parts as parts_of
from optgen.codecs import Codec, companions
from optgen.dsl.rule import Schedule
from optgen.fused import (
    check_passes,
    flag_arguments,
    flag_names,
    flags_lines,
    is_over_model,
    lacks_products,
    names,
    scalars,
    state_kinds,
    streams,
    tuple_text,
)
from optgen.ir import Role, Var
from optgen.listing import header, is_elementwise, needs_matrix, signature, suffix, variant_of, woven
from optgen.passes import Program, without_copies
from optgen.passes.narrow import narrow
from optgen.render import render, render_python
from optgen.weave import C, Item, weave
from optgen.wrapping import WIDTH, wrap

FOLDER = "c_cpu"
RUNTIME = Path(__file__).parents[1] / "runtime" / FOLDER
TAKEN = frozenset(
    """count factor grad row start tensor load store real fabs bits_of float_of load_fp32 load_fp64 load_fp16 load_bf16
    store_fp32 store_fp64 store_fp16 store_bf16 to_bfloat16 exponential fp32 fp64 fp16 bf16 span each_span grad_type
    group int64_t complex imaginary I""".split()
)
# What the headers define for the preprocessor, which knows no scopes.
MACROS = re.compile(
    r"(U?INT|SIZE|PTRDIFF|SIG_ATOMIC|WCHAR|WINT)\w*_(MAX|MIN)|(FP|MATH|FLT|DBL|LDBL)_\w+|HUGE_VAL\w*|math_errhandling"
    r"|EXIT_(FAILURE|SUCCESS)|MB_CUR_MAX|RAND_MAX|DECIMAL_DIG"
)
CONSTANTS = frozenset(
    """STORED SCALARS STEPPED SKIPPED MISCOUNTED STARVED ALONE LEAST BLOCK UNIT IS_float IS_bf16 WIDE TALL LONG JOIN
    JOIN_ ROUNDS PER_TENSOR PER_MATRIX PER_ROW PER_COL PER_TILE PER_ROW_PART PER_COL_PART""".split()
)
ROUNDS = "ROUNDS"  # whether storing a state may round it, as the command line says
# What the functions of a rule with reductions use besides.
IN_PHASES = frozenset(
    """values along down line length matrix tiles tiles_across tile_parts matrix_values row_values col_values
    row_parts col_parts summed rows_summed cols_summed rows_largest cols_largest line_at""".split()
)
PART = "const struct part *part"
Variants = Mapping[tuple[bool, ...], Variant]
VALUES = "const struct tensor *tensor, const double *row, real *values"


def emit(program: Program) -> dict[str, str]:
    """A C file and its Python module for the rule, and for that of other shapes. Raises RuleError for products."""
    texts: dict[str, str] = {}
    told = {name: getattr(program.rule, name) for name in ("name", "source", "doc")}
    for at, part in enumerate(without_copies(program).chain):
        made = _emit(replace(part, rule=replace(part.rule, **told), otherwise=None))
        texts |= {f"{suffix(at)}.{end}".lstrip("."): text for end, text in made.items()}
    return texts


def _emit(program: Program) -> dict[str, str]:
    stored = {name: var for name, var in streams(program).items() if var.role is not Role.GRAD}
    read, taken, parts = with_chance(program, scalars(program)), _taken(program, stored), parts_of(stored)
    check_passes(program, "C", taken, lacks_products, _c_formats.problems(program, stored))
    variants, conditions = _variants(program, taken, [*parts], read)
    held, is_phased = held_as(program), not is_elementwise(program)
    typed = [name for name, kind in parts.items() if not kind or name in at_times_coded(program)]
    both = {
        "header": comment(header(program.rule, "c")),
        "stored": len(parts),
        "scalars": len(read),
        "held": f"{HELD} JOIN(IS_, {program.rule.param.label}_type)" if held else "",
        "macros": _macros(typed, [condition for condition in conditions if condition != HELD]),
    }
    both["formats"] = _c_formats.headers(stored)
    unit = _c_formats.unit(stored)
    return {
        "c": _in_phases(conditions, variants, both) if is_phased else _in_one_pass(conditions, variants, unit, both),
        "py": render_python(
            "c_py.jinja",
            header=header(program.rule, "c"),
            states=wrap(f"STATES: tuple[str, ...] = {tuple_text(_keys(stored))}"),
            inputs=tuple_text(inputs) if (inputs := [n for n, v in stored.items() if v.role is Role.INPUT]) else "",
            scalars=[f'"{v.name}",' for v in read],
            types=wrap(f"types = {tuple_text([f'{name}_type' if name in typed else '' for name in parts])}"),
            flags_opens=signature("flags", flag_arguments(program), "dict[str, bool]"),
            flags=flags_lines(program),
            **(_form(program, parts) if is_phased else _form_of_formats(parts)),
        ),
    }


def _variants(
    program: Program, taken: frozenset[str], stored: Sequence[str], read: Sequence[Var]
) -> tuple[Variants, list[str]]:
    """The variants by what holds in them of the conditions, which the C file asks in this order."""
    make = partial(Variant, program, stored=stored, read=read, places=Places(), by_rows=needs_matrix(program))
    steps = {variant_of(step): narrow(step, taken | names(program)) for step in program.steps}
    conditions = [flag.upper() for flag in flag_names(program)]
    if held_as(program):
        steps = {(is_held, *key): step if is_held else plainly(step)
                 for is_held in (True, False) for key, step in steps.items()}
        conditions = [HELD, *conditions]
    variants = {key: make(step) for key, step in steps.items()}
    if is_elementwise(program):
        return variants, conditions
    exact = {key: make(step, rounds=False) for key, step in steps.items()}
    if all(exact[key].stores == variant.stores for key, variant in variants.items()):
        return variants, conditions
    both = {(*key, rounds): v for rounds, of in ((True, variants), (False, exact)) for key, v in of.items()}
    return both, [*conditions, ROUNDS]


def _keys(stored: Mapping[str, Var]) -> list[str]:
    """What is stored of the states, by its keys in a checkpoint."""
    return [key for var in stored.values() if var.role in (Role.PARAM, Role.STATE) for key in _beside(var)]


def _beside(var: Var) -> list[str]:
    """What is stored of a quantity, by its keys, but for the parameter itself."""
    return companions(var) if var.role is Role.STATE or var.codec else []


def _taken(program: Program, stored: Mapping[str, Var]) -> frozenset[str]:
    """The names that the C file uses itself, which a rule may not give."""
    flags, given = flag_names(program), names(program)
    constants = CONSTANTS | ({HELD} if held_as(program) else set())
    taken = {*TAKEN, *constants, *(f"{name}_{end}" for name in stored for end in ("at", "type"))}
    taken |= {flag.upper() for flag in flags} | {flag for flag in flags if flag.upper() in constants}
    taken |= {name for name in given if MACROS.fullmatch(name)} | _c_formats.taken(stored)
    if not is_elementwise(program):
        taken |= IN_PHASES | {f"{name}_{end}" for name in given for end in ("values", "parts")}
    return frozenset(taken)


def _in_one_pass(conditions: Sequence[str], variants: Variants, unit: int, both: Mapping[str, Any]) -> str:
    """The C file of an elementwise rule."""
    span = _woven(conditions, {key: _indented(span_lines(variant)) for key, variant in variants.items()})
    return render("c.jinja", span=span, unit=unit, **both)


def _in_phases(conditions: Sequence[str], variants: Variants, both: Mapping[str, Any]) -> str:
    """The C file of a rule with reductions."""
    functions = []
    for k in range(max(len(variant.elements) for variant in variants.values()) + 1):
        for name, takes, lines in (("values", VALUES, values_lines), ("phase", PART, phase_lines)):
            opened = f"/* {_about(name, k, variants.values())} */", f"static void {name}_{k + 1}({takes})", "{"
            woven = _woven(conditions, {key: _function(opened, lines(variant, k)) for key, variant in variants.items()})
            functions += [woven] if woven else []
    steps = _woven(conditions, {key: calls(variant) for key, variant in variants.items()})
    places = next(iter(variants.values())).places.macros()
    return render("c_phases.jinja", functions=functions, calls=steps, places=places, **both)


def _function(opened: Item, lines: Sequence[Item]) -> Iterator[Item]:
    """A function of one variant, if it has a line. opened: what comes before these."""
    if lines:
        yield opened
        yield from _indented(lines)
        yield ("}",)


def _indented(lines: Iterable[Item]) -> Iterator[Item]:
    return (tuple(f"{STEP}{line}" for line in item) for item in lines)


def _about(name: str, k: int, variants: Iterable[Variant]) -> str:
    """What a function is for."""
    made = list(dict.fromkeys(n for v in variants for n in (v.makes(k) if name == "phase" else v.computes(k))))
    return f"{', '.join(made)}: {'of a part of a tensor' if name == 'phase' else 'of a whole tensor'}."


def _form(program: Program, parts: Mapping[str, str]) -> dict[str, Any]:
    """How Python sees that a tensor can be stepped by passes: by what its states have one number per."""
    states = dict([*parts.items()][1:])
    kinds = {state_kinds(program, step, states) for step in program.steps}
    texts = [f'flags["{name}"]' for name in flag_names(program)]
    lines = woven(program, lambda s: [(f"kinds = {state_kinds(program, s, states)}",)], conditions=texts)
    together = any(is_over_model(s) for step in program.steps for s in step.body)
    told = f"by_rows={needs_matrix(program)}, together={together}"
    if len(kinds) == 1:
        return {"kinds": [], "form": wrap(f"form = Form({min(kinds)}, {told})")}
    return {"kinds": lines, "form": [f"form = Form(kinds_of, {told})"]}


def _form_of_formats(parts: Mapping[str, str]) -> dict[str, Any]:
    """The same for an elementwise rule, which looks at dtypes and shapes of codes alone."""
    _, *kinds = (kind or "element" for kind in parts.values())
    is_plain = {*kinds} <= {"element"}
    return {"kinds": [], "form": [] if is_plain else wrap(f"form = Form({tuple_text(kinds)})")}


def emit_schedule(schedule: Schedule) -> None:
    """A schedule has no kernel."""


def storage(made: Codec) -> dict[str, str]:
    """The files that rules with a storage format need besides."""
    return _c_formats.storage(made)


def shared() -> dict[str, str]:
    """The files that every rule of this backend needs."""
    return {path.name: path.read_text(encoding="utf-8") for path in sorted(RUNTIME.glob("_[a-z]*.[chp]*"))}


def _macros(stored: Sequence[str], flags: Sequence[str]) -> list[str]:
    """What a command line has to define, as for float32 and the variant where no condition holds."""
    types = [f"-D{name}_type=fp32" for name in [stored[0], "grad", *stored[1:]]]
    text = " ".join(["-Dreal=float", *types, *(f"-D{flag}=0" for flag in flags)])
    return textwrap.wrap(text, WIDTH, break_long_words=False, break_on_hyphens=False)


def _woven(conditions: Sequence[str], items: Mapping[tuple[bool, ...], Iterable[Item]]) -> list[str]:
    """The items of all variants as one text under #if, wrapped."""
    joined = weave({variant: [*each] for variant, each in items.items()}, [*conditions], C)
    return [part for line in aligned(joined) for part in wrapped(line)]
