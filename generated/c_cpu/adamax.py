"""Adamax. Written by optgen 0.1.0 (format 1) from rules/adamax.py; do not edit.

    optgen build adamax --backend c

Kingma & Ba, Adam: A Method for Stochastic Optimization, ICLR 2015, https://arxiv.org/abs/1412.6980, Algorithm 2.
Numbers as torch.optim.Adamax.

    g_wd[t] = Piecewise((g[t] + weight_decay*theta[t - 1], Ne(weight_decay, 0)), (g[t], True))
    m[t] = beta1*m[t - 1] + (1 - beta1)*g_wd[t]
    u[t] = Max(beta2*u[t - 1], Abs(g_wd[t]) + eps)
    theta[t] = theta[t - 1] - lr/(1 - beta1**t)*(m[t]/u[t])
"""

from __future__ import annotations

from pathlib import Path

from ._runtime import Launcher

# The states that the step keeps, by their keys in a checkpoint, and the scalars that it reads.
STATES: tuple[str, ...] = ("exp_avg", "exp_inf")
SCALARS = (
    "beta1",
    "beta2",
    "eps",
    "weight_decay",
    "one_minus_beta1",
    "lr_over_one_minus_beta1_t",
)


def flags(*, weight_decay: float) -> dict[str, bool]:
    """The variant of the step that a parameter group needs."""
    return {"has_weight_decay": weight_decay != 0}


def launcher() -> Launcher:
    """A launcher for a set of tensors that step together."""
    types = ("theta_type", "m_type", "u_type")
    return Launcher(__name__, Path(__file__).with_suffix(".c"), types, SCALARS)
