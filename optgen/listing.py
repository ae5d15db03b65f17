"""Listing: what every backend prints of a program alike: its header, arguments, scalars and quoted equations."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import sympy

from optgen import __version__, equations
from optgen.dsl.rule import Rule, Schedule
from optgen.dsl.symbols import Declaration, Kind
from optgen.errors import escaped
from optgen.ir import (
    BATCH,
    COLS,
    ROWS,
    TENSOR,
    Axis,
    Map,
    MatMul,
    Op,
    Phase,
    Place,
    Reduce,
    Role,
    Statement,
    Step,
    Var,
    reads,
)
from optgen.languages import HOST
from optgen.passes import Program
from optgen.printers import to_text
from optgen.weave import PYTHON, Item, Syntax, weave
from optgen.wrapping import TEXT, WIDTH, wrap

FORMAT = 1


def header(rule: Rule | Schedule, backend: str) -> list[str]:
    """The lines of a generated file's docstring: what it is, where it comes from, what it computes."""
    built_in, origin = rule.source.startswith("rules/"), rule.source or "a Rule object"
    name = rule.source.removeprefix("rules/").removesuffix(".py") if built_in else rule.source
    lines = [f"{rule.name}. Written by optgen {__version__} (format {FORMAT}) from {origin}; do not edit.", ""]
    options = getattr(rule, "options", "")  # a schedule has none
    lines += [f"    optgen build {name} --backend {backend} {options}".rstrip(), ""] if name else []
    about = " ".join(rule.doc.removeprefix(f"{rule.name}.").split())
    lines += [*textwrap.wrap(about, WIDTH, break_long_words=False), ""] if about else []
    for line in [*equations.text(rule), *_stored(rule), *_of_others(rule)]:
        lines += textwrap.wrap(
            line,
            WIDTH,
            initial_indent="    ",
            subsequent_indent="        ",
            break_long_words=False,
            break_on_hyphens=False,
        )
    return [docstring(line) for line in lines]


def _stored(rule: Rule | Schedule) -> Iterator[str]:
    """In which formats quantities are stored."""
    if isinstance(rule, Rule) and rule.storage:
        names = {"states": "every state", "param": str(rule.param.label)}
        kept = ", ".join(f"{names.get(name, name)} as {codec}" for name, codec in rule.storage.items())
        yield f"with {kept}" + (f", of parameters with at least {rule.min_numel} elements" if rule.min_numel else "")


def _of_others(rule: Rule | Schedule) -> Iterator[str]:
    """What `train()` and `eval()` compute, and the equations for parameters of other shapes."""
    for name, mode in rule.modes.items() if isinstance(rule, Rule) else ():
        yield f"and by {name}():"
        yield from equations.text(mode)[: len(getattr(rule, f"to_{name}"))]
    if isinstance(rule, Rule) and rule.otherwise is not None:
        if equations.text(rule.otherwise) != equations.text(rule):
            yield f"and for parameters of other shapes, as {rule.otherwise.name or 'another rule'}:"
            yield from equations.text(rule.otherwise)
        yield from _of_others(rule.otherwise)


def default(declaration: Declaration) -> str:
    """The default of a constructor argument as Python."""
    return repr(declaration.default)


def docstring(text: str) -> str:
    """The text as a line of a docstring, which it can neither end nor hide in."""
    return escaped(text).replace("\\", "\\\\").replace('"""', "'''")


def quote(text: str) -> str:
    """The text as a Python string, in double quotes if it is plain."""
    return json.dumps(text) if text.isascii() and text.isprintable() else ascii(text)


def annotation(declaration: Declaration, number: str = "float") -> str:
    """The type of a constructor argument. number: the type of a single hyperparameter."""
    if declaration.kind is Kind.FLAG:
        return "bool"
    if declaration.is_tuple:
        return f"tuple[{', '.join(number + ' | None' * (value is None) for value in declaration.default)}]"
    return f"{number} | None" if declaration.default is None else number


def variant_of(step: Step) -> tuple[bool, ...]:
    """The truth values of the static conditions that make this variant."""
    return tuple(step.variant.values())


def host_names(step: Step) -> frozenset[str]:
    """The names that are scalars on the host."""
    return frozenset(v.name for v in step.vars if v.place is Place.HOST)


def device_axes(step: Step) -> dict[str, tuple[Axis, ...]]:
    """The axes of what is no scalar of the host."""
    return {v.name: v.axes for v in step.vars if v.place is Place.DEVICE}


def names_in(lines: Iterable[str]) -> set[str]:
    """Every word in lines of code that could be a name: none of a comment, a text or a keyword."""
    return {
        word
        for line in lines
        if not line.lstrip().startswith("#")
        for word in re.findall(r"(?<![.\w])[A-Za-z_]\w*\b(?!=[^=])", TEXT.sub("", line))
    }


def starts_late(program: Program) -> bool:
    """Whether states can only start at the first step: from the gradient, or because the rule asks for `first`."""
    grad = str(program.rule.grad.label)
    return any(v.name == "first" or (v.tensor_init and v.init.name == grad) for s in program.steps for v in s.vars)


def condition_texts(program: Program) -> list[str]:
    """The static conditions as Python."""
    return [to_text(condition, HOST) for condition in program.conditions]


