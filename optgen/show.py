"""Show: what a rule computes, takes, stores and costs, as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from optgen.backends._triton_launches import launches
from optgen.codecs import codec_of, codecs, companions
from optgen.dsl.inputs import Given
from optgen.dsl.load import built_in_names, load
from optgen.dsl.rule import Rule, Schedule
from optgen.dsl.symbols import Declaration, t
from optgen.equations import text
from optgen.fused import devices
from optgen.ir import BATCH, COLS, ELEMENT, ROWS, TENSOR, Axis, Phase, Role, Step, Var
from optgen.passes import Program, lower, without_copies
from optgen.passes.phase import phase

# Bytes of one element of (parameter and gradient, state) under the three usual choices of formats.
FORMATS = {"float32": (4, 4), "bfloat16 with float32 state": (2, 4), "bfloat16": (2, 2)}
COMPUTED = 4  # bytes of what is computed


def overview() -> RenderableType:
    """All built-in rules and schedules, and the formats in which parameters, gradients and state may be stored."""
    rules, schedules = _table("optimizer", "class", "state", "use"), _table("schedule", "class", "arguments", "use")
    for name in built_in_names():
        match load(name):
            case Rule() as rule:
                keys = (v.key for v in states(lower(rule).steps))
                rules.add_row(name, rule.name, ", ".join(keys) or "none", rule.use)
            case Schedule() as rule:
                schedules.add_row(name, rule.name, ", ".join(d.name for d in rule.declarations) or "none", rule.use)
    return Group(rules, schedules, formats_table())


def formats_table() -> RenderableType:
    """What quantities may be stored in, with the bytes that each takes for an element."""
    table = _table("storage format", "bytes per element", "of", "meaning")
    table.add_row("float64, float32, bfloat16, float16", "8, 4, 2, 2", "all, in any mix, at run time",
                  "the tensors' own dtypes; computed in float32, or in float64 for float64 parameters")
    for name, codec in codecs().items():
        kind = "the parameter" if codec.for_param else "a state"
        table.add_row(name, _bytes(codec.bytes_per_element()), kind, codec.about)
    return table


def description(rule: Rule | Schedule) -> RenderableType:
    """Everything there is to know about one rule."""
    parts: list[RenderableType] = [Text(" ".join(rule.doc.split()) or rule.name)]
    if rule.use:
        parts.append(Text(f"use: {rule.use}"))
    if isinstance(rule, Rule) and rule.typical_lr:
        rates = (f"{task} {_short(low)} to {_short(high)}" for task, (low, high) in rule.typical_lr.items())
        parts.append(Text("typical learning rates: " + "; ".join(rates)))
    parts += [_heading("equations"), *(Text(f"  {line}") for line in text(rule))]
    parts += [_heading("hyperparameters"), hyperparameters(rule.declarations)]
    if isinstance(rule, Rule):
        program = without_copies(lower(rule))
        steps = program.steps
        parts += [_heading("given besides the gradient"), inputs_table(rule)] if rule.inputs else []
        parts += [_heading("state"), state_table(rule, steps)]
        parts += [_heading("bytes per parameter: state / read and written by a step"), bytes_table(steps)]
        longest = max(steps, key=lambda step: len(_passes(step, COMPUTED)))
        cuts = {tuple(_passes(longest, state)): None for _, state in FORMATS.values()}
        for rounds, cut in enumerate(cuts if len(next(iter(cuts))) > 1 else ()):
            told = ", where storing a state rounds it" if rounds else ""
            parts += [_heading(f"passes over memory, and bytes per parameter that each reads and writes{told}")]
            parts += [passes_table(longest, cut)]
        parts += [Text(""), Text(f"launches for a whole group of parameters on a GPU: {_launches(program)}")]
    return Group(*parts)


def hyperparameters(declarations: tuple[Declaration, ...]) -> RenderableType:
    """Names, defaults and bounds, in the order of the constructor."""
    table = _table("name", "default", "bounds", "in equations")
    for declared in declarations:
        default = "required" if declared.default is None else str(declared.default)
        table.add_row(declared.name, default, str(declared.bounds) or "none", ", ".join(declared.names))
    return table if declarations else Text("  none")


def inputs_table(rule: Rule) -> RenderableType:
    """What a step is given by name besides the gradient, and whether it has to be."""
    asked = {s for e in rule.equations for s in e.rhs.free_symbols}
    table = _table("argument of step", "quantity", "when")
    for quantity, name in rule.inputs.items():
        table.add_row(name, str(quantity.label), "may be absent" if Given(quantity) in asked else "always")
    return table


def state_table(rule: Rule, steps: tuple[Step, ...]) -> RenderableType:
    """What is kept between steps, in which shape, and in which variants."""
    kept = states(steps)
    is_coded = any(var.codec for var in (*kept, *steps[0].of_role(Role.PARAM)))
    table = _table("key", "quantity", "starts at", "one number per", "when", *(["stored as"] if is_coded else []))
    for quantity, key in rule.state_keys.items():
        if quantity == t:
            table.add_row(key, "t", "0", "tensor", "always")
    for var in kept:
        told = [var.name.removesuffix("_prev"), str(var.init), _extent(var.axes), _when(var, steps)]
        table.add_row(", ".join(companions(var)), *told, *([var.codec] if is_coded else []))
    for param in steps[0].of_role(Role.PARAM):
        if param.codec:
            told = [param.name.removesuffix("_prev"), "", "element", "of bfloat16", param.codec]
            table.add_row(", ".join(companions(param)) or "none", *told)
    if rule.min_numel is None:
        return table if table.row_count else Text("  none")
    return Group(table, Text(f"  of parameters with fewer than {rule.min_numel} elements: in the parameter's dtype"))


def bytes_table(steps: tuple[Step, ...]) -> RenderableType:
    """State kept and most memory moved by a step for each element, for each set of states that some variant keeps."""
    table = _table("state kept", *FORMATS)
    rows: dict[tuple[str, ...], list[tuple[float, float]]] = {}
    for step in steps:
        costs = [bytes_per_element(step, *sizes) for sizes in FORMATS.values()]
        keys = tuple(v.key for v in states((step,)))
        rows[keys] = [max(pair) for pair in zip(costs, rows.get(keys, costs), strict=True)]
    for keys, cells in sorted(rows.items(), key=lambda row: len(row[0])):
        table.add_row(", ".join(keys) or "none", *(f"{_bytes(kept)} / {_bytes(moved)}" for kept, moved in cells))
    return table


def bytes_per_element(step: Step, weight: int, state: int) -> tuple[float, float]:
    """Bytes of state, and bytes that a step reads and writes, per element. Row and column statistics count nothing."""
    kept = sum(_size(step.var(v.name), weight, state) for v in step.of_role(Role.STATE))
    return kept, sum(_moved(step, part, weight, state) for part in _passes(step, state))


def passes_table(step: Step, passes: Sequence[Phase]) -> RenderableType:
    """What each pass of a fused step over memory reads and writes for each element, in the formats that are so cut."""
    formats = {name: sizes for name, sizes in FORMATS.items() if tuple(_passes(step, sizes[1])) == tuple(passes)}
    table = _table("pass", "reads", "writes", *formats)
    for number, part in enumerate(passes, 1):
        reads = [name for name in part.loads if _size(_memory(step, name), 1, 1)]
        writes = [w.value for w in part.stores if _size(step.var(w.into), 1, 1)]
        costs = (_bytes(_moved(step, part, *sizes)) for sizes in formats.values())
        table.add_row(str(number), ", ".join(reads), ", ".join(writes) or "none", *costs)
    return table


def _passes(step: Step, state: int) -> list[Phase]:
    """The phases of a fused step that go over all elements; it reads nothing back that storing has rounded.

    state: bytes of a state's element.
    """
    whole = [v.name for v in step.of_role(Role.STATE) if v.axes == ELEMENT and codec_of(v) is None]
    parts = phase(step, everywhere=True, read_back=whole if state == COMPUTED else ())
    return [part for part in parts if _moved(step, part, 1, 1)]


def _moved(step: Step, part: Phase, weight: int, state: int) -> float:
    places = [*(_memory(step, name) for name in part.loads), *(step.var(w.into) for w in part.stores)]
    return sum(_size(var, weight, state) for var in places)


def _memory(step: Step, name: str) -> Var:
    """Where a value lies that a phase loads: a new one where an earlier phase has stored it."""
    return step.var({w.value: w.into for w in step.writes}.get(name, name))


def _size(var: Var, weight: int, state: int) -> float:
    """Bytes of one element."""
    codec = codec_of(var)
    if codec is not None and var.axes == ELEMENT:
        return codec.bytes_per_element()
    if var.role in (Role.PARAM, Role.GRAD, Role.INPUT):
        return weight
    return state if var.role is Role.STATE and var.axes == ELEMENT else 0


def states(steps: tuple[Step, ...]) -> tuple[Var, ...]:
    """The states of all these variants, each once, in order."""
    found: Mapping[str, Var] = {v.key: v for step in steps for v in step.of_role(Role.STATE)}
    return tuple(found.values())


def _when(var: Var, steps: tuple[Step, ...]) -> str:
    """The condition under which a state is kept, where one condition decides it."""
    kept = [any(v.key == var.key for v in step.of_role(Role.STATE)) for step in steps]
    if all(kept):
        return "always"
    for condition in steps[0].variant:
        truth = [step.variant[condition] for step in steps]
        if truth == kept:
            return condition
        if [not value for value in truth] == kept:
            return f"not {condition}"
    return f"{sum(kept)} of {len(kept)} variants"


def _extent(axes: tuple[Axis, ...]) -> str:
    match axes:
        case ():
            return "model"
        case _ if axes == ELEMENT:
            return "element"
        case _ if ROWS in axes:
            return "row"
        case _ if COLS in axes:
            return "column"
        case _ if BATCH in axes:
            return "matrix"
        case _:
            return "tensor" if TENSOR in axes else "step"


def _launches(program: Program) -> str:
    return " or ".join(map(str, launch_counts(program))) or "none, each is stepped eagerly"


def launch_counts(program: Program) -> list[int]:
    """How many launches step a whole group on a GPU, by variants; none where it is stepped eagerly."""
    return sorted({launches(program, step) for step in program.steps}) if "cuda" in devices(program) else []


def _bytes(count: float) -> str:
    return f"{count:.3f}".rstrip("0").rstrip(".")


def _short(rate: float) -> str:
    return f"{rate:.0e}".replace("e-0", "e-").replace("e+0", "e+")


def _heading(words: str) -> Text:
    return Text(f"\n{words}", style="bold")


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="dim")
    for number, heading in enumerate(headings):
        table.add_column(heading, overflow="fold", no_wrap=number == 0)
    return table
