"""Constructor: the arguments, defaults and hyperparameters of a generated torch class, as text."""

from __future__ import annotations

from collections.abc import Sequence

from optgen.dsl.rule import Rule
from optgen.dsl.symbols import Declaration, Kind
from optgen.listing import annotation, default, quote

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


def hyper(d: Declaration, required: bool = False) -> str:
    bounds = [
        f"{side}={value!r}"
        for side, value in (
            ("at_least", d.bounds.at_least),
            ("above", d.bounds.above),
            ("at_most", d.bounds.at_most),
            ("below", d.bounds.below),
        )
        if value is not None
    ]
    flags = (["flag=True"] if d.kind is Kind.FLAG else []) + (
        ["optional=True"] if d.default is None and not required else []
    )
    return f"Hyper({', '.join([quote(d.name), *([tuple_of(d.names)] if d.is_tuple else []), *bounds, *flags])})"


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
