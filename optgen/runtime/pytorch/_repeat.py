"""Repeat: a step that was fused as a whole is made again, of which only gradients and hyperparameters are looked at."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ._fused import Bunch, chance_of, columns_of, counts_of, given_to, reads, rows_of
from ._hypers import standing
from ._rule import answer
from ._step import Stepped, compute_scalars

Group = dict[str, Any]
_DECIDING = ("fused", "foreach", "maximize", "capturable", "differentiable", "state_dtype", "seed")
_NUMBERS = {float, int, bool}
_grad_of = operator.attrgetter("grad")


def is_repeatable(bunches: Sequence[Bunch], rest: Sequence[Stepped]) -> bool:
    """Whether calls alone made the step, each of which can count, with gradients that are the parameters' own."""
    return not rest and all(
        bunch.launcher.keeps_counts
        and all(one.param is one.owner and one.grad is one.owner.grad and not one.inputs for one in bunch.ones)
        for bunch in bunches
    )


class Repeat:
    """The calls of one step, and what must be as it was to make them again."""

    def __init__(self, groups: Sequence[Group], state: Mapping[Tensor, Group], bunches: Sequence[Bunch]) -> None:
        self.groups = [(group, [*group["params"]], _options(group)) for group in groups]
        self.state, self.entries = state, [*state.values()]
        self.idle = [param for group in groups for param in group["params"] if param.grad is None]
        self.calls = [_Call(groups, state, bunch) for bunch in bunches]
        self.given: list[list[Any]] = [[] for _ in groups]
        self.hypers: list[Mapping[str, Any]] = [{} for _ in groups]

    def holds(self, groups: Sequence[Group], state: Mapping[Tensor, Group]) -> bool:
        """Whether groups, their options and parameters, and the states are those of the last step."""
        return (
            state is self.state
            and len(groups) == len(self.groups)
            and all(
                group is old and _same(group["params"], params) and _options(group) == options
                for group, (old, params, options) in zip(groups, self.groups, strict=True)
            )
            and _same(state.values(), self.entries)
            and all(param.grad is None for param in self.idle)
        )

    def reads(self, scalar: Tensor | None) -> bool:
        """Whether the calls can read a scalar of a GradScaler themselves."""
        return all(reads(scalar, call.params[0].device) for call in self.calls)

    def read(self, names: Sequence[str], hypers: Callable[[Group], Mapping[str, Any]]) -> None:
        """Look at the hyperparameters of each group: once more only at a group where one is another object, or one
        that may have changed in itself."""
        for number, (group, _, _) in enumerate(self.groups):
            given = [group[name] for name in names]
            if not (_same(given, self.given[number]) and all(map(_is_constant, given))):
                self.given[number], self.hypers[number] = given, hypers(group)

    def step(self, **amp: Tensor | None) -> list[Tensor] | None:
        """Make the step; None, with nothing changed, if it cannot be. Else those that remain to be stepped.

        It needs the hyperparameters. amp: grad_scale and found_inf.
        """
        hypers = self.hypers
        grads = [call.gradients(hypers) for call in self.calls]
        if any(found is None for found in grads):
            return None
        left: list[Tensor] = []
        for call, found in zip(self.calls, grads, strict=True):
            left += call.step(found or [], hypers, amp)
        return left


