"""SGDW. Written by optgen 0.1.0 (format 1) from rules/sgdw.py; do not edit.

    optgen build sgdw --backend c

Loshchilov & Hutter, Decoupled Weight Decay Regularization, ICLR 2019, https://arxiv.org/abs/1711.05101, Algorithm
1. Numbers as pytorch_optimizer.SGDW with dampening=0.

    b[t] = momentum*b[t - 1] + g[t]
    d[t] = Piecewise((g[t] + momentum*b[t], nesterov), (b[t], True))
    theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr*d[t]
"""

from __future__ import annotations

from pathlib import Path

from ._runtime import Launcher

# The states that the step keeps, by their keys in a checkpoint, and the scalars that it reads.
STATES: tuple[str, ...] = ("momentum_buffer",)
SCALARS = (
    "lr",
    "momentum",
    "one_minus_lr_weight_decay",
)


def flags(*, nesterov: bool) -> dict[str, bool]:
    """The variant of the step that a parameter group needs."""
    return {"nesterov": nesterov}


def launcher() -> Launcher:
    """A launcher for a set of tensors that step together."""
    types = ("theta_type", "b_type")
    return Launcher(__name__, Path(__file__).with_suffix(".c"), types, SCALARS)
