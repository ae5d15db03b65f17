"""C: one C99 file a rule, and a module that says how to call it; one call steps every tensor of a parameter group."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from optgen.backends._c_passes import calls, phase_lines, span_lines
from optgen.backends._c_phases import STEP, Places, Variant
from optgen.backends._c_values import values_lines
from optgen.dsl.rule import Rule, Schedule
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
from optgen.ir import Role
from optgen.listing import header, is_elementwise, needs_matrix, signature, suffix, variant_of, woven
from optgen.passes import Program, without_copies
from optgen.passes.narrow import narrow
from optgen.render import render, render_python
from optgen.weave import C, Item, weave
from optgen.wrapping import WIDTH, wrap

FOLDER = "c_cpu"
RUNTIME = Path(__file__).parents[1] / "runtime" / FOLDER
LOOSE = {"?": 0, ":": 0, "||": 1, "&&": 2, "+": 3, "-": 3, "*": 4, "/": 4, "=": 5}  # how tightly operators bind
DIRECTIVE = re.compile(r"\s*#(if|else|endif)\b")
TAKEN = frozenset(
    """count factor grad row start tensor load store real fabs bits_of float_of load_fp32 load_fp64 load_fp16 load_bf16
    store_fp32 store_fp64 store_fp16 store_bf16 fp32 fp64 fp16 bf16 span each_span grad_type group int64_t complex
    imaginary I""".split()
)
# What the headers define for the preprocessor, which knows no scopes.
MACROS = re.compile(
    r"(U?INT|SIZE|PTRDIFF|SIG_ATOMIC|WCHAR|WINT)\w*_(MAX|MIN)|(FP|MATH)_\w+|HUGE_VAL\w*|math_errhandling"
    r"|EXIT_(FAILURE|SUCCESS)|MB_CUR_MAX|RAND_MAX"
)
CONSTANTS = frozenset(
    """STORED SCALARS STEPPED SKIPPED MISCOUNTED STARVED ALONE LEAST BLOCK TALL LONG JOIN JOIN_ PER_TENSOR PER_MATRIX
    PER_ROW PER_COL PER_TILE PER_ROW_PART PER_COL_PART""".split()
)
# What the functions of a rule with reductions use besides.
IN_PHASES = frozenset(
    """values along down line length matrix tiles tiles_across tile_parts matrix_values row_values col_values
    row_parts col_parts summed rows_summed cols_summed rows_largest cols_largest""".split()
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
    read, taken = scalars(program), _taken(program, [*stored])
    check_passes(program, "C", taken, lacks_products)
    places, by_rows = Places(), needs_matrix(program)
    narrowed = {variant_of(step): narrow(step, taken | names(program)) for step in program.steps}
    variants = {key: Variant(program, step, [*stored], read, places, by_rows) for key, step in narrowed.items()}
    one_pass = is_elementwise(program)
    both = {
        "header": _comment(program.rule),
        "stored": len(stored),
        "scalars": len(read),
        "macros": _macros([*stored], flag_names(program)),
    }
    return {
        "c": _one_pass(program, variants, both) if one_pass else _phases(program, variants, places, both),
        "py": render_python(
            "c_py.jinja",
            header=header(program.rule, "c"),
            states=tuple_text([v.key for v in stored.values() if v.role is Role.STATE]),
            inputs=tuple_text(inputs) if (inputs := [n for n, v in stored.items() if v.role is Role.INPUT]) else "",
            scalars=[f'"{v.name}",' for v in read],
            types=tuple_text([f"{name}_type" for name in stored]),
            flags_opens=signature("flags", flag_arguments(program), "dict[str, bool]"),
            flags=flags_lines(program),
            **({"kinds": [], "form": []} if one_pass else _form(program)),
        ),
    }


def _taken(program: Program, stored: Sequence[str]) -> frozenset[str]:
    """The names that the C file uses itself, which a rule may not give."""
    flags, given = flag_names(program), names(program)
    taken = {*TAKEN, *CONSTANTS, *(f"{name}_{end}" for name in stored for end in ("at", "type"))}
    taken |= {flag.upper() for flag in flags} | {flag for flag in flags if flag.upper() in CONSTANTS}
    taken |= {name for name in given if MACROS.fullmatch(name)}
    if not is_elementwise(program):
        taken |= IN_PHASES | {f"{name}_{end}" for name in given for end in ("values", "parts")}
    return frozenset(taken)


def _one_pass(program: Program, variants: Variants, both: Mapping[str, Any]) -> str:
    """The C file of an elementwise rule."""
    span = _woven(program, {key: _indented(span_lines(variant)) for key, variant in variants.items()})
    return render("c.jinja", span=span, **both)


def _phases(program: Program, variants: Variants, places: Places, both: Mapping[str, Any]) -> str:
    """The C file of a rule with reductions."""
    functions = []
    for k in range(max(len(variant.elements) for variant in variants.values()) + 1):
        for name, takes, lines in (("values", VALUES, values_lines), ("phase", PART, phase_lines)):
            opened = f"/* {_about(name, k, variants.values())} */", f"static void {name}_{k + 1}({takes})", "{"
            woven = _woven(program, {key: _function(opened, lines(variant, k)) for key, variant in variants.items()})
            functions += [woven] if woven else []
    steps = _woven(program, {key: calls(variant) for key, variant in variants.items()})
    return render("c_phases.jinja", functions=functions, calls=steps, places=places.macros(), **both)


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


def _form(program: Program) -> dict[str, Any]:
    """How Python sees that a tensor can be stepped by passes: by what its states have one number per."""
    kinds = {state_kinds(program, step) for step in program.steps}
    texts = [f'flags["{name}"]' for name in flag_names(program)]
    lines = woven(program, lambda s: [(f"kinds = {state_kinds(program, s)}",)], conditions=texts)
    together = any(is_over_model(s) for step in program.steps for s in step.body)
    told = f"by_rows={needs_matrix(program)}, together={together}"
    if len(kinds) == 1:
        return {"kinds": [], "form": wrap(f"form = Form({min(kinds)}, {told})")}
    return {"kinds": lines, "form": [f"form = Form(kinds_of, {told})"]}


def emit_schedule(schedule: Schedule) -> None:
    """A schedule has no kernel."""


def shared() -> dict[str, str]:
    """The files that every rule of this backend needs."""
    return {path.name: path.read_text(encoding="utf-8") for path in sorted(RUNTIME.glob("_[a-z]*.[chp]*"))}


def _comment(rule: Rule) -> list[str]:
    """The header as lines of a comment that nothing in them can end."""
    lines = [line.replace("*/", "* /").replace("??/", "?? /") for line in header(rule, "c")]
    return [f" {line}" if line else "" for line in lines]


def _macros(stored: Sequence[str], flags: Sequence[str]) -> list[str]:
    """What a command line has to define, as for float32 and the variant where no condition holds."""
    types = [f"-D{name}_type=fp32" for name in [stored[0], "grad", *stored[1:]]]
    text = " ".join(["-Dreal=float", *types, *(f"-D{flag.upper()}=0" for flag in flags)])
    return textwrap.wrap(text, WIDTH, break_long_words=False, break_on_hyphens=False)


def _woven(program: Program, items: Mapping[tuple[bool, ...], Iterable[Item]]) -> list[str]:
    """The items of all variants as one text under #if, wrapped."""
    conditions = [flag.upper() for flag in flag_names(program)]
    joined = weave({variant: [*each] for variant, each in items.items()}, conditions, C)
    return [part for line in _aligned(joined) for part in _wrapped(line)]


