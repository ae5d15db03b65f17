"""Exchange: states in storage formats as plain numbers, as torch.optim keeps them, and as bitsandbytes keeps them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ._rule import State, UpdateRule, per_element
from ._storage import Blockwise, computed, in_memory, real

Entry = dict[str, Any]

_WRAPPED = "__bnb_optimizer_quant_state__"  # where bitsandbytes hides its tensors from FSDP
_BLOCK = 256  # of bitsandbytes


def stored(kind: State, key: str, param: Tensor, value: Tensor) -> Entry:
    """Numbers in the format of a state. value: of the parameter's shape, complex as it is."""
    assert kind.format is not None
    like = real(param)
    parts = kind.format.start(kind.shape(like.shape), like, 0.0)
    kind.format.store(parts, real(value).to(param.device, computed(param.dtype)))
    return dict(zip(kind.keys(key), parts, strict=True))


def numbers(kind: State, key: str, param: Tensor, state: Mapping[str, Any]) -> Tensor:
    """The numbers of a state that has a format, in float32, or as complex numbers of float32."""
    assert kind.format is not None
    value = kind.format.load([state[name] for name in kind.keys(key)], real(param), torch.float32)
    return torch.view_as_complex(value.contiguous()) if param.is_complex() and kind.shape is per_element else value


def as_numbers(states: Mapping[str, State], param: Tensor, state: Entry) -> Entry:
    """A parameter's state in which no state has a format."""
    there = {key: kind for key, kind in states.items() if kind.format is not None and key in state}
    beside = {name for key, kind in there.items() for name in kind.keys(key)[1:]}
    return {
        key: numbers(there[key], key, param, state) if key in there else value
        for key, value in state.items()
        if key not in beside
    }


def exported(
    saved: Entry, each: Iterable[tuple[Any, Tensor, UpdateRule, Mapping[str, State]]], export: Callable[..., Entry]
) -> Entry:
    """A state dict with each parameter's state turned into another, without what is kept for the parameter's format.

    each: parameters in order, with their rules and states.
    """
    order = [at for group in saved["param_groups"] for at in group["params"]]
    states: Entry = {}
    for at, (_, param, rule, kinds) in zip(order, each, strict=True):
        own = {key: kind for key, kind in kinds.items() if not kind.is_beside}
        others = kinds.keys() - own.keys() | ({"step"} if rule.counts_for_chance else set())
        kept = {key: value for key, value in saved["state"].get(at, {}).items() if key not in others}
        if kept:
            states[at] = export(own, param, kept)
    groups = [{key: value for key, value in group.items() if key != "storage"} for group in saved["param_groups"]]
    return {**saved, "state": states, "param_groups": groups}


def in_formats(states: Mapping[str, State], param: Tensor, state: Entry) -> Entry:
    """A loaded state in which numbers are in the formats that the rule asks for."""
    made: Entry = {}
    for key, value in state.items():
        kind = states.get(key)
        made |= stored(kind, key, param, value) if kind and is_plain(kind, key, param, state) else {key: value}
    return made


def is_plain(kind: State, key: str, param: Tensor, state: Mapping[str, Any]) -> bool:
    """Whether a state that has a format was saved as plain numbers."""
    value, names = state.get(key), kind.keys(key)
    if kind.format is None or not isinstance(value, Tensor) or any(name in state for name in names[1:]):
        return False
    own = kind.parts(key, param)[key]
    return (value.is_floating_point() or value.is_complex()) and (value.dtype, value.shape) != (own.dtype, own.shape)


def is_of_bitsandbytes(state: Mapping[str, Any]) -> bool:
    """Whether a parameter's state is one of bitsandbytes."""
    return _WRAPPED in state or "state1" in state


