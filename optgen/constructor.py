"""Constructor: the arguments, defaults and hyperparameters of a generated torch class, as text."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

from optgen.common import common
from optgen.dsl.rule import Rule
from optgen.dsl.structural import Structural
from optgen.dsl.symbols import Declaration, Kind
from optgen.ir import ELEMENT, TENSOR, MatMul, Place, Reduce, Role, Var
from optgen.languages import HOST
from optgen.listing import annotation, default, is_elementwise, needs_matrix, quote
from optgen.passes import Program
from optgen.printers import to_text
from optgen.wrapping import INDENTED

OPTIONS = "* foreach maximize capturable differentiable fused state_dtype"
OPTION_TYPES = {
    "seed": "int = 0",
    "foreach": "bool | None = None",
    "fused": "bool | None = None",
    "maximize": "bool = False",
    "capturable": "bool = False",
    "differentiable": "bool = False",
    "state_dtype": "torch.dtype | None = None",
}


def argument(d: Declaration) -> str:
    return f"{d.name}: float" if d.default is None else f"{d.name}: {annotation(d)} = {default(d)}"


def bounds(d: Declaration) -> list[str]:
    """Its bounds as keyword arguments."""
    return [
        f"{side}={value!r}"
        for side, value in (
            ("at_least", d.bounds.at_least),
            ("above", d.bounds.above),
            ("at_most", d.bounds.at_most),
            ("below", d.bounds.below),
        )
        if value is not None
    ]


def hyper(d: Declaration, required: bool = False) -> str:
    """The Hyper of a declaration."""
    flags = (["flag=True"] if d.kind is Kind.FLAG else []) + (
        ["optional=True"] if d.default is None and not (required or d.none_is_eps) else []
    )
    flags += ["none_is_eps=True"] if d.none_is_eps else []
    flags += [f"refusal={quote(d.refusal)}"] if d.refusal else []
    return f"Hyper({', '.join([quote(d.name), *([tuple_of(d.names)] if d.is_tuple else []), *bounds(d), *flags])})"


def tuple_of(texts: Sequence[str]) -> str:
    return f"({', '.join(map(quote, texts))}{',' if len(texts) == 1 else ''})"


def _order(rule: Rule, takes_seed: bool) -> list[str]:
    order = (rule.signature or f"{' '.join(rule.arguments)} {OPTIONS}").split()
    return [*order, *(["*"] if "*" not in order else []), "seed"] if takes_seed else order


def arguments(rule: Rule, takes_seed: bool) -> list[str]:
    declared = {d.name: d for d in rule.declarations}
    fixed = {one.name: one for one in rule.structural}
    return [
        f"{n}: {_number(declared[n])} = {default(declared[n])}"
        if n in declared
        else f"{n}: {_kind(fixed[n])} = {fixed[n].value!r}"
        if n in fixed
        else n
        if n == "*"
        else f"{n}: {OPTION_TYPES[n]}"
        for n in _order(rule, takes_seed)
    ]


def _kind(one: Structural) -> str:
    """The type of a structural parameter."""
    kinds = dict.fromkeys(type(value) for value in (*one.spellings, *one.others))
    return " | ".join(sorted("None" if kind is type(None) else kind.__name__ for kind in kinds)[::-1])


def _fixed(rule: Rule, one: Structural) -> list[str]:
    """The Fixed of a structural parameter: what the class was built for."""
    values = [tuple_of_values(one.spellings), *([f"others={tuple_of_values(one.others)}"] if one.others else [])]
    name = rule.source.removeprefix("rules/").removesuffix(".py") if rule.source.startswith("rules/") else rule.source
    told = [f"refusal={quote(one.refusal)}", *([f"rule={quote(name)}"] if name else [])]
    return ["Fixed(", f"    {', '.join([quote(one.name), *values])},", *(f"    {text}," for text in told), "),"]


def tuple_of_values(values: Sequence[int | str | None]) -> str:
    texts = [quote(value) if isinstance(value, str) else repr(value) for value in values]
    return f"({', '.join(texts)}{',' if len(texts) == 1 else ''})"


def _number(d: Declaration) -> str:
    return annotation(d, "float | Tensor" if d.is_tuple or d.name == "lr" else "float")


def defaults(program: Program, takes_seed: bool) -> list[str]:
    rule, storage = program.rule, storage_text(program)
    return [
        *(f'"{n}": {n}' for n in _order(rule, takes_seed) if n != "*"),
        *(f'"{key}": {value}' for key, value in rule.group_constants.items()),
        *(['"train_mode": True'] if rule.modes else []),
        *([f'"storage": {quote(storage)}'] if storage else []),
    ]


def update_rule(
    program: Program,
    count: int,
    combine: list[str],
    suffix: str,
    fused: Mapping[str, str],
    keys: Sequence[str],
) -> list[str]:
    """The arguments of UpdateRule. suffix: of its functions; `otherwise` leaves to the first what both share.

    fused: for each type of device the function that finds the kernel. keys: of all that is stored.
    """
    rule = program.rule
    matrix = needs_matrix(program)
    hypers = ["hypers=(", *(f"    {hyper(d)}," for d in rule.declarations), "),"] if not suffix else ["hypers=(),"]
    lines = [*hypers, *_keys(keys)]
    lines += ["counts_for_chance=True,"] if "step" in keys and not stores_count(program) else []
    fixed = [f"    {line}" for one in rule.structural for line in _fixed(rule, one)]
    fixed += [f"    {line}" for line in ([] if suffix else _fixed_storage(program))]
    lines += ["fixed=(", *fixed, "),"] if fixed else []
    param = program.steps[0].of_role(Role.PARAM)[0]
    lines += [f"param={param.codec},"] if param.codec else []
    names = [f"update{suffix}" if count == 1 else f"update{suffix}_{k + 1}" for k in range(count)]
    updates = f"updates=({', '.join(names)}{',' if count == 1 else ''}),"
    lines += [f"states=states{suffix},", f"host=host{suffix},", updates]
    lines += [f"combine={{{', '.join(combine)}}},"] if combine else []
    lines += [f"common={tuple_of(common(program))},"] if common(program) else []
    lines += ["requires=requires,"] if required(rule) and not suffix else []
    found = ", ".join(f'"{device}": {function}{suffix}' for device, function in fused.items())
    lines += [f"fused={{{found}}},"] if found else []
    modes = [f"    {quote(name)}: (host{suffix}_{name}, update{suffix}_{name})," for name in program.modes]
    lines += ["modes={", *modes, "},"] if modes else []
    lines += [f"{flag}=True," for flag in ("state_at_construction", "sparse") if getattr(rule, flag)]
    lines += [f"sparse_refusal={quote(rule.sparse_refusal)},"] if rule.sparse_refusal and not suffix else []
    lines += [] if is_elementwise(program) else ["elementwise=False,"]
    lines += ["stacked=True,"] if is_stacked(program) else []
    lines += [f"ndim={rule.ndim},"] if rule.ndim is not None else []
    least = rule.min_ndim if rule.min_ndim is not None else 2 if matrix and rule.ndim is None else None
    lines += [f"min_ndim={least},"] if least is not None else []
    return lines + ([f"min_numel={rule.min_numel},"] if rule.min_numel else [])


def is_stacked(program: Program) -> bool:
    """Whether matrices of one shape can be stepped as a stack: a rule of matrices with products, and nothing that has
    one number for a tensor or for all."""
    body = [s for step in program.steps for s in step.body]
    stored = [v for step in program.steps for v in step.of_role(Role.STATE) if v.place is Place.DEVICE]
    return (
        program.rule.ndim == 2
        and any(isinstance(s, MatMul) for s in body)
        and not any(isinstance(s, Reduce) and TENSOR in s.over for s in body)
        and all(v.axes == ELEMENT for v in stored)
    )


def _keys(keys: Sequence[str]) -> list[str]:
    line = f"keys={tuple_of(keys)},"
    rows = textwrap.wrap(" ".join(f"{quote(key)}," for key in keys), INDENTED - 8)
    return [line] if len(line) <= INDENTED - 4 else ["keys=(", *(f"    {row}" for row in rows), "),"]


def state_keys(program: Program) -> dict[str, Var]:
    """The states of any variant by key, in the order of a checkpoint."""
    keyed = [key for key in program.rule.state_keys.values() if key != "step"]
    states = {v.key: v for step in reversed(program.steps) for v in step.of_role(Role.STATE)}
    return {key: states[key] for key in sorted(states, key=lambda k: keyed.index(k) if k in keyed else len(keyed))}


def stores_count(program: Program) -> bool:
    """Whether the step count is stored, be there chance or not."""
    reads_t = any(v.name == "t" for step in program.steps for v in step.vars)
    return reads_t or "step" in program.rule.state_keys.values()


def storage_text(program: Program) -> str:
    """The storage formats by key, as they stand in a parameter group; empty if there are none."""
    found = {v.key: v.codec for part in program.chain for v in state_keys(part).values() if v.codec}
    for param in (v for part in program.chain for v in part.steps[0].of_role(Role.PARAM) if v.codec):
        found["param"] = param.codec
    return ",".join(f"{key}={name}" for key, name in found.items())


def _fixed_storage(program: Program) -> list[str]:
    """The Fixed of the storage formats, whose codes alone do not tell what they mean."""
    text = storage_text(program)
    hint = 'hint="load what the state_dict_fp32() of the other optimizer returns",'
    return ["Fixed(", f'    "storage", ({quote(text)},),', f"    {hint}", "),"] if text else []


def required(rule: Rule) -> bool:
    """Whether hyperparameters are checked together."""
    return bool(rule.requires) or (rule.otherwise is not None and required(rule.otherwise))


def requirements(rule: Rule, told: str = "return {}") -> list[str]:
    """Lines that tell what is wrong with hyperparameters together; empty if all go together."""
    rest = requirements(rule.otherwise, told) if rule.otherwise is not None else []
    own = [
        line
        for condition, message in rule.requires
        for line in (
            f"if not {_parenthesised(to_text(condition, HOST))}:",
            f"    {told.format(_filled_in(message, rule))}",
        )
    ]
    return own + rest


def _filled_in(message: str, rule: Rule) -> str:
    """A message as Python, with the values of hyperparameters where it names them in braces."""
    literal = quote(message.replace("{", "{{").replace("}", "}}"))
    text = literal
    for name in (n for d in rule.declarations for n in d.names):
        text = text.replace(f"{{{{{name}}}}}", f"{{{name}}}")
    return quote(message) if text == literal else "f" + text


def _parenthesised(text: str) -> str:
    return f"({text})" if " " in text else text
