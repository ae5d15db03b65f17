"""Lock-step: two optimizers and the oracle, each step from the same point, so that no difference can grow."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from optgen.bounds import FP32, Bounded, Machine
from optgen.dsl.load import load
from optgen.dsl.rule import Rule
from optgen.oracle import enclose

KEYS = ("exp_avg", "exp_avg_sq")
STRIDE = 25  # the oracle is slow: it sees every 25th element, other ones at each step
Array = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True, slots=True)
class Gap:
    """How far apart steps from the same point end: the largest difference, and shares of the rounding error allowed."""

    difference: float = 0.0
    oracle: float = 0.0
    both: float = 0.0

    def worst(self, other: Gap) -> Gap:
        """The larger of each."""
        return Gap(*(max(a, b) for a, b in zip(astuple(self), astuple(other), strict=True)))


class LockStep:
    """torch.optim.AdamW, set before every step to exactly where another AdamW stands, and the oracle beside both."""

    def __init__(self, parameters: Iterable[Tensor]) -> None:
        self.followed = list(parameters)
        self.copies = [p.detach().clone().requires_grad_() for p in self.followed]
        self.stock = torch.optim.AdamW(self.copies)
        self.rules = {name: rule for name in ("adamw", "adam") if isinstance(rule := load(name), Rule)}
        self.count, self.before = 0, [np.empty(0)]

    def prepare(self, other: torch.optim.Optimizer) -> None:
        """Take over parameters, gradients, state and learning rate."""
        self.count += 1
        self.stock.param_groups[0]["lr"] = other.param_groups[0]["lr"]
        for mine, theirs in zip(self.copies, self.followed, strict=True):
            mine.data.copy_(theirs.data)
            mine.grad = None if theirs.grad is None else theirs.grad.clone()
            for key, value in other.state.get(theirs, {}).items():
                self.stock.state[mine][key] = value.clone()
        states = [self.stock.state[p] for p in self.copies]
        kept = [[s[key] for s in states] for key in KEYS] if self.count > 1 else []
        grads = [p.grad for p in self.copies]
        self.before = [self._part(self.copies), self._part(grads), *(self._part(x) for x in kept)]

    def compare(self) -> Gap:
        """Step, and compare with the other's parameters, which must have stepped as well."""
        self.stock.step()
        difference = max(float((a - b).detach().abs().max()) for a, b in zip(self.copies, self.followed, strict=True))
        param, grad, *kept = self.before
        state = dict(zip(KEYS, kept, strict=False))
        hypers = {"lr": self.stock.param_groups[0]["lr"], "weight_decay": self.stock.param_groups[0]["weight_decay"]}

        def enclosed(name: str, **more: bool) -> Bounded:
            machine = Machine(FP32, FP32, FP32)
            return enclose(self.rules[name], [param], [grad], [state], self.count, hypers | more, machine)[0][0]

        # torch computes as the Adam rule does with this flag: it shrinks the parameter first, one rounding more
        exact, as_torch = enclosed("adamw"), enclosed("adam", decoupled_weight_decay=True)
        ours, theirs = self._part(self.followed), self._part(self.copies)
        both = _over(ours - theirs, exact.error + as_torch.error)
        return Gap(difference, _over(ours - exact.value, exact.error), both)

    def _part(self, tensors: Sequence[Tensor | None]) -> Array:
        """Some elements of all tensors, in a row."""
        flat = torch.cat([x.detach().flatten() for x in tensors if x is not None])
        return flat[self.count % STRIDE :: STRIDE].double().numpy()


def _over(difference: Array, bound: Array) -> float:
    """The largest difference over its bound; infinite where there is a difference and no allowance."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.max(np.where(difference == 0, 0.0, np.abs(difference) / bound)))
