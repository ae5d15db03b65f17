"""SGD. Written by optgen 0.1.0 (format 1) from rules/sgd.py; do not edit.

    optgen build sgd --backend c

Robbins & Monro, A Stochastic Approximation Method, 1951, https://doi.org/10.1214/aoms/1177729586; momentum and
Nesterov's as in Sutskever, Martens, Dahl & Hinton, On the importance of initialization and momentum in deep
learning, ICML 2013, https://proceedings.mlr.press/v28/sutskever13.html. Numbers as torch.optim.SGD.

    g_wd[t] = Piecewise((g[t] + weight_decay*theta[t - 1], Ne(weight_decay, 0)), (g[t], True))
    b[t] = Piecewise((g_wd[t], first), (momentum*b[t - 1] + (1 - dampening)*g_wd[t], True))
    d[t] = Piecewise((Piecewise((g_wd[t] + momentum*b[t], nesterov), (b[t], True)), Ne(momentum, 0)), (g_wd[t],
        True))
    theta[t] = theta[t - 1] - lr*d[t]
"""

from __future__ import annotations

from pathlib import Path

from ._runtime import Launcher

# The states that the step keeps, by their keys in a checkpoint, and the scalars that it reads.
STATES: tuple[str, ...] = ("momentum_buffer",)
SCALARS = (
    "lr",
    "momentum",
    "weight_decay",
    "first",
    "one_minus_dampening",
)


def flags(*, momentum: float, weight_decay: float, nesterov: bool) -> dict[str, bool]:
    """The variant of the step that a parameter group needs."""
    return {"has_weight_decay": weight_decay != 0, "nesterov": nesterov, "has_momentum": momentum != 0}


def launcher() -> Launcher:
    """A launcher for a set of tensors that step together."""
    types = ("theta_type", "b_type")
    return Launcher(__name__, Path(__file__).with_suffix(".c"), types, SCALARS)
