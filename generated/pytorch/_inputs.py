"""Inputs: tensors besides the gradient that `step` is given by name, looked at before anything changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ._rule import UpdateRule
from ._step import Stepped

Inputs = Sequence[Tensor | None] | Mapping[Tensor, Tensor]
Given = Mapping[str, Mapping[Tensor, Tensor]]  # for each name what is given for which parameter


def told(owner: str, groups: Sequence[Mapping[str, Any]], inputs: Mapping[str, Inputs | None]) -> Given:
    """What is given for each parameter. A list stands beside all parameters of all groups, in their order.

    Raises ValueError for a list of another length and for a parameter that the optimizer does not have.
    """
    params = [param for group in groups for param in group["params"]]
    found = {}
    for name, values in inputs.items():
        if values is None:
            continue
        if not isinstance(values, Mapping):
            if isinstance(values, Tensor) or len(values) != len(params):
                number = "one tensor" if isinstance(values, Tensor) else str(len(values))
                raise ValueError(f"{owner}: {name} is {number}, but there are {len(params)} parameters: give a list "
                                 "beside them, with None where there is none, or a dict by parameter")
            values = {param: value for param, value in zip(params, values, strict=True) if value is not None}
        mine = {*map(id, params)}
        if any(id(param) not in mine for param in values):
            raise ValueError(f"{owner}: {name} is given for a parameter that the optimizer does not have")
        found[name] = values
    return found


def of_param(rule: UpdateRule, given: Given, param: Tensor, real: Tensor) -> dict[str, Tensor]:
    """The inputs of one parameter by quantity, laid out as the parameter. real: its real view."""
    found = {}
    for one in rule.inputs:
        value = given.get(one.name, {}).get(param)
        if value is not None:
            value = torch.view_as_real(value.resolve_conj()) if value.is_complex() else value
            laid = value.stride() == real.stride() or value.layout is not torch.strided
            found[one.quantity] = value if laid else torch.empty_like(real, dtype=value.dtype).copy_(value)
    return found


def fault(rule: UpdateRule, given: Given, param: Tensor) -> str:
    """What is wrong with the inputs of one parameter; empty if nothing is."""
    for one in rule.inputs:
        value = given.get(one.name, {}).get(param)
        if value is None:
            if not one.optional:
                return f"{one.name} is not given"
        elif not isinstance(value, Tensor):
            return f"{one.name} is a {type(value).__name__}"
        elif value.layout is not torch.strided:
            return f"{one.name} has layout {value.layout}"
        elif value.shape != param.shape or value.device != param.device or not _alike(value, param):
            return f"{one.name} is {_shown(value)}, the parameter {_shown(param)}"
    return ""


def check_together(owner: str, given: Given, stepped: Sequence[Stepped]) -> None:
    """Raises ValueError for an input of some parameters only, where the rule looks at all of them together."""
    for one in stepped if given else ():
        for each in one.rule.inputs if len(one.rule.updates) > 1 else ():
            peers = [other for other in stepped if other.rule is one.rule]
            if len({each.quantity in other.inputs for other in peers}) > 1:
                raise ValueError(f"{owner}: give {each.name} for every parameter that has a gradient, or for none: the "
                                 "rule looks at all of them together")


def presence(rule: UpdateRule, inputs: Mapping[str, Tensor]) -> dict[str, bool]:
    """Which inputs are given, as functions ask for it."""
    return {f"has_{one.quantity}": one.quantity in inputs for one in rule.inputs}


def none_given(rule: UpdateRule | None) -> dict[str, bool]:
    """What `presence` is of a step without inputs, for a rule and those of other shapes."""
    return {} if rule is None else {**none_given(rule.otherwise), **presence(rule, {})}


def _alike(x: Tensor, param: Tensor) -> bool:
    return x.is_complex() if param.is_complex() else x.is_floating_point()


def _shown(x: Tensor) -> str:
    return f"{x.dtype} of shape {tuple(x.shape)} on {x.device}"

