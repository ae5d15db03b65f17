"""Tiger. Written by optgen 0.1.0 (format 1) from rules/tiger.py; do not edit.

    optgen build tiger --backend c

Su, Tiger: A Tight-fisted Optimizer, 2023, https://github.com/bojone/tiger. Numbers as pytorch_optimizer.Tiger.

    m[t] = beta*m[t - 1] + (1 - beta)*g[t]
    theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr*sign(m[t])
"""

from __future__ import annotations

from pathlib import Path

from ._runtime import Launcher

# The states that the step keeps, by their keys in a checkpoint, and the scalars that it reads.
STATES: tuple[str, ...] = ("exp_avg",)
SCALARS = (
    "lr",
    "beta",
    "one_minus_beta",
    "one_minus_lr_weight_decay",
)


def flags() -> dict[str, bool]:
    """The variant of the step that a parameter group needs."""
    return {}


def launcher() -> Launcher:
    """A launcher for a set of tensors that step together."""
    types = ("theta_type", "m_type")
    return Launcher(__name__, Path(__file__).with_suffix(".c"), types, SCALARS)
