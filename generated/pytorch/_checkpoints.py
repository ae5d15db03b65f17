"""Checkpoints: a loaded state is matched by name, checked against the rule, and keeps its own dtype."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ._hypers import read
from ._rule import UpdateRule, answer

Group = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Kept:
    """A stored value on its way through torch's load_state_dict, which would cast a bare tensor."""

    value: Any


def named(groups: list[Group], number: int, position: int) -> str:
    """What a message calls a parameter."""
    names = groups[number].get("param_names")
    return f"parameter {names[position]!r}" if names else f"parameter {position} of group {number}"


def match_names(groups: list[Group], saved: list[Group]) -> list[Group]:
    """The saved groups with their parameters in the order of `groups`, where both have names.

    Raises ValueError if the names of a group differ. Sizes that differ are left for torch to report.
    """
    matched = []
    for number, (group, old) in enumerate(zip(groups, saved, strict=False)):
        names, old_names = group.get("param_names"), old.get("param_names")
        if names and old_names and names != old_names and len(names) == len(old["params"]):
            place = {name: position for position, name in enumerate(old_names)}
            if set(place) != set(names):
                missing, extra = sorted(set(names) - set(place)), sorted(set(place) - set(names))
                raise ValueError(
                    f"loaded state dict does not match the names of group {number}: missing {missing}, extra {extra}"
                )
            old = {**old, "params": [old["params"][place[name]] for name in names], "param_names": list(names)}
        matched.append(old)
    return [*matched, *saved[len(matched) :]]


def prepared(rule: UpdateRule, fallback: Mapping[str, Any], groups: list[Group], loaded: Group) -> dict[str, Any]:
    """A state dict that torch loads without changing a value. `fallback` fills what an older one lacks.

    Raises ValueError for a state that is missing, not of this rule, or of another shape than its parameter asks for.
    """
    saved = match_names(groups, loaded["param_groups"])
    states = dict(loaded["state"])
    for number, (group, old) in enumerate(zip(groups, saved, strict=False)):
        hypers = read(rule.hypers, {**fallback, **old}, keep_tensors=True)
        for position, (param, at) in enumerate(zip(group["params"], old["params"], strict=False)):
            state = {key: value for key, value in states.get(at, {}).items() if value is not None}
            if state:
                where = f"loaded state dict, {named(groups, number, position)}"
                check_state(where, rule, hypers, param, state)
            if at in states:
                states[at] = {key: Kept(value) for key, value in state.items()}
    return {**loaded, "state": states, "param_groups": saved}


def check_state(where: str, rule: UpdateRule, hypers: Mapping[str, Any], param: Tensor, state: Group) -> None:
    """Raises ValueError if a state has a key too few or too many, or a value of another shape."""
    fitting = rule.for_ndim(param.dim()) or rule
    wanted = fitting.states(**answer(fitting.states, hypers))
    missing = [key for key in fitting.keys if key not in state and (key in wanted or key == "step")]
    extra = [key for key in state if key not in fitting.keys]
    if missing or extra:
        raise ValueError(f"{where}: missing {missing}, extra {extra}")
    for key, kind in wanted.items():
        value, shape = state[key], tuple(kind.shape(param.shape))
        if not kind.host and (not isinstance(value, Tensor) or tuple(value.shape) != shape):
            found = f"has shape {tuple(value.shape)}" if isinstance(value, Tensor) else f"is a {type(value).__name__}"
            raise ValueError(f"{where}: {key!r} {found}, but must be a tensor of shape {shape}")


def unpacked(state: dict[str, Any], param: Tensor, group: Group) -> dict[str, Any]:
    """A parameter's state as it is kept: clones on its device in their own dtype, the count a tensor."""
    return {key: _unpacked(key, value, param, group) for key, value in state.items()}


def _unpacked(key: str, value: Any, param: Tensor, group: Group) -> Any:
    loaded = isinstance(value, Kept)
    value = value.value if isinstance(value, Kept) else value
    if key == "step":
        device = param.device if on_device(group) else torch.device("cpu")
        if not isinstance(value, Tensor):
            return torch.tensor(float(value), dtype=count_dtype(group), device=device)
        dtype = torch.float32 if on_device(group) else value.dtype
        return value.detach().to(device, dtype, copy=True) if loaded else value
    return value.detach().clone().to(param.device) if loaded and isinstance(value, Tensor) else value


def on_device(group: Mapping[str, Any]) -> bool:
    """Whether the step count lies on the parameter's device, as torch keeps it."""
    return bool(group.get("capturable") or group.get("fused"))


def count_dtype(group: Mapping[str, Any]) -> torch.dtype:
    """The dtype of a step count, as torch keeps it."""
    double = torch.get_default_dtype() == torch.float64 and not group.get("fused")
    return torch.float64 if double else torch.float32
