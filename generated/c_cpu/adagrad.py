"""Adagrad. Written by optgen 0.1.0 (format 1) from rules/adagrad.py; do not edit.

    optgen build adagrad --backend c

Duchi, Hazan & Singer, Adaptive Subgradient Methods for Online Learning and Stochastic Optimization, JMLR 2011.
https://jmlr.org/papers/v12/duchi11a.html, Figure 1. Numbers as torch.optim.Adagrad.

    eta[t] = lr/(1 + (t - 1)*lr_decay)
    g_wd[t] = Piecewise((g[t] + weight_decay*theta[t - 1], Ne(weight_decay, 0)), (g[t], True))
    G[t] = G[t - 1] + g_wd[t]**2
    theta[t] = theta[t - 1] - eta[t]*(g_wd[t]/(sqrt(G[t]) + eps))
"""

from __future__ import annotations

from pathlib import Path

from ._runtime import Launcher

# The states that the step keeps, by their keys in a checkpoint, and the scalars that it reads.
STATES: tuple[str, ...] = ("sum",)
SCALARS = (
    "weight_decay",
    "eps",
    "eta",
)


def flags(*, weight_decay: float) -> dict[str, bool]:
    """The variant of the step that a parameter group needs."""
    return {"has_weight_decay": weight_decay != 0}


def launcher() -> Launcher:
    """A launcher for a set of tensors that step together."""
    types = ("theta_type", "G_type")
    return Launcher(__name__, Path(__file__).with_suffix(".c"), types, SCALARS)
