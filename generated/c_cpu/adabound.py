"""AdaBound. Written by optgen 0.1.0 (format 1) from rules/adabound.py; do not edit.

    optgen build adabound --backend c

Luo, Xiong, Liu & Sun, Adaptive Gradient Methods with Dynamic Bound of Learning Rate, ICLR 2019,
https://arxiv.org/abs/1902.09843, Algorithm 2. Numbers as pytorch_optimizer.AdaBound, which adds 1e-15 to v; the
bounds follow the learning rate from its first value, which is kept.

    m[t] = beta1*m[t - 1] + (1 - beta1)*g[t]
    v[t] = beta2*v[t - 1] + (1 - beta2)*g[t]**2
    base[t] = Piecewise((base[t - 1], base[t - 1] > 0), (lr, True))
    last[t] = Piecewise((final_lr*lr/base[t], base[t] > 0), (0, True))
    eta[t] = Min(Max(lr*sqrt(1 - beta2**t)/(1 - beta1**t)/(sqrt(v[t] + 1.0e-15) + eps), last[t]*(1 - 1/(gamma*t +
        1))), last[t]*(1 + 1/(gamma*t)))
    theta[t] = theta[t - 1]*(1 - lr*weight_decay) - eta[t]*m[t]
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
    "one_minus_beta1",
    "one_minus_beta2",
    "eta_scale",
    "eta_scale2",
    "last_one_plus_inv_gamma_t",
    "one_minus_lr_weight_decay",
)


def flags() -> dict[str, bool]:
    """The variant of the step that a parameter group needs."""
    return {}


def launcher() -> Launcher:
    """A launcher for a set of tensors that step together."""
    types = ("theta_type", "m_type", "v_type")
    return Launcher(__name__, Path(__file__).with_suffix(".c"), types, SCALARS)
