"""Batches: parameters that one evaluation steps together. Each alone would take longer to call than to compute."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from ._rule import UpdateRule
from ._step import Stepped

FEW = 2**13  # elements of a parameter that others join
_ROW = 2**18  # elements of all of them
_STACK = 2**24
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
    """Parameters of one rule with one loop, those that can be evaluated together as a batch, in any order."""
    if torch.is_grad_enabled() or torch.compiler.is_compiling():
        yield from ones
        return
    found: dict[tuple[Any, ...], list[Stepped]] = {}
    for one in ones:
        kind = _kind(rule, one)
        if kind is None:
            yield one
            continue
        mine = found.setdefault(kind, [])
        mine.append(one)
        if sum(other.param.numel() for other in mine) >= (_STACK if rule.stacked else _ROW):
            yield from _joined(found.pop(kind))
    for mine in found.values():
        yield from _joined(mine)


def _joined(ones: Sequence[Stepped]) -> Iterator[Batch | Stepped]:
    """Them as a batch, unless there is but one, or a parameter lies in the memory of another and has to wait for it."""
    ends = sorted((one.param.data_ptr(), one.param.data_ptr() + one.param.nbytes) for one in ones)
    is_apart = all(end <= start for (_, end), (start, _) in pairwise(ends))
    yield from [Batch(ones)] if len(ones) > 1 and is_apart else ones


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