def from_bitsandbytes(states: Mapping[str, State], param: Tensor, state: Entry) -> Entry:
    """A parameter's state, from one of bitsandbytes: 8-bit codes stay as they are where the format has their map.

    Its first and second state are the first and second that the rule has for each element.
    """
    given = {**{key: value for key, value in state.items() if key != _WRAPPED}, **state.get(_WRAPPED, {})}
    made: Entry = {"step": given["step"]} if "step" in given else {}
    keys = _for_each_element(states)
    for number in range(1, 3):
        value = given.get(f"state{number}")
        if value is None:
            continue
        key = keys[number - 1] if number <= len(keys) else f"state{number}"  # one too many is refused by its name
        if value.dtype == torch.uint8:
            made |= _of_codes(states, key, param, value, given[f"absmax{number}"], given[f"qmap{number}"])
        else:
            made[key] = value
    return made


def _of_codes(
    states: Mapping[str, State], key: str, param: Tensor, codes: Tensor, absmax: Tensor, qmap: Tensor
) -> Entry:
    flat = codes.permute(in_memory(codes)).reshape(-1)  # its kernels run through memory
    kind = states.get(key)
    if kind and _has_map(kind, qmap) and flat.numel() == param.numel():
        return dict(zip(kind.keys(key), (flat.view(param.shape), absmax.to(torch.float32)), strict=True))
    whole = qmap[flat.int()] * absmax.repeat_interleave(_BLOCK)[: flat.numel()]
    return {key: whole.view(param.shape) if whole.numel() == param.numel() else whole}


def to_bitsandbytes(states: Mapping[str, State], param: Tensor, state: Entry) -> Entry:
    """A parameter's state as bitsandbytes keeps it: in 8 bits where the format has a map that it can search, else in
    32. Raises ValueError for more states than it has.

    Where the rule stores no count of steps, which bitsandbytes does, it says that there was one.
    """
    keys = _for_each_element(states)
    if len(keys) > 2 or param.is_complex() or len(keys) < len(states):
        raise ValueError(f"bitsandbytes has no place for the states {list(states)}")
    made: Entry = {"step": int(state.get("step", 1))}
    for number, key in enumerate(keys, 1):
        kind = states[key]
        if not _has_map(kind, None):
            plain = state[key] if kind.format is None else numbers(kind, key, param, state)
            made[f"state{number}"] = plain.float().contiguous()
            continue
        assert isinstance(kind.format, Blockwise)
        parts: Sequence[Tensor] = [state[name] for name in kind.keys(key)]
        if not parts[0].is_contiguous():
            parts = list(stored(kind, key, torch.empty(param.shape), numbers(kind, key, param, state)).values())
        qmap = kind.format.table(parts[0].device)
        made |= {f"state{number}": parts[0], f"qmap{number}": qmap, f"absmax{number}": parts[1]}
    return made


def in_groups_of_bitsandbytes(owner: str, saved: Entry) -> Entry:
    """A state dict with what bitsandbytes reads of a group. Raises ValueError where it calls the numbers otherwise."""
    if any(len(group.get("betas", ())) != 2 for group in saved["param_groups"]):
        raise ValueError(f"the hyperparameters of {owner} have other names in bitsandbytes than here")
    return {**saved, "param_groups": [{"eps": 0.0, "weight_decay": 0.0, **group} for group in saved["param_groups"]]}


def _for_each_element(states: Mapping[str, State]) -> list[str]:
    kinds = states.items()
    return [key for key, kind in kinds if not (kind.host or kind.is_beside) and kind.shape is per_element]


def _has_map(kind: State, qmap: Tensor | None) -> bool:
    """Whether a format is one of bitsandbytes: blocks of 256, a byte each, codes in the order of their numbers."""
    made = kind.format
    if not isinstance(made, Blockwise) or (made.block, made.levels) != (_BLOCK, 256):
        return False
    table = made.table(torch.device("cpu"))
    is_sorted = bool((table[1:] > table[:-1]).all())
    return is_sorted and (qmap is None or torch.allclose(table, qmap.cpu(), rtol=1e-5, atol=1e-9))
