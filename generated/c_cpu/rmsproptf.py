"""RMSpropTF. Written by optgen 0.1.0 (format 1) from rules/rmsproptf.py; do not edit.

    optgen build rmsproptf --backend c

Tieleman & Hinton, Lecture 6.5, COURSERA: Neural Networks for Machine Learning, 2012, as TensorFlow computes it: the
average starts at 1, eps is inside the root, the learning rate inside the momentum. Numbers as timm.optim.RMSpropTF.

    g_wd[t] = Piecewise((g[t] + weight_decay*theta[t - 1], Ne(weight_decay, 0)), (g[t], True))
    v[t] = v[t - 1] + (1 - alpha)*(g_wd[t]**2 - v[t - 1])
    a[t] = a[t - 1] + (1 - alpha)*(g_wd[t] - a[t - 1])
    s[t] = Piecewise((v[t] - a[t]**2, centered), (v[t], True))
    u[t] = lr*(g_wd[t]/sqrt(s[t] + eps))
    b[t] = momentum*b[t - 1] + u[t]
    d[t] = Piecewise((b[t], Ne(momentum, 0)), (u[t], True))
    theta[t] = theta[t - 1] - d[t]
"""

from __future__ import annotations

from pathlib import Path

from ._runtime import Launcher

# The states that the step keeps, by their keys in a checkpoint, and the scalars that it reads.
STATES: tuple[str, ...] = ("square_avg", "momentum_buffer", "grad_avg")
SCALARS = (
    "lr",
    "eps",
    "weight_decay",
    "momentum",
    "one_minus_alpha",
)


def flags(*, weight_decay: float, momentum: float, centered: bool) -> dict[str, bool]:
    """The variant of the step that a parameter group needs."""
    return {"has_weight_decay": weight_decay != 0, "centered": centered, "has_momentum": momentum != 0}


def launcher() -> Launcher:
    """A launcher for a set of tensors that step together."""
    types = ("theta_type", "v_type", "b_type", "a_type")
    return Launcher(__name__, Path(__file__).with_suffix(".c"), types, SCALARS)
