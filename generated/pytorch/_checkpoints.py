"""Checkpoints: a loaded state is matched by name, checked against the rule, and keeps its own dtype."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any

import torch
from torch import Tensor

from . import _exchange
from ._hypers import read
from ._rule import Part, State, UpdateRule, check_together

Group = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Kept:
    """A stored value on its way through torch's load_state_dict, which would cast a bare tensor.

    number: whether it is one that Python computes with, such as the count.
    """

    value: Any
    number: bool


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


def prepared(
    owner: str, rule: UpdateRule, fallback: Mapping[str, Any], groups: list[Group], loaded: Group
) -> dict[str, Any]:
    """A state dict that torch loads without changing a value. `fallback` fills what an older one lacks.

    owner: the name of the class.

    Raises ValueError for a group of another rule, and for a state that is missing, not of this rule, or of another kind
    or shape than its parameter asks for.
    """
    saved = match_names(groups, loaded["param_groups"])
    states = dict(loaded["state"])
    for number, (group, old) in enumerate(zip(groups, saved, strict=False)):
        hypers = read(rule.hypers, {**fallback, **old}, keep_tensors=False)
        check_together(owner, rule, {**fallback, **old}, hypers)
        for position, (param, at) in enumerate(zip(group["params"], old["params"], strict=False)):
            state = {key: value for key, value in states.get(at, {}).items() if value is not None}
            if states.get(at):
                where = f"loaded state dict, {named(groups, number, position)}"
                states[at] = _converted(where, rule.fitting(param) or rule, hypers, param, state)
        check_group(f"loaded state dict, group {number}", rule, {**fallback, **group}, old)
    if any(map(_exchange.is_of_bitsandbytes, loaded["state"].values())):
        known = {*fallback, "params", "param_names"}
        saved = [{key: value for key, value in old.items() if key in known} for old in saved]
    return {**loaded, "state": states, "param_groups": saved}


def _converted(
    where: str, fitting: UpdateRule, hypers: Mapping[str, Any], param: Tensor, state: Group
) -> dict[str, Kept]:
    """A parameter's state, checked, that of torch or of bitsandbytes in the formats of the rule."""
    kinds = fitting.kept(hypers, param)
    if _exchange.is_of_bitsandbytes(state):
        found = _exchange.from_bitsandbytes(kinds, param, state)
        state = {key: value for key, value in found.items() if key != "step" or "step" in fitting.keys}
    if fitting.counts_for_chance:
        state = {"step": 0, **state}  # chance did nothing where there was no count
    plain = {key for key, kind in kinds.items() if _exchange.is_plain(kind, key, param, state)}
    given = {key: replace(kind, format=None) if key in plain else kind for key, kind in kinds.items()}
    check_state(where, _parts(fitting, given, param), param, state)
    parts = _parts(fitting, kinds, param)
    state = _exchange.in_formats(kinds, param, state)
    return {key: Kept(value, _is_number(key, parts[key], value)) for key, value in state.items()}


def _is_number(key: str, part: Part | None, value: Any) -> bool:
    """Whether Python computes with a value: a count, a scalar of the host, or one of a variant that is not in force."""
    if part:
        return part.is_number
    return not isinstance(value, Tensor) or (value.numel() == 1 and (value.ndim == 0 or key == "step"))


def check_group(where: str, rule: UpdateRule, group: Group, old: Group) -> None:
    """Raises ValueError for a saved group of another rule: an older one of this rule lacks flags, not numbers."""
    missing = [hyper.name for hyper in rule.hypers if not hyper.flag and hyper.name not in old]
    extra = [key for key in old if key not in group and key != "param_names"]
    if missing and extra:
        raise ValueError(f"{where}: missing {missing}, extra {extra}")


def _parts(fitting: UpdateRule, kinds: Mapping[str, State], param: Tensor) -> dict[str, Part | None]:
    """What must stand under each key that a parameter's state may have: None for the count and what is not in force."""
    found = {name: part for key, kind in kinds.items() for name, part in kind.parts(key, param).items()}
    return {**dict.fromkeys(fitting.keys), **found}


def check_state(where: str, parts: Mapping[str, Part | None], param: Tensor, state: Group) -> None:
    """Raises ValueError if a state has a key too few or too many, or a value of another kind or shape."""
    asked = [key for key, part in parts.items() if (key == "step" if part is None else not part.is_beside)]
    missing = [key for key in asked if key not in state]
    extra = [key for key in state if key not in parts]
    if missing or extra:
        raise ValueError(f"{where}: missing {missing}, extra {extra}")
    for key, value in state.items():
        part, tensor = parts[key], isinstance(value, Tensor)
        found = f"has shape {tuple(value.shape)}" if tensor else f"is a {type(value).__name__}"
        if key == "step" or (part and part.is_number):
            if not (value.numel() == 1 and not value.is_complex() if tensor else isinstance(value, Real)):
                raise ValueError(f"{where}: {key!r} {found}, but must be a number")
        elif part:
            if not tensor or tuple(value.shape) != part.shape:
                raise ValueError(f"{where}: {key!r} {found}, but must be a tensor of shape {part.shape}")
            if part.dtype not in (None, value.dtype):
                raise ValueError(f"{where}: {key!r} is {value.dtype}, but must be {part.dtype}")
            if part.dtype is None and not (value.is_complex() if part.is_complex else value.is_floating_point()):
                raise ValueError(f"{where}: {key!r} is {value.dtype}, but its parameter {param.dtype}")


def unpacked(state: dict[str, Any], param: Tensor, group: Group) -> dict[str, Any]:
    """A parameter's state as it is kept: clones on its device in their own dtype, the count a tensor."""
    return {key: _unpacked(key, value, param, group) for key, value in state.items()}


def _unpacked(key: str, value: Any, param: Tensor, group: Group) -> Any:
    if key == "step" and not isinstance(value, Kept):
        value = value if isinstance(value, Tensor) else Kept(value, number=True)
    if not isinstance(value, Kept):
        return value
    if not value.number:
        return value.value.detach().clone().to(param.device)
    device = param.device if on_device(group) else torch.device("cpu")
    dtype = count_dtype(group) if key == "step" else torch.float64
    if not isinstance(value.value, Tensor):
        return torch.tensor(float(value.value), dtype=dtype, device=device)
    if value.value.is_floating_point():
        dtype = torch.float32 if key == "step" and on_device(group) else value.value.dtype
    return value.value.detach().reshape(()).to(device, dtype, copy=True)


def on_device(group: Mapping[str, Any]) -> bool:
    """Whether the step count lies on the parameter's device, as torch keeps it."""
    return bool(group.get("capturable") or group.get("fused"))


def count_dtype(group: Mapping[str, Any]) -> torch.dtype:
    """The dtype of a step count, as torch keeps it."""
    double = torch.get_default_dtype() == torch.float64 and not group.get("fused")
    return torch.float64 if double else torch.float32
