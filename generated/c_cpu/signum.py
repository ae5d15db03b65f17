"""Signum. Written by optgen 0.1.0 (format 1) from rules/signum.py; do not edit.

    optgen build signum --backend c

Bernstein, Wang, Azizzadenesheli & Anandkumar, signSGD: Compressed Optimisation for Non-Convex Problems, ICML 2018,
https://arxiv.org/abs/1802.04434, Algorithm 2; signSGD with momentum=0. Numbers as pytorch_optimizer.SignSGD.

    m[t] = momentum*m[t - 1] + (1 - momentum)*g[t]
    theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr*sign(m[t])
"""

from __future__ import annotations

from pathlib import Path

from ._runtime import Launcher

# The states that the step keeps, by their keys in a checkpoint, and the scalars that it reads.
STATES: tuple[str, ...] = ("momentum_buffer",)
SCALARS = (
    "lr",
    "momentum",
    "one_minus_momentum",
    "one_minus_lr_weight_decay",
)


def flags() -> dict[str, bool]:
    """The variant of the step that a parameter group needs."""
    return {}


def launcher() -> Launcher:
    """A launcher for a set of tensors that step together."""
    types = ("theta_type", "m_type")
    return Launcher(__name__, Path(__file__).with_suffix(".c"), types, SCALARS)
