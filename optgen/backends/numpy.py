"""NumPy: the readable reference. `init` starts the states, `step` makes one step, over lists of arrays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib import resources
from typing import Any

from optgen.backends._formats import formats, names_of, params, takes_seed
from optgen.backends._inputs import about_inputs, checked, input_arguments, presence
from optgen.backends._numpy_formats import (
    check_of,
    kept,
    loaded,
    param_line,
    places,
    storage,
    table_of,
)
from optgen.backends._numpy_numbers import floats, numbers_of
from optgen.backends._numpy_parts import Part, borrowed, fits, unfit
from optgen.codecs import companions
from optgen.common import apart
from optgen.constructor import requirements, tuple_of
from optgen.dsl.rule import Schedule
from optgen.ir import COLS, ROWS, TENSOR, Axis, Map, MatMul, Op, Phase, Place, Reduce, Role, Statement, Step
from optgen.languages import NUMPY
from optgen.listing import (
    annotation,
    default,
    device_axes,
    header,
    host_lines,
    host_names,
    is_elementwise,
    names_in,
    quote,
    quoted,
    returned,
    signature,
    totals,
    variant_of,
    woven,
)
from optgen.passes import Program
from optgen.passes.phase import phase
from optgen.printers import to_text
from optgen.render import render_python
from optgen.weave import Item
from optgen.wrapping import wrap

__all__ = ["FOLDER", "emit", "emit_schedule", "shared", "storage"]

FOLDER = "numpy_ref"
TAKEN = (
    "params: Sequence[Array]",
    "grads: Sequence[Array | None]",
    "state: Sequence[State]",
    "t: int | Sequence[int]",
    "*",
)
CHECKS = frozenset({"check_state", "check_given", "counts", "number", "numbers", "to_step"})
NEEDED = ("_checks.py", "_rounding.py", "_stretches.py")
KIND = "Sequence[Array | None]"  # of an input
FUNCTIONS = {Op.SUM: "np.sum", Op.MEAN: "np.mean", Op.MAX: "np.max"}
COMBINE = {Op.SUM: "sum({}_parts)", Op.MAX: "np.max({}_parts, initial=-np.inf)"}
AXIS: dict[tuple[Axis, ...], str] = {(ROWS,): ", axis=-2, keepdims=True", (COLS,): ", axis=-1, keepdims=True"}


def emit(program: Program) -> str:
    """The text of the rule's module."""
    rule = program.rule
    chain = program.chain
    parts = [Part.of(each, at, len(chain) == 1) for at, each in enumerate(chain)]
    loops = [loop for part in parts for loop in _loops(part)]
    start = [line for part in parts for line in part.start]
    arguments = [f"{d.name}: {annotation(d)} = {default(d)}" for d in rule.declarations]
    seed = ["seed: int = 0"] if takes_seed(program) else []
    taken = [*TAKEN, *input_arguments(program, KIND), *arguments, *seed, "out: bool = False"]
    inputs = [line for part in parts for line in checked(part.program, part.work, _is_together(part.program))]
    code = [line for loop in loops for line in loop["lines"]]
    required = requirements(rule, "raise ValueError({})")
    hypers = [*floats(program, names_in([*code, *start, *required])), *required]
    hypers += ["steps = counts(t, params)"] if "t" in names_in(code) else []
    return render_python(
        "numpy.jinja",
        header=header(rule, "numpy"),
        math=any("math." in line for line in [*code, *start]),
        init_opens=signature("init", [TAKEN[0], *(["*", *arguments] if arguments else [])], "list[State]"),
        init=_init(program, parts),
        step_opens=signature("step", taken, "tuple[list[Array], list[State]]"),
        functions=[
            *(_mode(name, mode, arguments) for name, mode in program.modes.items()),
            *(part.starting(rule) for part in parts if part.start),
        ],
        parts=loops,
        hypers=hypers,
        formats=table_of(program),
        imports=_imports(program, names_in([*code, *hypers, *inputs])),
        sorts=[*(line for part in parts[:-1] for line in part.sorting()), *inputs],
        kinds=", np.uint16" if params(program) else "",
        unfit=unfit(program),
        last=parts[-1].work,
        apart=[*about_inputs(program), *apart(program)],
    )


def _imports(program: Program, used: set[str]) -> list[str]:
    """The lines that import what the module uses of its folder."""
    found = {"checks": sorted({"to_step", *(CHECKS & used)}), **names_of(program)}
    found |= {"rounding": ["to_bfloat16"]} if "to_bfloat16" in used else {}
    found |= {"parameters": ["random_bits"]} if takes_seed(program) else {}
    found |= {"stretches": ["begin", "stretches"]} if any(map(_in_stretches, program.chain)) else {}
    return [f"from ._{module} import {', '.join(names)}" for module, names in sorted(found.items())]


