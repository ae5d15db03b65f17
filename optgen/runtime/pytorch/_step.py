"""One step of one parameter, eagerly: what it needs, its scalars, its new values."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ._hypers import standing
from ._in_place import InPlace
from ._parameters import Chance, ParamFormat
from ._rule import State, UpdateRule, answer, asked
from ._storage import computed, real

_LARGEST = torch.finfo(torch.float32).max


@dataclass(slots=True)
class Stepped:
    """A parameter that has a gradient, with what its step needs.

    owner: the parameter itself. param, grad, stored: real views, so that a step never sees a complex number. stored has
    all parts of each state, by their keys.
    number: its place among all parameters. offset: how many of its elements lie before those that are here.
    scale: what the gradient is still to be divided by. inputs: what the step is given besides, by quantity.
    is_timed: whether a fused step counts it and computes its scalars itself.
    """

    rule: UpdateRule
    group: dict[str, Any]
    hypers: Mapping[str, Any]
    states: Mapping[str, State]
    owner: Tensor
    param: Tensor
    grad: Tensor
    number: int = 0
    scale: Tensor | None = None
    inputs: Mapping[str, Tensor] = field(default_factory=dict)
    offset: int = 0
    first: bool = False
    is_timed: bool = False
    count: Tensor | None = None
    t: Any = None
    stored: dict[str, Tensor] = field(default_factory=dict)
    scalars: dict[str, Any] = field(default_factory=dict)
    new: dict[str, Tensor] = field(default_factory=dict)

    @property
    def dtype(self) -> torch.dtype:
        """The dtype that the step is computed in."""
        return computed(self.param.dtype)

    @property
    def format(self) -> ParamFormat | None:
        """How the parameter is stored."""
        return self.rule.format_of(self.param)

    @property
    def beside(self) -> list[Tensor]:
        """What is stored beside it."""
        return [self.stored[key] for key, state in self.states.items() if state.is_beside]

    def unscale(self) -> None:
        """Divide the gradient by its scale, in a copy."""
        if self.scale is not None:
            self.grad, self.scale = self.grad / self.scale.to(self.grad.device), None


def parts_of(states: Mapping[str, State], kept: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """All that is stored of some states, by key, as real views."""
    return {name: real(kept[name]) for key, state in states.items() for name in state.keys(key)}


def unread(group: Mapping[str, Any]) -> bool:
    """Whether a tensor may not be read: its value would be frozen by a capture, and breaks the graph of a compiler."""
    return bool(group.get("capturable")) or torch.compiler.is_compiling()


def tell_time(stepped: Iterable[Stepped]) -> None:
    """Counts the step of each, which gives it its t. Counts on a device are read in one transfer, or stay tensors."""
    waiting: dict[torch.device, list[Stepped]] = {}
    for one in stepped:
        if one.count is not None:
            one.count += 1
            if unread(one.group):
                one.t = one.count.double()
            elif one.count.device.type == "cpu":
                one.t = int(one.count.item())
            else:
                waiting.setdefault(one.count.device, []).append(one)
    for ones in waiting.values():
        counts = torch.stack([one.count for one in ones if one.count is not None]).tolist()
        for one, count in zip(ones, counts, strict=True):
            one.t = int(count)


def compute_scalars(stepped: Iterable[Stepped]) -> None:
    """Gives each its host scalars, evaluated once for all that agree in what `host` reads; stores new host states."""
    known: dict[tuple[Any, ...], dict[str, Any]] = {}
    for one in stepped:
        size, tensors = one.param.shape, unread(one.group)
        hosted = {key: one.stored[key] for key, state in one.states.items() if state.host}
        past = {  # read before it is overwritten
            one.states[key].past: kept.to(torch.float64, copy=True) if tensors or kept.requires_grad else kept.item()
            for key, kept in hosted.items()
        }
        varying = {
            "t": one.t,
            "first": one.first,
            "numel": one.param.numel() or 1,  # of nothing nothing is computed, but a quotient by 0 would raise
            "rows": (size[-2] if len(size) > 1 else 1) or 1,
            "cols": (size[-1] if size else 1) or 1,
            **past,
        }
        given = answer(one.rule.host, varying)
        hypers = standing(one.hypers, one.param.dtype)
        alike = one.param.dtype if hypers is not one.hypers else None
        at = (id(one.rule), id(one.hypers), alike, *((id(one),) if tensors else given.values()))
        if at not in known:
            known[at] = {**hypers, **one.rule.host(**given, **answer(one.rule.host, hypers))}
        one.scalars = known[at]
        for key, kept in hosted.items():
            kept.fill_(one.scalars[one.states[key].name])


def apply(one: Stepped, loop: int, common: Mapping[str, Tensor], in_place: InPlace | None = None) -> None:
    """Compute the new values of a parameter in one loop. common: what loops before found for all parameters.

    in_place: computes them where they belong, as far as it can. Only for tensors of one dimension.
    """
    update, dtype = one.rule.updates[loop], one.dtype
    keep = torch.is_grad_enabled()
    names = asked(update)[2:]  # after the parameter and the gradient, whose name may be that of a state
    values = {**one.scalars, **common, **one.new}
    given = {name: _scalar(values[name], one, dtype) for name in names if name in values}
    for key, state in one.states.items():
        if state.past in names and not state.host:
            given[state.past] = load(one, key, keep)
    given |= {name: _loaded(x, dtype, keep) for name, x in one.inputs.items() if name in names}
    param = _loaded(one.param, dtype, keep) if one.format is None else one.format.load(one.param, one.beside)
    grad = _loaded(one.grad, dtype, keep)
    grad = -grad if one.group.get("maximize") else grad
    if in_place is None:
        one.new.update(update(param, grad, **given))
    else:
        into = {key: one.stored[key] for key, state in one.states.items() if not (state.host or state.format)}
        into = {key: memory for key, memory in {"param": one.param, **into}.items() if memory.dtype is dtype}
        one.new.update(in_place(param, grad, given, into))


def load(one: Stepped, key: str, keep: bool = False) -> Tensor:
    """The numbers of a state, in the compute dtype. keep: they are not changed by what is stored."""
    state = one.states[key]
    if state.format is None:
        return _loaded(one.stored[key], one.dtype, keep)
    return state.format.load([one.stored[name] for name in state.keys(key)], one.param, one.dtype)


def store(one: Stepped, new: Mapping[str, Tensor]) -> None:
    """Write the new values of the parameter and of states."""
    for key, value in new.items():
        if key == "param" and one.format is not None:
            chance = Chance(one.group.get("seed", 0), one.t, one.number, one.offset)
            one.format.store(one.param, one.beside, value, chance)
            continue
        made = None if key == "param" else one.states[key].format
        if made is None:
            (one.param if key == "param" else one.stored[key]).copy_(value)
        else:
            made.store([one.stored[name] for name in one.states[key].keys(key)], value)


def _loaded(x: Tensor, dtype: torch.dtype, keep: bool) -> Tensor:
    # Autograd needs the old value after it is overwritten.
    return x.to(dtype, copy=keep)


def _scalar(value: Any, one: Stepped, dtype: torch.dtype) -> Any:
    if isinstance(value, float):
        if not abs(value) > _LARGEST or dtype is not torch.float32 or torch.compiler.is_compiling():
            return value
        # Some functions of torch refuse a number that float32 does not hold, instead of rounding it.
        return math.copysign(math.inf, value)
    if isinstance(value, Tensor) and value.is_floating_point():
        return value.to(one.param.device, dtype)
    return value


def finish(one: Stepped) -> None:
    """Write the new values that a parameter still has."""
    new = {key: value for key, value in one.new.items() if key == "param" or key in one.states}
    taken = {id(x) for x in (one.param, *one.stored.values())}
    for key, value in new.items():
        # A new value that is another's old one must be saved before that is overwritten.
        if id(value) in taken or value._base is not None:
            new[key] = value.clone()
    store(one, new)
    one.new.clear()
