"""Adafactor. Written by optgen 0.1.0 (format 1) from rules/adafactor.py; do not edit.

    optgen build adafactor --backend c

Shazeer & Stern, Adafactor: Adaptive Learning Rates with Sublinear Memory Cost, ICML 2018,
https://arxiv.org/abs/1804.04235, Algorithms 4 and 5. Numbers as torch.optim.Adafactor: lr bounds the relative step,
and scales the weight decay.

    rho[t] = Min(lr, 1/(sqrt(t)))
    alpha[t] = Max(eps2, rms(theta[t - 1], elems))*rho[t]
    w[t] = t**beta2_decay
    V[t] = V[t - 1] + w[t]*(g[t]**2 - V[t - 1])
    U[t] = g[t]/sqrt(Max(V[t], eps1**2))
    theta[t] = theta[t - 1]*(1 - lr*weight_decay) - alpha[t]/Max(1, rms(U[t], elems)/d)*U[t]
"""

from __future__ import annotations

from pathlib import Path

from ._runtime import Form, Launcher

# The states that the step keeps, by their keys in a checkpoint, and the scalars that it reads.
STATES: tuple[str, ...] = ("variance",)
SCALARS = (
    "eps2",
    "rho",
    "w",
    "U_scale",
    "one_minus_lr_weight_decay",
    "inv_d",
)


def flags() -> dict[str, bool]:
    """The variant of the step that a parameter group needs."""
    return {}


def launcher() -> Launcher:
    """A launcher for a set of tensors that step together."""
    types = ("theta_type", "V_type")
    form = Form(("element",), by_rows=False, together=False)
    return Launcher(__name__, Path(__file__).with_suffix(".c"), types, SCALARS, form)
