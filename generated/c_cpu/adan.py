"""Adan. Written by optgen 0.1.0 (format 1) from rules/adan.py; do not edit.

    optgen build adan --backend c

Xie, Zhou, Li, Lin & Yan, Adan: Adaptive Nesterov Momentum Algorithm for Faster Optimizing Deep Models, TPAMI 2024,
https://arxiv.org/abs/2208.06677, Algorithm 1. Numbers as timm.optim.Adan.

    change[t] = g[t] - g[t - 1]
    m[t] = beta1*m[t - 1] + (1 - beta1)*g[t]
    d[t] = beta2*d[t - 1] + (1 - beta2)*change[t]
    n[t] = beta3*n[t - 1] + (1 - beta3)*(g[t] + beta2*change[t])**2
    D[t] = sqrt(n[t])/sqrt(1 - beta3**t) + eps
    u[t] = lr/(1 - beta1**t)*(m[t]/D[t]) + lr*beta2/(1 - beta2**t)*(d[t]/D[t])
    theta[t] = Piecewise((theta[t - 1]*(1 - lr*weight_decay) - u[t], no_prox), ((theta[t - 1] - u[t])/(1 +
        lr*weight_decay), True))
"""

from __future__ import annotations

from pathlib import Path

from ._runtime import Launcher

# The states that the step keeps, by their keys in a checkpoint, and the scalars that it reads.
STATES: tuple[str, ...] = ("exp_avg", "exp_avg_diff", "exp_avg_sq", "previous_grad")
SCALARS = (
    "beta1",
    "beta2",
    "beta3",
    "eps",
    "one_minus_beta1",
    "one_minus_beta2",
    "one_minus_beta3",
    "inv_sqrt_one_minus_beta3_t",
    "lr_over_one_minus_beta1_t",
    "lr_beta2_over_one_minus_beta2_t",
    "inv_one_plus_lr_weight_decay",
    "one_minus_lr_weight_decay",
)


def flags(*, no_prox: bool) -> dict[str, bool]:
    """The variant of the step that a parameter group needs."""
    return {"no_prox": no_prox}


def launcher() -> Launcher:
    """A launcher for a set of tensors that step together."""
    types = ("theta_type", "m_type", "d_type", "n_type", "g_prev_type")
    return Launcher(__name__, Path(__file__).with_suffix(".c"), types, SCALARS)
