"""Adadelta. Written by optgen 0.1.0 (format 1) from rules/adadelta.py; do not edit.

    optgen build adadelta --backend c

Zeiler, ADADELTA: An Adaptive Learning Rate Method, 2012, https://arxiv.org/abs/1212.5701, Algorithm 1. Numbers as
torch.optim.Adadelta.

    g_wd[t] = Piecewise((g[t] + weight_decay*theta[t - 1], Ne(weight_decay, 0)), (g[t], True))
    v[t] = rho*v[t - 1] + (1 - rho)*g_wd[t]**2
    d[t] = sqrt(u[t - 1] + eps)/sqrt(v[t] + eps)*g_wd[t]
    u[t] = rho*u[t - 1] + (1 - rho)*d[t]**2
    theta[t] = theta[t - 1] - lr*d[t]
"""

from __future__ import annotations

from pathlib import Path

from ._runtime import Launcher

# The states that the step keeps, by their keys in a checkpoint, and the scalars that it reads.
STATES: tuple[str, ...] = ("square_avg", "acc_delta")
SCALARS = (
    "lr",
    "rho",
    "eps",
    "weight_decay",
    "one_minus_rho",
)


def flags(*, weight_decay: float) -> dict[str, bool]:
    """The variant of the step that a parameter group needs."""
    return {"has_weight_decay": weight_decay != 0}


def launcher() -> Launcher:
    """A launcher for a set of tensors that step together."""
    types = ("theta_type", "v_type", "u_type")
    return Launcher(__name__, Path(__file__).with_suffix(".c"), types, SCALARS)
