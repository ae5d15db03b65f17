"""PyTorch: a `torch.optim.Optimizer`. Pure functions say what the rule computes; the shared runtime does the rest."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from importlib import resources
from typing import Any

from optgen.backends._formats import names_of, params, takes_seed
from optgen.backends._inputs import specs, step_method
from optgen.backends._torch_arguments import asked_of, host_arguments, is_shared, update_arguments
from optgen.backends._torch_lines import line_of
from optgen.backends._torch_states import states_of, storage
from optgen.codecs import companions
from optgen.constructor import (
    argument,
    arguments,
    defaults,
    hyper,
    required,
    requirements,
    state_keys,
    stores_count,
    update_rule,
)
from optgen.dsl.rule import Schedule
from optgen.dsl.symbols import EXTENTS
from optgen.fused import devices
from optgen.ir import Op, Phase, Place, Role, Step, reads
from optgen.languages import SCALAR
from optgen.listing import (
    docstring,
    header,
    host_names,
    module_name,
    names_in,
    quoted,
    returned,
    signature,
    suffix,
    totals,
    variant_of,
    woven,
)
from optgen.passes import Program, without_copies
from optgen.passes.phase import phase
from optgen.printers import to_text
from optgen.render import render_python
from optgen.weave import Item

__all__ = ["FOLDER", "emit", "emit_schedule", "shared", "storage"]

FOLDER = "pytorch"
COMBINE = {Op.SUM: "total", Op.MAX: "largest"}
KEPT = "What is kept from step to step, by its key in a checkpoint."
COMMON = "Scalars of one step, computed once for all parameters that share them."
ONE_STEP = "One step of one parameter, without side effects. All tensors have the compute dtype."
SHARE = "What one parameter gives to the values common to all. All tensors have the compute dtype."
WRONG = "What is wrong with hyperparameters that do not go together; empty if nothing is."
ON_GPU = "The fused kernel. Raises ImportError without Triton, or where this folder was copied without its sibling."
ON_CPU = "The fused step in C. Raises ImportError where this folder was copied without its sibling."
OFFERED = frozenset(
    """Fixed Hyper Input Inputs RuleOptimizer Scalar State UpdateRule choose cols_by_cols cols_by_rows cos exp floor
    from_grad from_param largest log maximum minimum negated per_col per_matrix per_row per_tensor rows_by_rows sign sin
    sqrt tanh to_bfloat16 total""".split()
)


def emit(program: Program) -> str:
    """The text of the rule's module."""
    program = without_copies(program)
    rule = program.rule
    functions, spec = [], []
    fused = devices(program)
    for at, each in enumerate(program.chain):
        made, lines = _part(each, suffix(at), fused)
        functions += made
        functions += [f for name, mode in each.modes.items() for f in _mode(mode, suffix(at), f"{suffix(at)}_{name}")]
        margin = "    " * at
        spec += [margin[4:] + "otherwise=UpdateRule("] * bool(at) + [margin + line for line in lines]
    spec += ["    " * at + ")," for at in reversed(range(len(program.chain) - 1))]
    functions, spec = _once(functions, spec)
    requires = [*requirements(rule), 'return ""'] if required(rule) else []
    base = "ModalOptimizer" if program.modes else "RuleOptimizer"
    code = [*spec, *(line for function in functions for line in function["lines"])]
    methods = step_method(program)
    given = arguments(rule, takes_seed(program))
    always = f"Hyper {base} Scalar State UpdateRule"
    return render_python(
        "torch.jinja",
        header=header(rule, "torch"),
        local=_local(program, sorted(names_in([*code, always, *methods]) & OFFERED)),
        standard=_standard([*code, *methods], fused),
        torch=any("torch." in line for line in [*code, *given]),
        name=rule.name,
        base=base,
        functions=[
            *functions,
            *([_function("requires", asked_of(program, requires), "str", WRONG, requires)] if requires else []),
            *_fused(program, fused.values()),
        ],
        spec=spec,
        methods=methods,
        arguments=given,
        defaults=defaults(program, takes_seed(program)),
        about=docstring(f"{rule.name}{': ' + rule.use if rule.use else ''}."),
    )