def emit_schedule(schedule: Schedule) -> str:
    """The text of a schedule's module: one plain function of t."""
    ordered = sorted(schedule.declarations, key=lambda d: d.default is not None)
    arguments = [f"{d.name}: float" + ("" if d.default is None else f" = {default(d)}") for d in ordered]
    lines = returned(schedule)
    return render_python(
        "schedule_numpy.jinja",
        header=header(schedule, "numpy"),
        math=any("math." in line for line in lines),
        opens=signature("factor", ["t: int", *(["*", *arguments] if arguments else [])], "float"),
        lines=lines,
    )


def shared() -> dict[str, str]:
    """The files that all rules of this backend need: checks of what a step is given, the walk over it, rounding."""
    folder = resources.files("optgen.runtime.numpy_ref")
    return {name: (folder / name).read_text(encoding="utf-8") for name in NEEDED}


def _is_together(program: Program) -> bool:
    """Whether the rule looks at all tensors together."""
    return any(isinstance(s, Reduce) and TENSOR in s.over for step in program.steps for s in step.body)


def _mode(name: str, program: Program, arguments: list[str]) -> dict[str, Any]:
    """What the template needs to print the function that changes the mode."""
    phases = {variant_of(s): phase(s, everywhere=False) for s in program.steps}
    lines = woven(program, lambda s: _body(program, s, phases[variant_of(s)], 0))
    taken = ["params: Sequence[Array]", "state: Sequence[State]", "*", *arguments]
    stored = ['new_params[i] = new.pop("param")', "kept |= new"] if _in_stretches(program) else []
    needed = f"{{{', '.join(map(quote, _keys(program)))}}}"
    return {
        "opens": signature(f"to_{name}", taken, "tuple[list[Array], list[State]]"),
        "about": f"What `{name}` makes of parameters and states, as new ones; what has not stepped stays as it is.",
        "lines": [
            *floats(program, names_in(lines)),
            "new_params, new_state = list(params), [dict(kept) for kept in state]",
            "for i, kept in enumerate(new_state):",
            f"    if not kept.keys() >= {needed}:",
            "        continue",
            f"    {program.rule.param.label}_prev, new = params[i], {{}}",
            *(f"    {line}" for line in [*lines, *stored]),
            "return new_params, new_state",
        ],
    }


def _loops(part: Part) -> list[dict[str, Any]]:
    """What the template needs to print the loops of one rule."""
    exact = not formats(replace(part.program, otherwise=None))  # whether what is stored is what was computed
    phases = {variant_of(s): phase(s, everywhere=False, read_back=None if exact else ()) for s in part.program.steps}
    start = part.call(part.param, *part.late)
    if _in_stretches(part.program):
        return [_stretched(part.program, phases, part.work, start)]
    count = max(map(len, phases.values()))
    return [_loop(part.program, phases, k, part.work, start if part.start else None) for k in range(count)]


def _init(program: Program, parts: Sequence[Part]) -> list[str]:
    """The body of `init`. States that start from the gradient are left to the first step."""
    if any(part.late for part in parts) or not any(part.start for part in parts) or params(program):
        return ["return [{} for _ in params]"]
    name = parts[0].param
    made = parts[-1].call(name)
    for part in reversed(parts[:-1]):
        made = f"{part.call(name)} if {fits(part.program, name)} else {made}"
    hypers = floats(program, {n for part in parts for n in part.asked})
    return [*hypers, *wrap(f"return [{made} for {name} in params]")]


def _loop(
    program: Program, phases: dict[tuple[bool, ...], tuple[Phase, ...]], k: int, work: str, start: str | None
) -> dict[str, Any]:
    """What the template needs to print one loop over the parameters. start: the call that starts their states."""
    lines = woven(program, lambda s: _body(program, s, phases[variant_of(s)], k))
    read = names_in(lines)
    param, grad = f"{program.rule.param.label}_prev", program.rule.grad.label
    given = ["kept = dict(state[i])" if start is None else f"kept = {start}"] if k == 0 or "first" in read else []
    given += ["first = not kept.keys() <= state[i].keys()"] if "first" in read else []
    given += check_of(tuple_of(_keys(program))) if k == 0 else []
    given += ["kept = new_state[i]"] if k else ["kept |= state[i]"] if start is not None else []
    values = [param_line(program), f"{grad} = np.asarray(grads[i], {param}.dtype)"]
    told = {str(q.label): f"{q.label} = {name}[i]" for q, name in program.rule.inputs.items()}
    asked = [line for line in presence(program) if line.partition(" ")[0] in read]
    values += [line for q, line in told.items() if q in read | names_in(asked)] + asked
    combined = totals(phases, k)
    return {
        "opens": [f"for i in {work}:"],
        "lines": [*values, *given, *numbers_of(program, param, read), *lines, "new_state[i] = kept"],
        "parts": [name for name, _ in combined],
        "combined": [f"{name} = {COMBINE[op].format(name)}" for name, op in combined],
    }


