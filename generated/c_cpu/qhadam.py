"""QHAdam. Written by optgen 0.1.0 (format 1) from rules/qhadam.py; do not edit.

    optgen build qhadam --backend c

Ma & Yarats, Quasi-hyperbolic momentum and Adam for deep learning, ICLR 2019, https://arxiv.org/abs/1810.06801,
equations 17 to 20. Numbers as pytorch_optimizer.QHAdam with weight_decouple=True.

    w1[t] = beta1*w1[t - 1] + 1
    w2[t] = beta2*w2[t - 1] + 1
    m[t] = m[t - 1] + (g[t] - m[t - 1])/w1[t]
    v[t] = v[t - 1] + (g[t]**2 - v[t - 1])/w2[t]
    u[t] = nu1*m[t] + (1 - nu1)*g[t]
    s[t] = nu2*v[t] + (1 - nu2)*g[t]**2
    theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr*(u[t]/(sqrt(s[t]) + eps))
"""

from __future__ import annotations

from pathlib import Path

from ._runtime import Launcher

# The states that the step keeps, by their keys in a checkpoint, and the scalars that it reads.
STATES: tuple[str, ...] = ("exp_avg", "exp_avg_sq")
SCALARS = (
    "lr",
    "nu1",
    "nu2",
    "eps",
    "inv_w1",
    "inv_w2",
    "one_minus_nu1",
    "one_minus_nu2",
    "one_minus_lr_weight_decay",
)


def flags() -> dict[str, bool]:
    """The variant of the step that a parameter group needs."""
    return {}


def launcher() -> Launcher:
    """A launcher for a set of tensors that step together."""
    types = ("theta_type", "m_type", "v_type")
    return Launcher(__name__, Path(__file__).with_suffix(".c"), types, SCALARS)
