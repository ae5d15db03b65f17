"""AggMo. Written by optgen 0.1.0 (format 1) from rules/aggmo.py; do not edit.

    optgen build aggmo --backend c

Lucas, Sun, Zemel & Grosse, Aggregated Momentum: Stability Through Passive Damping, ICLR 2019,
https://arxiv.org/abs/1804.00325, equation 4, with three velocities. Numbers as pytorch_optimizer.AggMo with
weight_decouple=True.

    v1[t] = beta1*v1[t - 1] + g[t]
    v2[t] = beta2*v2[t - 1] + g[t]
    v3[t] = beta3*v3[t - 1] + g[t]
    theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr/3*((v1[t] + v2[t]) + v3[t])
"""

from __future__ import annotations

from pathlib import Path

from ._runtime import Launcher

# The states that the step keeps, by their keys in a checkpoint, and the scalars that it reads.
STATES: tuple[str, ...] = ("v1", "v2", "v3")
SCALARS = (
    "beta1",
    "beta2",
    "beta3",
    "one_minus_lr_weight_decay",
    "lr_over_three",
)


def flags() -> dict[str, bool]:
    """The variant of the step that a parameter group needs."""
    return {}


def launcher() -> Launcher:
    """A launcher for a set of tensors that step together."""
    types = ("theta_type", "v1_type", "v2_type", "v3_type")
    return Launcher(__name__, Path(__file__).with_suffix(".c"), types, SCALARS)
