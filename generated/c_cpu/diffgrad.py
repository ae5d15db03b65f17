"""DiffGrad. Written by optgen 0.1.0 (format 1) from rules/diffgrad.py; do not edit.

    optgen build diffgrad --backend c

Dubey, Chakraborty, Roy, Mukherjee, Singh & Chaudhuri, diffGrad: An Optimization Method for Convolutional Neural
Networks, IEEE TNNLS 31(11), 2020, https://arxiv.org/abs/1909.11015, equations 9 to 12. Numbers as
pytorch_optimizer.DiffGrad, which adds 1e-15 to v.

    m[t] = beta1*m[t - 1] + (1 - beta1)*g[t]
    v[t] = beta2*v[t - 1] + (1 - beta2)*g[t]**2
    xi[t] = 1/(1 + exp(-Abs(g_old[t - 1] - g[t])))
    g_old[t] = g[t]
    theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr*sqrt(1 - beta2**t)/(1 - beta1**t)*(xi[t]*m[t]/(sqrt(v[t] +
        1.0e-15) + eps))
"""

from __future__ import annotations

from pathlib import Path

from ._runtime import Launcher

# The states that the step keeps, by their keys in a checkpoint, and the scalars that it reads.
STATES: tuple[str, ...] = ("exp_avg", "exp_avg_sq", "previous_grad")
SCALARS = (
    "beta1",
    "beta2",
    "eps",
    "one_minus_beta1",
    "one_minus_beta2",
    "one_minus_lr_weight_decay",
    "theta_scale",
)


def flags() -> dict[str, bool]:
    """The variant of the step that a parameter group needs."""
    return {}


def launcher() -> Launcher:
    """A launcher for a set of tensors that step together."""
    types = ("theta_type", "m_type", "v_type", "g_old_type")
    return Launcher(__name__, Path(__file__).with_suffix(".c"), types, SCALARS)
