"""LaProp. Written by optgen 0.1.0 (format 1) from rules/laprop.py; do not edit.

    optgen build laprop --backend c

Ziyin, Wang & Ueda, LaProp: Separating Momentum and Adaptivity in Adam, 2020, https://arxiv.org/abs/2002.04839,
Algorithm 1. Numbers as timm.optim.LaProp: the learning rate is inside the momentum, and weight decay follows the
step.

    v[t] = beta2*v[t - 1] + (1 - beta2)*g[t]**2
    eta[t] = beta1*eta[t - 1] + (1 - beta1)*lr
    k[t] = Piecewise((lr/eta[t], Ne(eta[t], 0)), (0, True))
    m[t] = beta1*m[t - 1] + lr*(1 - beta1)*(g[t]/(sqrt(v[t]/(1 - beta2**t)) + eps))
    theta_new[t] = theta[t - 1] - k[t]*m[t]
    theta[t] = theta_new[t]*(1 - lr*weight_decay)
"""

from __future__ import annotations

from pathlib import Path

from ._runtime import Launcher

# The states that the step keeps, by their keys in a checkpoint, and the scalars that it reads.
STATES: tuple[str, ...] = ("exp_avg", "exp_avg_sq")
SCALARS = (
    "beta1",
    "beta2",
    "eps",
    "k",
    "one_minus_beta2",
    "lr_one_minus_beta1",
    "inv_one_minus_beta2_t",
    "one_minus_lr_weight_decay",
)


def flags() -> dict[str, bool]:
    """The variant of the step that a parameter group needs."""
    return {}


def launcher() -> Launcher:
    """A launcher for a set of tensors that step together."""
    types = ("theta_type", "m_type", "v_type")
    return Launcher(__name__, Path(__file__).with_suffix(".c"), types, SCALARS)
