"""LARS. Written by optgen 0.1.0 (format 1) from rules/lars.py; do not edit.

    optgen build lars --backend c

You, Gitman & Ginsburg, Large Batch Training of Convolutional Networks, 2017, https://arxiv.org/abs/1708.03888,
Algorithm 1; trust_clip: LARC. Numbers as timm.optim.Lars with dampening=0, which adapts nothing where weight_decay
is 0.

    w_norm[t] = norm(theta[t - 1], elems)
    g_norm[t] = norm(g[t], elems)
    r[t] = Piecewise((trust_coeff*w_norm[t]/((g_norm[t] + weight_decay*w_norm[t]) + eps), (g_norm[t] > 0) &
        (w_norm[t] > 0)), (1, True))
    trust[t] = Piecewise((Min(r[t]/Max(lr, 1.0e-30), 1), trust_clip), (r[t], True))
    g_used[t] = Piecewise((trust[t]*(g[t] + weight_decay*theta[t - 1]), Ne(weight_decay, 0)), (g[t], True))
    b[t] = momentum*b[t - 1] + g_used[t]
    d[t] = Piecewise((g_used[t] + momentum*b[t], nesterov), (b[t], True))
    theta[t] = theta[t - 1] - lr*d[t]
"""

from __future__ import annotations

from pathlib import Path

from ._runtime import Form, Launcher

# The states that the step keeps, by their keys in a checkpoint, and the scalars that it reads.
STATES: tuple[str, ...] = ("momentum_buffer",)
SCALARS = (
    "lr",
    "momentum",
    "weight_decay",
    "trust_coeff",
    "eps",
    "trust_scale",
)


def flags(*, weight_decay: float, nesterov: bool, trust_clip: bool) -> dict[str, bool]:
    """The variant of the step that a parameter group needs."""
    return {"trust_clip": trust_clip, "has_weight_decay": weight_decay != 0, "nesterov": nesterov}


def launcher() -> Launcher:
    """A launcher for a set of tensors that step together."""
    types = ("theta_type", "b_type")
    form = Form(("element",), by_rows=False, together=False)
    return Launcher(__name__, Path(__file__).with_suffix(".c"), types, SCALARS, form)