def woven(
    program: Program,
    items: Callable[[Step], Iterable[Item]],
    syntax: Syntax = PYTHON,
    conditions: list[str] | None = None,
) -> list[str]:
    """The items of all variants as one text, wrapped. conditions: their spelling, as Python if not given."""
    by_variant = {variant_of(step): list(items(step)) for step in program.steps}
    joined = weave(by_variant, condition_texts(program) if conditions is None else conditions, syntax)
    return [part for line in joined for part in wrap(line)]


def equation_texts(program: Program) -> dict[str, str]:
    """The equations as text, by the names of their left sides."""
    return dict(zip((target(eq.lhs) for eq in program.rule.equations), equations.text(program.rule), strict=True))


def quoted(
    program: Program, step: Step, body: Iterable[Statement], comment: str = "#", texts: Mapping[str, str] | None = None
) -> Iterator[Item | Statement]:
    """Statements of a step, those of an equation after a comment that quotes it. texts: of the equations, if known."""
    texts = texts or equation_texts(program)
    owners: dict[str, str] = {}
    waiting: list[str] = []
    for statement in step.body:
        waiting.append(statement.target)
        if statement.target in texts:
            owners |= dict.fromkeys(waiting, statement.target)
            waiting = []
    last = ""
    for statement in body:
        owner = owners.get(statement.target, last)
        if owner != last:
            yield _comment(texts[owner], comment)
        yield statement
        last = owner


def _comment(text: str, sign: str) -> Item:
    return tuple(
        textwrap.wrap(
            text,
            WIDTH - 12,
            initial_indent=f"{sign} ",
            subsequent_indent=f"{sign}     ",
            break_long_words=False, break_on_hyphens=False,
        )
    )


def target(lhs: Any) -> str:
    """The name that an equation's left side has in the IR."""
    index = lhs.indices[0]
    name: str = lhs.base.label.name
    return f"{name}_{index}" if isinstance(index, sympy.Integer) else name


def host_lines(step: Step, part: Phase, last: bool) -> Iterator[Item]:
    """A line of Python for each host scalar that a phase needs; the last one also computes what is stored."""
    needed = {name for s in part.body for name in reads(s)}
    needed |= {w.value for w in step.writes if last and step.var(w.into).place is Place.HOST}
    for statement in reversed(step.host):
        needed |= set(reads(statement)) if statement.target in needed else set()
    for statement in step.host:
        if statement.target in needed:
            yield (f"{statement.target} = {to_text(statement.expr, HOST, host_names(step))}",)


def totals(phases: Mapping[tuple[bool, ...], tuple[Phase, ...]], k: int) -> list[tuple[str, Op]]:
    """What phase k reduces over the model, with how it is combined."""
    found = {
        s.target: s.op
        for parts in phases.values()
        if k < len(parts)
        for s in parts[k].body
        if isinstance(s, Reduce) and TENSOR in s.over
    }
    return sorted(found.items())


def returned(schedule: Schedule) -> list[str]:
    """Lines that return a schedule's factor, its outermost branches as `if`s."""
    names = frozenset(s.name for s in schedule.value.free_symbols)
    value, lines = schedule.value, []
    while value.is_Piecewise:
        (taken, condition), *rest = value.args
        if condition == sympy.true:
            value = taken
            break
        lines += [f"if {to_text(condition, HOST, names)}:", *wrap(f"    return {to_text(taken, HOST, names)}")]
        value = sympy.Piecewise(*rest, evaluate=False) if rest[0].cond != sympy.true else rest[0].expr
    return [*lines, *wrap(f"return {to_text(value, HOST, names)}")]


def signature(name: str, arguments: Sequence[str], returns: str) -> list[str]:
    """The line that opens a function, or several if it is too long."""
    line = f"def {name}({', '.join(arguments)}) -> {returns}:"
    return [line] if len(line) <= WIDTH else [f"def {name}(", *(f"    {a}," for a in arguments), f") -> {returns}:"]


def imports(module: str, names: Iterable[str]) -> list[str]:
    """The line that imports names from a module, or several if it is too long."""
    line = f"from {module} import {', '.join(sorted(names))}"
    if len(line) <= WIDTH:
        return [line]
    return [f"from {module} import (", *(f"    {name}," for name in sorted(names)), ")"]


def module_name(rule: Rule | Schedule) -> str:
    """The name of the files that a rule becomes: that of its own file, else its class's in lower case."""
    return Path(rule.source).stem if rule.source else rule.name.lower()


def suffix(position: int) -> str:
    """What the names end in that belong to the rule at a position of a program's chain."""
    return "" if position == 0 else "_otherwise" if position == 1 else f"_otherwise_{position}"


def extents(var: Var) -> tuple[str, ...]:
    """What the axes of a value are as long as, but for that of the tensors that step together."""
    return tuple(axis.extent for axis in var.axes if axis != TENSOR)


def is_elementwise(program: Program) -> bool:
    """Whether every element is computed from itself and from host scalars."""
    return all(isinstance(s, Map) and BATCH in step.var(s.target).axes for step in program.steps for s in step.body)


def needs_matrix(program: Program) -> bool:
    """Whether the rule looks at rows or columns, so that a parameter needs two dimensions."""
    statistics = any(
        isinstance(s, MatMul) or (isinstance(s, Reduce) and s.over in ((ROWS,), (COLS,)))
        for p in program.steps
        for s in p.body
    )
    return statistics or any(
        v.place is Place.DEVICE and BATCH in v.axes and not {ROWS, COLS} <= set(v.axes)
        for p in program.steps
        for v in p.of_role(Role.STATE, Role.LOCAL)
    )
