"""A step of many parameters, eagerly: loop by loop, small ones together and large ones in stretches."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from torch import Tensor

from ._batch import FEW, Batch, batches
from ._in_place import InPlace
from ._rule import UpdateRule
from ._step import Stepped, apply, finish
from ._stretches import in_stretches, length


def run(stepped: list[Stepped]) -> None:
    """Computes the new values of all and stores them. Needs their scalars."""
    for rule in {id(one.rule): one.rule for one in stepped}.values():
        mine = [one for one in stepped if one.rule is rule and one.param.numel()]
        if len(rule.updates) == 1:  # nothing waits for another parameter, so nothing of a parameter's size is kept
            in_place = InPlace(rule.updates[0])
            for made in batches(rule, mine):
                _run_batch(made, in_place) if isinstance(made, Batch) else _run_parts(made, in_place)
        elif mine:
            _run_loops(rule, mine)


def _run_batch(batch: Batch, in_place: InPlace) -> None:
    apply(batch.one, 0, {}, None if batch.in_stack else in_place)
    finish(batch.one)
    batch.give_back()


def _run_parts(one: Stepped, in_place: InPlace) -> None:
    for part in _parts(one):
        apply(part, 0, {}, None if part is one else in_place)
        finish(part)


def _parts(one: Stepped) -> Iterable[Stepped]:
    """A large parameter in stretches, if each of its elements is computed from itself; else as a whole."""
    formats = [state.format for state in one.states.values() if state.format is not None]
    most = length(one.dtype, [made.block for made in formats])
    if not one.rule.elementwise or one.param.numel() <= min(most, FEW):
        return [one]
    if any(made.is_packed for made in formats) and not one.param.is_contiguous():
        return [one]
    keys: list[str] = []
    elements: list[int] = []
    for key, state in one.states.items():
        if not state.host:
            keys += state.keys(key)
            elements += state.format.elements if state.format else (1,)
    tensors = [one.param, one.grad, *one.inputs.values()]
    elements = [1] * len(tensors) + elements
    views = in_stretches([*tensors, *(one.stored[key] for key in keys)], most, elements)
    if views is None:
        return [one]
    return (
        replace(one, param=param, grad=grad, inputs=dict(zip(one.inputs, rest, strict=False)),
                stored=dict(zip(keys, rest[len(one.inputs) :], strict=True)), new={}, offset=number * most)
        for number, (param, grad, *rest) in enumerate(views)
    )


def _run_loops(rule: UpdateRule, stepped: list[Stepped]) -> None:
    common: dict[str, Tensor] = {}
    for loop in range(len(rule.updates)):
        for one in stepped:
            apply(one, loop, common)
        # What was combined in an earlier loop may be a state as well: then it is a new value here.
        for name in [name for name in rule.combine if name in stepped[0].new and name not in common]:
            common[name] = rule.combine[name]([one.new.pop(name) for one in stepped])
    for one in stepped:
        finish(one)
