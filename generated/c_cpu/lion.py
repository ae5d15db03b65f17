"""Lion. Written by optgen 0.1.0 (format 1) from rules/lion.py; do not edit.

    optgen build lion --backend c

Chen et al., Symbolic Discovery of Optimization Algorithms, NeurIPS 2023. https://arxiv.org/abs/2302.06675,
Algorithm 2. Numbers as lion-pytorch.

    u[t] = sign(beta1*m[t - 1] + (1 - beta1)*g[t])
    m[t] = beta2*m[t - 1] + (1 - beta2)*g[t]
    theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr*u[t]
"""

from __future__ import annotations

from pathlib import Path

from ._runtime import Launcher

# The states that the step keeps, by their keys in a checkpoint, and the scalars that it reads.
STATES: tuple[str, ...] = ("exp_avg",)
SCALARS = (
    "lr",
    "beta1",
    "beta2",
    "one_minus_beta1",
    "one_minus_beta2",
    "one_minus_lr_weight_decay",
)


def flags() -> dict[str, bool]:
    """The variant of the step that a parameter group needs."""
    return {}


def launcher() -> Launcher:
    """A launcher for a set of tensors that step together."""
    types = ("theta_type", "m_type")
    return Launcher(__name__, Path(__file__).with_suffix(".c"), types, SCALARS)