def _aligned(lines: Sequence[str]) -> Iterator[str]:
    """The lines, each directive as far in as what it guards, for what is woven may be inside loops."""
    margins: list[str] = []
    for k, line in enumerate(lines):
        found = DIRECTIVE.match(line)
        if found and found[1] == "if":
            guarded = next(n for n in range(k, len(lines)) if not DIRECTIVE.match(lines[n]))
            margins.append(" " * (len(_margin(lines[guarded])) - 4 * (guarded - k)))
        yield margins[-1] + line.lstrip() if found else line
        if found and found[1] == "endif":
            margins.pop()


def _margin(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


def _wrapped(line: str) -> list[str]:
    margin = _margin(line)
    if len(line) <= WIDTH or line.lstrip().startswith("//"):
        return [line]
    glue = " \\" if line.lstrip().startswith("#") else ""
    first, *rest = _pieces(line.strip(), WIDTH - 4 - len(margin))
    lines = [margin + first, *(f"{margin}{STEP}{piece}" for piece in rest)]
    return [*(f"{line}{glue}" for line in lines[:-1]), lines[-1]]


def _pieces(text: str, width: int) -> Iterator[str]:
    """The text in pieces of at most so many characters, each cut at the outermost operator that binds least."""
    while len(text) > width:
        depth = 0
        places: dict[tuple[int, int], int] = {}
        for at, char in enumerate(text[: width + 1]):
            depth += (char in "([") - (char in ")]")
            word = text[:at].rpartition(" ")[2]
            is_place = word == "=" or (at > width // 4 and (word in LOOSE or word.endswith(",")))
            if char == " " and is_place:
                places[depth, LOOSE.get(word, 0)] = at
        cut = places[min(places)] if places else text.rfind(" ", 0, width + 1)
        if cut < 0:
            break
        yield text[:cut]
        text = text[cut + 1 :]
    yield text
