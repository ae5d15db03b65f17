"""ModalOptimizer: an optimizer whose parameters are other ones in evaluation than while it trains."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ._checkpoints import Group
from ._inputs import Given
from ._rule import answer, asked
from ._runtime import RuleOptimizer
from ._step import Stepped, load, parts_of, store
from ._storage import real


class ModalOptimizer(RuleOptimizer):
    """Has `train()` and `eval()`, as a module has. It starts as one that trains; the mode is saved with its groups."""

    def train(self) -> None:
        """Make the parameters those that gradients are taken at. Before training goes on after `eval()`."""
        self._switch("train", True)

    def eval(self) -> None:
        """Make the parameters those to evaluate and to save the model with."""
        self._switch("eval", False)

    def add_param_group(self, param_group: Group) -> None:
        """As that of the base class; the group is in the mode of the others."""
        if isinstance(param_group, dict) and self.param_groups:
            param_group.setdefault("train_mode", self.param_groups[0]["train_mode"])
        super().add_param_group(param_group)

    def _found(self, number: int, scale: Tensor | None, only: set[int] | None, given: Given) -> Any:
        if not self.param_groups[number]["train_mode"]:
            raise RuntimeError(f"{type(self).__name__} cannot step in evaluation: call its train() first")
        return super()._found(number, scale, only, given)

    @torch.no_grad()
    def _switch(self, mode: str, train: bool) -> None:
        self._last = None
        for group in self.param_groups:
            if group["train_mode"] is train:
                continue
            hypers = self._hypers(group)
            for param in group["params"]:
                self._convert(mode, param, group, hypers)
            group["train_mode"] = train

    def _convert(self, mode: str, param: Tensor, group: Group, hypers: dict[str, Any]) -> None:
        """One parameter, unless it has not stepped yet."""
        rule = self.rule.fitting(param) or self.rule
        states, kept = rule.states(**answer(rule.states, hypers)), self.state.get(param, {})
        if mode not in rule.modes or any(kept.get(key) is None for key in states):
            return
        host, update = rule.modes[mode]
        one = Stepped(rule, group, hypers, states, param, real(param), real(param))
        one.stored = parts_of(states, kept)
        given = {**hypers, **host(**answer(host, hypers))}
        given |= {state.past: load(one, key) for key, state in states.items() if not state.host}
        new = update(one.param.to(one.dtype), **{name: given[name] for name in asked(update)[1:] if name in given})
        store(one, {key: value.clone() for key, value in new.items()})  # two may change places
