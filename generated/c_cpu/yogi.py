"""Yogi. Written by optgen 0.1.0 (format 1) from rules/yogi.py; do not edit.

    optgen build yogi --backend c

Zaheer, Reddi, Sachan, Kale & Kumar, Adaptive Methods for Nonconvex Optimization, NeurIPS 2018,
https://papers.nips.cc/paper/8186-adaptive-methods-for-nonconvex-optimization, Algorithm 2. Numbers as
pytorch_optimizer.Yogi.

    m[t] = beta1*m[t - 1] + (1 - beta1)*g[t]
    v[t] = v[t - 1] - (1 - beta2)*sign(v[t - 1] - g[t]**2)*g[t]**2
    theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr/(1 - beta1**t)*(m[t]/(sqrt(v[t])/sqrt(1 - beta2**t) + eps))
"""

from __future__ import annotations

from pathlib import Path

from ._runtime import Launcher

# The states that the step keeps, by their keys in a checkpoint, and the scalars that it reads.
STATES: tuple[str, ...] = ("exp_avg", "exp_avg_sq")
SCALARS = (
    "beta1",
    "eps",
    "one_minus_beta1",
    "one_minus_beta2",
    "one_minus_lr_weight_decay",
    "lr_over_one_minus_beta1_t",
    "inv_sqrt_one_minus_beta2_t",
)


def flags() -> dict[str, bool]:
    """The variant of the step that a parameter group needs."""
    return {}


def launcher() -> Launcher:
    """A launcher for a set of tensors that step together."""
    types = ("theta_type", "m_type", "v_type")
    return Launcher(__name__, Path(__file__).with_suffix(".c"), types, SCALARS)
