"""RMSprop. Written by optgen 0.1.0 (format 1) from rules/rmsprop.py; do not edit.

    optgen build rmsprop --backend c

Tieleman & Hinton, Lecture 6.5, COURSERA: Neural Networks for Machine Learning, 2012; centered as in Graves,
Generating Sequences With Recurrent Neural Networks, 2013, https://arxiv.org/abs/1308.0850, equations 38 to 45.
Numbers as torch.optim.RMSprop: eps is added outside the root, the learning rate stays outside the momentum buffer.

    g_wd[t] = Piecewise((g[t] + weight_decay*theta[t - 1], Ne(weight_decay, 0)), (g[t], True))
    v[t] = alpha*v[t - 1] + (1 - alpha)*g_wd[t]**2
    a[t] = alpha*a[t - 1] + (1 - alpha)*g_wd[t]
    s[t] = Piecewise((v[t] - a[t]**2, centered), (v[t], True))
    u[t] = g_wd[t]/(sqrt(s[t]) + eps)
    b[t] = momentum*b[t - 1] + u[t]
    d[t] = Piecewise((b[t], Ne(momentum, 0)), (u[t], True))
    theta[t] = theta[t - 1] - lr*d[t]
"""

from __future__ import annotations

from pathlib import Path

from ._runtime import Launcher

# The states that the step keeps, by their keys in a checkpoint, and the scalars that it reads.
STATES: tuple[str, ...] = ("square_avg", "momentum_buffer", "grad_avg")
SCALARS = (
    "lr",
    "alpha",
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
