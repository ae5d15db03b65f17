"""ASGD. Written by optgen 0.1.0 (format 1) from rules/asgd.py; do not edit.

    optgen build asgd --backend c

Polyak & Juditsky, Acceleration of Stochastic Approximation by Averaging, SIAM J. Control Optim. 30(4), 1992,
https://doi.org/10.1137/0330046. Numbers as torch.optim.ASGD; the average is the state `ax`.

    g_wd[t] = Piecewise((g[t] + weight_decay*theta[t - 1], Ne(weight_decay, 0)), (g[t], True))
    theta[t] = theta[t - 1]*(1 - lambd*eta[t - 1]) - eta[t - 1]*g_wd[t]
    ax[t] = Piecewise((theta[t], Eq(mu[t - 1], 1)), (ax[t - 1] + mu[t - 1]*(theta[t] - ax[t - 1]), True))
    eta[t] = lr/(1 + lambd*lr*t)**alpha
    mu[t] = 1/Max(1, t - t0)
"""

from __future__ import annotations

from pathlib import Path

from ._runtime import Launcher

# The states that the step keeps, by their keys in a checkpoint, and the scalars that it reads.
STATES: tuple[str, ...] = ("ax",)
SCALARS = (
    "weight_decay",
    "eta_prev",
    "mu_prev",
    "one_minus_lambd_eta_prev",
    "mu_prev_eq_one",
)


def flags(*, weight_decay: float) -> dict[str, bool]:
    """The variant of the step that a parameter group needs."""
    return {"has_weight_decay": weight_decay != 0}


def launcher() -> Launcher:
    """A launcher for a set of tensors that step together."""
    types = ("theta_type", "ax_type")
    return Launcher(__name__, Path(__file__).with_suffix(".c"), types, SCALARS)
