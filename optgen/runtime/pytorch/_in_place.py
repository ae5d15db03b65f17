"""In place: what a pure function of tensors computes, in few buffers that are used again and in the tensors it renews.

New memory for each result costs more than the arithmetic. The function is traced once; the operations are those that it
calls, in their order, so that the bits are the same.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx
from torch.fx.proxy import GraphAppendingTracer, TraceError

Function = Callable[..., Any]

_NAMED: dict[Any, Function] = {
    operator.add: torch.add,
    operator.sub: torch.sub,
    operator.mul: torch.mul,
    operator.truediv: torch.div,
    operator.neg: torch.neg,
    operator.pow: torch.pow,
}
_COMMUTE = (torch.add, torch.mul)
_CONSTANTS = (bool, int, float, str, type(None), torch.dtype)
_MOST = 256  # plans that are kept
_ALWAYS = 2**30  # later than any operation


@dataclass(slots=True)
class _Call:
    """An operation on slots. at: that of its result. into: that of the memory for it, or None for new memory."""

    function: Function
    given: list[int]
    named: dict[str, int]
    at: int
    into: int | None = None

    @property
    def reads(self) -> Iterator[int]:
        """The slots that it reads."""
        yield from self.given
        yield from self.named.values()


@dataclass(slots=True)
class _Plan:
    """Operations. Slots hold, in turn: arguments, what may be overwritten, constants and results, and buffers.

    results: the slot of each new value, by its key. renewed: the keys of those that were written where they belong.
    """

    calls: list[_Call]
    constants: dict[int, Any]
    results: dict[str, int]
    slots: int
    buffers: int = 0
    renewed: frozenset[str] = frozenset()


_plans: dict[tuple[Any, ...], _Plan | None] = {}


class InPlace:
    """Computes an update. It keeps buffers, for as long as it lives. Not for what autograd records."""

    def __init__(self, update: Function) -> None:
        self.update = update
        self.buffers: list[Tensor] = []

    def __call__(
        self, param: Tensor, grad: Tensor, given: Mapping[str, Any], into: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """What `update(param, grad, **given)` returns, less what was written where it belongs.

        Tensors that are no scalars have one dimension, and one length and dtype. into: the memory of new values, by
        their keys: each is one of the arguments, or none has to do with it.
        """
        fixed = {name: value for name, value in given.items() if type(value) in (bool, type(None))}
        named = {name: value for name, value in given.items() if name not in fixed}
        values = [param, grad, *named.values()]
        at = [next((k for k, value in enumerate(values) if value is memory), -1) for memory in into.values()]
        kinds = (isinstance(value, Tensor) and value.dim() for value in values)
        key = self.update, *fixed.items(), *named, *kinds, *into, *at
        try:
            plan = _plans[key]
        except KeyError:
            plan = _traced(self.update, fixed, named, len(into))
            plan = plan and _placed(plan, values, dict(zip(into, at, strict=True)))
            if len(_plans) >= _MOST:  # another thread may add or clear at any time
                _plans.clear()
            _plans[key] = plan
        return self.update(param, grad, **given) if plan is None else self._run(plan, [*values, *into.values()])

    def _run(self, plan: _Plan, slots: list[Any]) -> dict[str, Tensor]:
        slots += [None] * (plan.slots - len(slots))
        for slot, value in plan.constants.items():
            slots[slot] = value
        slots += self._buffers(slots[0], plan.buffers)
        for call in plan.calls:
            named = {name: slots[slot] for name, slot in call.named.items()}
            if call.into is not None:
                named["out"] = slots[call.into]
            slots[call.at] = call.function(*[slots[slot] for slot in call.given], **named)
        return {key: slots[slot] for key, slot in plan.results.items() if key not in plan.renewed}

    def _buffers(self, like: Tensor, count: int) -> list[Tensor]:
        length = like.numel()
        if any(x.numel() < length or x.dtype != like.dtype for x in self.buffers):
            self.buffers.clear()
        while len(self.buffers) < count:
            self.buffers.append(torch.empty_like(like))
        return [x if x.numel() == length else x[:length] for x in self.buffers[:count]]


def _traced(update: Function, fixed: Mapping[str, Any], named: Mapping[str, Any], places: int) -> _Plan | None:
    """What a function calls, each result in new memory; None if what it calls depends on a value."""
    graph = fx.Graph()
    tracer = GraphAppendingTracer(graph)
    param, grad, *rest = (fx.Proxy(graph.placeholder(name), tracer) for name in ("param", "grad", *named))
    try:
        made = update(param, grad, **fixed, **dict(zip(named, rest, strict=True)))
    except (TraceError, TypeError):
        return None
    slots: dict[Any, int] = {node: k for k, node in enumerate(n for n in graph.nodes if n.op == "placeholder")}
    plan = _Plan([], {}, {}, len(slots) + places)

    def slot(argument: Any) -> int:
        key = argument if isinstance(argument, fx.Node) else (type(argument), argument)  # 0 is no False
        if key not in slots:
            plan.constants[plan.slots] = argument
            slots[key] = plan.slots
            plan.slots += 1
        return slots[key]

    for node in graph.nodes:
        if node.op != "placeholder":
            arguments = [*node.args, *node.kwargs.values()]
            if not all(isinstance(x, (fx.Node, *_CONSTANTS)) for x in arguments):
                return None
            function = node.target if callable(node.target) else getattr(Tensor, node.target)
            named_slots = {name: slot(x) for name, x in node.kwargs.items()}
            plan.calls.append(_Call(function, [*map(slot, node.args)], named_slots, plan.slots))
            slots[node] = plan.slots
            plan.slots += 1
    if not all(isinstance(value, fx.Proxy) for value in made.values()):
        return None
    plan.results = {key: slots[value.node] for key, value in made.items()}
    return plan


def _placed(plan: _Plan, values: Sequence[Any], places: Mapping[str, int]) -> _Plan:
    """The plan with memory for its results, as these arguments ask for. places: the slots of what is overwritten."""
    last = {slot: k for k, call in enumerate(plan.calls) for slot in call.reads}
    last.update(dict.fromkeys(plan.results.values(), _ALWAYS))
    renewed: dict[int, str] = {}
    for key, at in places.items():
        made = plan.results.get(key, -1)
        written = next((k for k, call in enumerate(plan.calls) if call.at == made), -1)
        if written >= max(last.get(at, 0), 0) and made not in renewed:
            renewed[made] = key
    first = {key: len(values) + k for k, key in enumerate(places)}
    able = _able(plan, values)
    buffers: dict[int, int] = {}
    free: list[int] = []
    for k, call in enumerate(plan.calls):
        free += {buffers[slot] for slot in call.reads if slot in buffers and last[slot] == k}
        if call.at not in able:
            continue
        if call.at in renewed:
            call.into = first[renewed[call.at]]
            continue
        if not free:
            free.append(plan.slots + plan.buffers)
            plan.buffers += 1
        call.into = buffers[call.at] = free.pop()
    plan.renewed = frozenset(key for slot, key in renewed.items() if slot in able)
    return plan


def _able(plan: _Plan, values: Sequence[Any]) -> set[int]:
    """The results of one length and dtype with the parameter whose function can write to memory that it is given.

    Tries the operations, and gives them the form in which they can.
    """
    slots: dict[int, Any] = {**dict(enumerate(values)), **plan.constants}
    able = set()
    for call in plan.calls:
        given = [slots[slot] for slot in call.given]
        named = {name: slots[slot] for name, slot in call.named.items()}
        made = slots[call.at] = call.function(*given, **named)
        if not isinstance(made, Tensor) or (made.shape, made.dtype) != (values[0].shape, values[0].dtype):
            continue
        function = _NAMED.get(call.function, call.function)
        is_of_number = not isinstance(given[0], Tensor)
        if is_of_number and call.function is operator.truediv:
            continue  # which multiplies the reciprocal
        turned = is_of_number and function in _COMMUTE
        try:
            function(*(given[::-1] if turned else given), **named, out=torch.empty_like(made))
        except (TypeError, RuntimeError):
            continue
        call.function, call.given = function, call.given[::-1] if turned else call.given
        able.add(call.at)
    return able