def _once(functions: list[dict[str, Any]], spec: list[str]) -> tuple[list[dict[str, Any]], list[str]]:
    """Functions that are alike but for their name are printed once, and the first's name stands for all."""
    first = {function["alike"]: function["name"] for function in reversed(functions)}
    known = {function["name"]: first[function["alike"]] for function in functions}
    named = re.compile(rf"\b({'|'.join(known)})\b(?!=)")
    kept = [function for function in functions if known[function["name"]] == function["name"]]
    return kept, [named.sub(lambda found: known[found[0]], line) for line in spec]


def _standard(code: Collection[str], fused: Collection[str]) -> list[str]:
    """The lines that import what the code needs of the standard library."""
    lines = ["import math"] if any("math." in line for line in code) else []
    lines += ["from collections.abc import Callable"] if any("Callable" in line for line in code) else []
    lines += ["from types import ModuleType"] if fused else []
    return lines + (["from typing import overload"] if "@overload" in code else [])


def _local(program: Program, names: Collection[str]) -> list[str]:
    """The lines that import what the module uses of its folder. names: those of the runtime."""
    formats = [f"from ._{module} import {', '.join(found)}" for module, found in names_of(program).items()]
    modal = ["from ._modes import ModalOptimizer"] if program.modes else []
    return [*formats, *modal, f"from ._runtime import {', '.join(names)}"]


def _part(program: Program, suffix: str, fused: Mapping[str, str]) -> tuple[list[dict[str, Any]], list[str]]:
    """The functions of one rule, and the arguments of its UpdateRule."""
    phases = {variant_of(s): phase(s, everywhere=False) for s in program.steps}
    count = max(map(len, phases.values()))
    states, host = woven(program, states_of), woven(program, lambda s: _host(program, s, phases[variant_of(s)]))
    combine = [f'"{name}": {COMBINE[op]}' for k in range(count) for name, op in totals(phases, k)]
    functions = [
        _filling(f"states{suffix}", asked_of(program, states), "kept: dict[str, State]", KEPT, states),
        _filling(f"host{suffix}", host_arguments(program, host), "scalars: dict[str, Scalar]", COMMON, host),
        *(_update(program, phases, k, count, suffix) for k in range(count)),
    ]
    keys = ["step"] * (stores_count(program) or takes_seed(program))
    kept = [*state_keys(program).values(), *params(replace(program, otherwise=None)).values()]
    keys += [name for var in kept for name in companions(var)]
    return functions, [*update_rule(program, count, combine, suffix, fused, keys), *specs(program)]


def _mode(program: Program, suffix: str, name: str) -> list[dict[str, Any]]:
    """The functions of one mode."""
    phases = {variant_of(s): phase(s, everywhere=False) for s in program.steps}
    host = woven(program, lambda s: _host(program, s, phases[variant_of(s)]))
    called = f"`{name.removeprefix(suffix)[1:]}()`"
    scalars = f"Scalars of {called}."
    about = f"What {called} makes of one parameter. All tensors have the compute dtype."
    return [
        _filling(f"host{name}", host_arguments(program, host), "scalars: dict[str, Scalar]", scalars, host),
        _update(program, phases, 0, 1, name, about),
    ]


def emit_schedule(schedule: Schedule) -> str:
    """The text of a schedule's module: a function of t, and the scheduler class around it."""
    ordered = sorted(schedule.declarations, key=lambda d: d.default is not None)
    lines = returned(schedule)
    return render_python(
        "schedule_torch.jinja",
        header=header(schedule, "torch"),
        math=any("math." in line for line in lines),
        lines=lines,
        imports=[*(["Hyper"] if ordered else []), "RuleScheduler"],
        name=schedule.name,
        names=[d.name for d in ordered],
        call=["t", *(f"{d.name}=self.{d.name}" for d in ordered)],
        hypers=[hyper(d, required=True) for d in ordered],
        opens=signature("factor", ["t: int", *(["*"] if ordered else []), *(argument(d) for d in ordered)], "float"),
        constructor=[*(argument(d) for d in ordered), "last_epoch: int = -1"],
        about=docstring(f"{schedule.name}{': ' + schedule.use if schedule.use else ''}."),
    )


def shared() -> dict[str, str]:
    """The files that all rules of this backend need: the runtime, as it is."""
    folder = resources.files("optgen.runtime.pytorch")
    return {
        f.name: f.read_text(encoding="utf-8")
        for f in folder.iterdir()
        if f.name.startswith("_") and f.name.endswith(".py") and f.name != "__init__.py"
    }


