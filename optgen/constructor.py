"""Constructor: the arguments, defaults and hyperparameters of a generated torch class, as text."""

from __future__ import annotations

from collections.abc import Sequence

from optgen.dsl.rule import Rule
from optgen.dsl.symbols import Declaration, Kind
from optgen.fused import devices
from optgen.ir import Role
from optgen.languages import HOST
from optgen.listing import annotation, default, is_elementwise, needs_matrix, quote
from optgen.passes import Program
from optgen.printers import to_text

OPTIONS = "* foreach maximize capturable differentiable fused state_dtype"
OPTION_TYPES = {
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
        ["optional=True"] if d.default is None and not required else []
    )
    return f"Hyper({', '.join([quote(d.name), *([tuple_of(d.names)] if d.is_tuple else []), *bounds(d), *flags])})"


def tuple_of(texts: Sequence[str]) -> str:
    return f"({', '.join(map(quote, texts))}{',' if len(texts) == 1 else ''})"


def _order(rule: Rule) -> list[str]:
    names = " ".join(d.name for d in rule.declarations)
    return (rule.signature or f"{names} {OPTIONS}").split()


def arguments(rule: Rule) -> list[str]:
    declared = {d.name: d for d in rule.declarations}
    return [
        f"{n}: {_number(declared[n])} = {default(declared[n])}"
        if n in declared
        else n
        if n == "*"
        else f"{n}: {OPTION_TYPES[n]}"
        for n in _order(rule)
    ]


def _number(d: Declaration) -> str:
    return annotation(d, "float | Tensor" if d.is_tuple or d.name == "lr" else "float")


def defaults(rule: Rule) -> list[str]:
    return [
        *(f'"{n}": {n}' for n in _order(rule) if n != "*"),
        *(f'"{key}": {value}' for key, value in rule.group_constants.items()),
    ]


def update_rule(program: Program, count: int, combine: list[str]) -> list[str]:
    """The arguments of UpdateRule."""
    rule = program.rule
    matrix = needs_matrix(program)
    reads_t = any(v.name == "t" for step in program.steps for v in step.vars)
    keyed = {q: key for q, key in rule.state_keys.items() if key != "step"}
    states = list(dict.fromkeys(v.key for step in reversed(program.steps) for v in step.of_role(Role.STATE)))
    states.sort(key=lambda key: list(keyed.values()).index(key) if key in keyed.values() else len(keyed))
    keys = [*(["step"] if reads_t or "step" in rule.state_keys.values() else []), *states]
    lines = ["hypers=(", *(f"    {hyper(d)}," for d in rule.declarations), "),", f"keys={tuple_of(keys)},"]
    names = ["update"] if count == 1 else [f"update_{k + 1}" for k in range(count)]
    lines += ["states=states,", "host=host,", f"updates=({', '.join(names)}{',' if count == 1 else ''}),"]
    lines += [f"combine={{{', '.join(combine)}}},"] if combine else []
    lines += ["requires=requires,"] if rule.requires else []
    fused = ", ".join(f'"{device}": {function}' for device, function in devices(program).items())
    lines += [f"fused={{{fused}}},"] if fused else []
    lines += [f"{flag}=True," for flag in ("state_at_construction", "sparse") if getattr(rule, flag)]
    lines += [] if is_elementwise(program) else ["elementwise=False,"]
    lines += [f"ndim={rule.ndim},"] if rule.ndim is not None else []
    least = rule.min_ndim if rule.min_ndim is not None else 2 if matrix and rule.ndim is None else None
    return lines + ([f"min_ndim={least},"] if least is not None else [])


def requirements(rule: Rule, told: str = "return {}") -> list[str]:
    """Lines that tell what is wrong with hyperparameters together; empty if all go together."""
    return [
        line
        for condition, message in rule.requires
        for line in (
            f"if not {_parenthesised(to_text(condition, HOST))}:",
            f"    {told.format(_filled_in(message, rule))}",
        )
    ]


def _filled_in(message: str, rule: Rule) -> str:
    """A message as Python, with the values of hyperparameters where it names them in braces."""
    literal = quote(message.replace("{", "{{").replace("}", "}}"))
    text = literal
    for name in (n for d in rule.declarations for n in d.names):
        text = text.replace(f"{{{{{name}}}}}", f"{{{name}}}")
    return quote(message) if text == literal else "f" + text


def _parenthesised(text: str) -> str:
    return f"({text})" if " " in text else text
