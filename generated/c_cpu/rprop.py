"""Rprop. Written by optgen 0.1.0 (format 1) from rules/rprop.py; do not edit.

    optgen build rprop --backend c

Riedmiller & Braun, A Direct Adaptive Method for Faster Backpropagation Learning, IEEE ICNN 1993,
https://doi.org/10.1109/ICNN.1993.298623. Numbers as torch.optim.Rprop.

    q[t] = g[t]*g_used[t - 1]
    f[t] = Piecewise((eta_plus, q[t] > 0), (eta_minus, q[t] < 0), (1, True))
    D[t] = Min(Max(D[t - 1]*f[t], smallest), largest_step)
    g_used[t] = Piecewise((0, q[t] < 0), (g[t], True))
    theta[t] = theta[t - 1] - sign(g_used[t])*D[t]
"""

from __future__ import annotations

from pathlib import Path

from ._runtime import Launcher

# The states that the step keeps, by their keys in a checkpoint, and the scalars that it reads.
STATES: tuple[str, ...] = ("prev", "step_size")
SCALARS = (
    "eta_minus",
    "eta_plus",
    "smallest",
    "largest_step",
)


def flags() -> dict[str, bool]:
    """The variant of the step that a parameter group needs."""
    return {}


def launcher() -> Launcher:
    """A launcher for a set of tensors that step together."""
    types = ("theta_type", "g_used_type", "D_type")
    return Launcher(__name__, Path(__file__).with_suffix(".c"), types, SCALARS)