def _function(name: str, arguments: list[str], returns: str, about: str, lines: list[str]) -> dict[str, Any]:
    """What the template needs to print a function."""
    alike = (*arguments, returns, about, *lines)
    return {"name": name, "opens": signature(name, arguments, returns), "about": about, "lines": lines, "alike": alike}


def _filling(name: str, arguments: list[str], filled: str, about: str, lines: list[str]) -> dict[str, Any]:
    """A function that fills a dict and returns it. filled: the dict's name and type."""
    variable, kind = filled.split(": ")
    return _function(name, arguments, kind, about, [f"{filled} = {{}}", *lines, f"return {variable}"])


def _fused(program: Program, functions: Collection[str]) -> list[dict[str, Any]]:
    name = module_name(program.rule)
    kinds = [kind for kind in (("on_gpu", "triton_gpu", ON_GPU), ("on_cpu", "c_cpu", ON_CPU)) if kind[0] in functions]
    return [
        _function(f"{function}{end}", [], "ModuleType", about, [f"from ..{folder} import {each}", f"return {each}"])
        for function, folder, about in kinds
        for end in map(suffix, range(len(program.chain)))
        for each in [f"{name}{end}"]
    ]


def _host(program: Program, step: Step, phases: tuple[Phase, ...]) -> Iterator[Item]:
    """The scalars that the loops read, and the new host states, into the dict that is returned."""
    host = host_names(step)
    body = {name for part in phases for s in part.body for name in reads(s)}
    stored = {w.value for w in step.writes if step.var(w.into).place is Place.HOST}
    internal = {name for s in step.host for name in reads(s)}
    given = [*step.of_role(Role.STEP, Role.EXTENT), *(v for v in step.of_role(Role.STATE) if v.place is Place.HOST)]
    decided = [e.name for e in EXTENTS if any(e in condition.free_symbols for condition in program.conditions)]
    passed = dict.fromkeys([*decided, *(v.name for v in given if v.name in body)])
    yield from ((f'scalars["{name}"] = {name}',) for name in passed)
    for s in step.host:
        text = to_text(s.expr, SCALAR, host)
        if s.target in internal:
            yield (f"{s.target} = {text}",)
            text = s.target
        if s.target in body | stored:
            yield (f'scalars["{s.target}"] = {text}',)
    yield from ((f'scalars["{name}"] = {name}',) for name in sorted(stored - {s.target for s in step.host}))


def _update(
    program: Program,
    phases: dict[tuple[bool, ...], tuple[Phase, ...]],
    k: int,
    count: int,
    suffix: str,
    mode: str = "",
) -> dict[str, Any]:
    """What the template needs to print the function of one loop. mode: what it is about if it is that of a mode."""
    body = woven(program, lambda s: _body(program, s, phases[variant_of(s)][k : k + 1]))
    returns = [_returns(s, phases[variant_of(s)], k) for s in program.steps]
    common = [item for item in returns[0] if all(item in other for other in returns)]
    rest = woven(
        program,
        lambda s: [
            (f"new[{key}] = {value}",)
            for key, value in _returns(s, phases[variant_of(s)], k)
            if (key, value) not in common
        ],
    )
    literal = "{" + ", ".join(f"{key}: {value}" for key, value in common) + "}"
    name = f"update{suffix}" if count == 1 else f"update{suffix}_{k + 1}"
    lines = [*body, f"new = {literal}", *rest, "return new"] if rest else [*body, f"return {literal}"]
    arguments = update_arguments(program, phases, k, lines, takes_grad=not mode)
    about = mode or (ONE_STEP if k == count - 1 else SHARE)
    return _function(name, arguments, "dict[str, Tensor]", about, lines)


def _body(program: Program, step: Step, parts: tuple[Phase, ...]) -> Iterator[Item]:
    for part in parts:
        for statement in quoted(program, step, part.body):
            yield statement if isinstance(statement, tuple) else (line_of(program, step, statement),)


def _returns(step: Step, phases: tuple[Phase, ...], k: int) -> list[tuple[str, str]]:
    """(key, value) of what a loop's function returns: stores, shares of the model's values, what later loops load."""
    if k >= len(phases):
        return []
    made = [(f'"{step.var(w.into).key or "param"}"', w.value) for w in phases[k].stores]
    made += [(f'"{s.target}"', s.target) for s in phases[k].body if is_shared(s)]
    later = {name for part in phases[k + 1 :] for name in part.loads if step.var(name).role is not Role.GRAD}
    return made + [(f'"{w.value}"', w.value) for w in phases[k].stores if w.value in later]