class _Call:
    """One call. It keeps no gradient alive."""

    def __init__(self, groups: Sequence[Group], state: Mapping[Tensor, Group], bunch: Bunch) -> None:
        self.launcher, self.module, self.flags = bunch.launcher, bunch.module, bunch.flags
        self.maximize = bunch.maximize
        self.params = [one.owner for one in bunch.ones]
        self.entries = [state.get(param, {}) for param in self.params]
        self.keys = columns_of(bunch.ones[0], bunch.module)
        self.absent = len(given_to(bunch.ones[0], bunch.module))  # a step that was given inputs is not made again
        self.is_timed, self.is_counted = bunch.is_timed, counts_of(bunch.ones) is not None
        _, self.rows = rows_of(bunch.ones)
        first = {row: place for place, row in reversed([*enumerate(self.rows)])}
        ones = [bunch.ones[first[row]] for row in range(len(first))]
        self.heads = [replace(one, grad=one.param, new={}) for one in ones]
        self.leaders = [first[row] for row in self.rows]  # where the head of each parameter's row stands
        hosted = [key for key, state in ones[0].states.items() if state.host]
        self.hosted = {key: [one.stored[key] for one in bunch.ones] for key in hosted}
        numbers = {id(group): number for number, group in enumerate(groups)}
        self.groups = [numbers[id(head.group)] for head in self.heads]

    def gradients(self, hypers: Sequence[Mapping[str, Any]]) -> list[Tensor] | None:
        """The gradients, if there is one for each parameter and all else is as it was."""
        flags = self.module.flags
        if any(flags(**answer(flags, hypers[group])) != self.flags for group in {*self.groups}):
            return None
        grads = [*map(_grad_of, self.params)]  # where one is None the launcher's answer is no
        try:
            states = [None if key is None else [*map(operator.itemgetter(key), self.entries)] for key in self.keys]
            states += [None] * self.absent
            counts = [*map(operator.itemgetter("step"), self.entries)] if self.is_counted else None
            timed = {"hosted": self._columns()} if self.is_timed else {}
            if not self.is_timed and not all(map(self._is_common, self.hosted)):
                return None
        except KeyError:
            return None
        return grads if self.launcher.holds(self.params, grads, states, self.rows, counts, **timed) else None

    def step(self, grads: list[Tensor], hypers: Sequence[Mapping[str, Any]], amp: Mapping[str, Any]) -> list[Tensor]:
        """Make the call; returns the parameters that it left out."""
        if self.is_timed:
            given = [
                {**standing(hypers[group], head.param.dtype), **chance_of(head)}
                for group, head in zip(self.groups, self.heads, strict=True)
            ]
            left = self.launcher.again(grads, given, self.flags, maximize=self.maximize, **amp)
            return [self.params[position] for position in left]
        before = {key: [head.stored[key].item() for head in self.heads] for key in self.hosted}
        for head, group in zip(self.heads, self.groups, strict=True):
            head.hypers, head.first, head.t = hypers[group], False, head.t + 1 if self.is_counted else head.t
        compute_scalars(self.heads)
        left = self.launcher.again(
            grads,
            [{**head.scalars, **chance_of(head)} for head in self.heads],
            self.flags,
            times=[head.t for head in self.heads] if self.is_counted else None,
            maximize=self.maximize,
            **amp,
        )
        if left is None:  # skipped: no time has passed
            for head in self.heads:
                head.t = head.t - 1 if self.is_counted else head.t
        for key, past in before.items():
            self._hand_out(key, past, [*range(len(self.params))] if left is None else left)
        return [self.params[position] for position in left or ()]

    def _columns(self) -> dict[str, list[Tensor]]:
        """The host states as they are kept now."""
        return {key: [*map(operator.itemgetter(key), self.entries)] for key in self.hosted}

    def _is_common(self, key: str) -> bool:
        """Whether a host state is where it was, and has one value for all parameters of a row."""
        column = self.hosted[key]
        if not _same(map(operator.itemgetter(key), self.entries), column):
            return False
        values = [*map(Tensor.item, column)]
        return values == [values[place] for place in self.leaders]

    def _hand_out(self, key: str, past: Sequence[float], left: Sequence[int]) -> None:
        """Give all parameters the host state that was computed for the head of their row, but those left as they were
        their past one."""
        column, news = self.hosted[key], [head.stored[key].clone() for head in self.heads]
        torch._foreach_copy_(column, [news[row] for row in self.rows])
        for position in left:
            column[position].fill_(past[self.rows[position]])


def _is_constant(value: Any) -> bool:
    return type(value) in _NUMBERS or (type(value) is tuple and all(type(part) in _NUMBERS for part in value))


def _options(group: Group) -> list[Any]:
    return [group.get(name) for name in _DECIDING]


def _same(some: Iterable[Any], others: Sequence[Any]) -> bool:
    found = [*some]
    return len(found) == len(others) and all(map(operator.is_, found, others))
