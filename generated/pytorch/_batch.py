"""Batches: parameters that one evaluation steps together. Each alone would take longer to call than to compute."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ._rule import UpdateRule
from ._step import Stepped
from ._stretches import length

FEW = 2**14  # elements of a parameter that others join in a row
_STACK = 2**24  # elements of all matrices of a stack
_SMALL_MATRIX = 2**12  # elements of one that a CPU multiplies faster in a stack than alone
_PLAIN = (Tensor, torch.nn.Parameter)


class Batch:
    """Parameters as one: matrices in a stack, all else in a row. Their new values are still to be given back."""

    def __init__(self, ones: Sequence[Stepped]) -> None:
        first, self.ones = ones[0], ones
        self.in_stack = first.rule.stacked
        self.keys = [key for key, state in first.states.items() if not state.host]
        param, grad, *stored = (self._joined(column) for column in self._columns())
        self.one = replace(first, param=param, grad=grad, stored=dict(zip(self.keys, stored, strict=True)), new={})

    def give_back(self) -> None:
        """Copy what the evaluation made to where it belongs."""
        params, _, *stored = self._columns()
        made = [self.one.param, *self.one.stored.values()]
        for column, whole in zip([params, *stored], made, strict=True):
            parts = whole.unbind() if self.in_stack else torch.split(whole, [x.numel() for x in column])
            torch._foreach_copy_([x if self.in_stack else x.view(-1) for x in column], [*parts])

    def _columns(self) -> list[list[Tensor]]:
        params, grads = [one.param for one in self.ones], [one.grad for one in self.ones]
        return [params, grads, *([one.stored[key] for one in self.ones] for key in self.keys)]

    def _joined(self, column: Sequence[Tensor]) -> Tensor:
        return torch.stack([*column]) if self.in_stack else torch.cat([x.view(-1) for x in column])


def batches(rule: UpdateRule, ones: Sequence[Stepped]) -> Iterator[Batch | Stepped]:
    """Parameters of one rule with one loop, those that can be evaluated together as a batch.

    In any order, but for those that share memory: each of these is alone, in the order given.
    """
    if torch.is_grad_enabled() or torch.compiler.is_compiling():
        yield from ones
        return
    shared = _shared(ones)
    found: dict[tuple[Any, ...], tuple[list[Stepped], list[int]]] = {}
    for one in ones:
        kind = None if id(one) in shared else _kind(rule, one)
        if kind is None:
            yield one
            continue
        mine, counts = found.setdefault(kind, ([], [0]))
        mine.append(one)
        counts[0] += one.param.numel()
        if counts[0] >= (_STACK if rule.stacked else length(one.dtype)):
            yield _joined(found.pop(kind)[0])
    for mine, _ in found.values():
        yield _joined(mine)


def _joined(ones: Sequence[Stepped]) -> Batch | Stepped:
    return Batch(ones) if len(ones) > 1 else ones[0]


def _shared(ones: Sequence[Stepped]) -> set[int]:
    """The ids of those whose parameters lie in one another's memory."""
    found: set[int] = set()
    farthest, end = None, 0
    for one in sorted((one for one in ones if type(one.param) in _PLAIN), key=lambda one: one.param.data_ptr()):
        start = one.param.data_ptr()
        if farthest is not None and start < end:
            found |= {id(one), id(farthest)}
        if start + _reach(one.param) > end:
            farthest, end = one, start + _reach(one.param)
    return found


def _reach(x: Tensor) -> int:
    """How many bytes lie between the first element of a tensor and the end of its last one."""
    return x.itemsize * (1 + sum((size - 1) * stride for size, stride in zip(x.shape, x.stride(), strict=True)))


def _kind(rule: UpdateRule, one: Stepped) -> tuple[Any, ...] | None:
    """What those have in common that may be evaluated together; None for one that is alone."""
    param, on_cpu = one.param, one.param.device.type == "cpu"
    if not (rule.elementwise or rule.stacked) or one.inputs or one.format is not None:
        return None
    if param.numel() > (_SMALL_MATRIX if rule.stacked else FEW) and (on_cpu or not rule.stacked):
        return None
    if any(state.format is not None for state in one.states.values()):
        return None
    tensors = [param, one.grad, *(one.stored[key] for key, state in one.states.items() if not state.host)]
    if any(type(x) not in _PLAIN or not x.is_contiguous() for x in tensors):
        return None
    if rule.elementwise and any(x.shape != param.shape for x in tensors):
        return None
    shape = tuple(param.shape) if rule.stacked else None
    return id(one.scalars), bool(one.group.get("maximize")), shape, *one.states, *((x.device, x.dtype) for x in tensors)