def _stretched(
    program: Program, phases: dict[tuple[bool, ...], tuple[Phase, ...]], work: str, start: str
) -> dict[str, Any]:
    """The same of a rule whose elements are computed one by one: the loop is over stretches of them.

    start: the call that starts the states of a parameter.
    """
    lines = woven(program, lambda s: _body(program, s, phases[variant_of(s)], 0))
    read = names_in(lines)
    param, grad = f"{program.rule.param.label}_prev", program.rule.grad.label
    keys = _keys(program)
    first = f"lambda {param}, {grad}: {start}"
    given = ["first = not kept.keys() <= state[i].keys()"] if "first" in read else []
    given += numbers_of(program, "params[i]", read) + presence(program)
    used = names_in([*given, *lines])
    inputs = {str(q.label): name for q, name in program.rule.inputs.items()}
    targets = ", ".join(name if name in used else "_" for name in ("i", param, str(grad), "kept", "new", *inputs))
    walked = ", ".join(["params, grads, states, new_params, new_state, out", *inputs.values()])
    return {
        "opens": [
            *wrap(f"keys = {tuple_of(keys)}"),
            *wrap(f"states = begin({work}, params, grads, state, keys, {first})"),
            f"for {targets} in stretches({walked}):",
        ],
        "lines": [*given, *lines],
        "parts": [],
        "combined": [],
    }


def _keys(program: Program) -> list[str]:
    """The keys of all states of any variant."""
    kept = (v for step in program.steps for v in step.of_role(Role.STATE, Role.PARAM))
    return list(dict.fromkeys(key for var in kept for key in companions(var) if key))


def _in_stretches(program: Program) -> bool:
    """Whether elements are computed one by one, from numbers that can be looked at in pieces."""
    return is_elementwise(program) and not formats(replace(program, otherwise=None))


def _body(program: Program, step: Step, phases: tuple[Phase, ...], k: int) -> Iterator[Item]:
    if k >= len(phases):
        return
    part, last, taken = phases[k], k == len(phases) - 1, borrowed(program)
    new, new_param = ("new", 'new["param"]') if _in_stretches(program) else ("kept", "new_params[i]")
    written = {w.value: step.var(w.into) for earlier in phases[:k] for w in earlier.stores}
    for name in part.loads:
        var = written.get(name) or step.var(name)
        if var.key:
            yield (f"{name} = {loaded(var, f'{program.rule.param.label}_prev')}",)
    scalars = [v for v in step.of_role(Role.STATE) if v.place is Place.HOST]
    yield from ((f'{v.name} = float(kept["{v.key}"])',) for v in scalars)
    yield from host_lines(step, part, last)
    for statement in quoted(program, step, part.body):
        yield statement if isinstance(statement, tuple) else (_statement(statement, step),)
    for write in part.stores:
        var = step.var(write.into)
        place = ", ".join([*([new_param] if var.role is Role.PARAM else []), *places(var, new)])
        make = f"np.{'array' if write.value in taken else 'asarray'}"
        plain = f"{make}({write.value}, {program.rule.param.label}_prev.dtype)"
        yield (f"{place} = {kept(var, write.value, plain)}",)
    if last:
        hosted = [(step.var(w.into), w.value) for w in step.writes]
        yield from ((f'{new}["{v.key}"] = {value}',) for v, value in hosted if v.place is Place.HOST)


def _text(step: Step, expr: Any) -> str:
    return to_text(expr, NUMPY, host_names(step), axes=device_axes(step))


def _statement(statement: Statement, step: Step) -> str:
    match statement:
        case Map(target=target, expr=expr):
            return f"{target} = {_text(step, expr)}"
        case Reduce(target=target, op=op, arg=arg, over=over):
            text = f"{FUNCTIONS[op]}({_text(step, arg)}{AXIS.get(over, '')})"
            return f"{target}_parts.append({text})" if TENSOR in over else f"{target} = {text}"
        case MatMul(target=target, a=a, b=b, ta=ta, tb=tb):
            return f"{target} = {_turned(a, ta)} @ {_turned(b, tb)}"


def _turned(name: str, turned: bool) -> str:
    return f"np.swapaxes({name}, -1, -2)" if turned else name
