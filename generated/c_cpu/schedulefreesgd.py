"""ScheduleFreeSGD. Written by optgen 0.1.0 (format 1) from rules/schedulefreesgd.py; do not edit.

    optgen build schedulefreesgd --backend c

Defazio, Yang, Mehta, Mishchenko, Khaled & Cutkosky, The Road Less Scheduled, NeurIPS 2024,
https://arxiv.org/abs/2405.15682, Equations 3 to 5. Numbers as schedulefree.SGDScheduleFree, with a count for each
parameter, which is y in training and the average x in evaluation: train(), eval().

    a[t] = lr*Piecewise((t/warmup_steps, t < warmup_steps), (1, True))
    l_max[t] = Max(l_max[t - 1], a[t])
    w[t] = t**r*l_max[t]**weight_lr_power
    W[t] = W[t - 1] + w[t]
    c[t] = Piecewise((w[t]/W[t], W[t] > 0), (0, True))
    g_wd[t] = g[t] + weight_decay*theta[t - 1]
    theta[t] = (theta[t - 1] + c[t]*(z[t - 1] - theta[t - 1])) + a[t]*(momentum*(1 - c[t]) - 1)*g_wd[t]
    z[t] = z[t - 1] - a[t]*g_wd[t]
    and by train():
    theta[t] = theta[t - 1] + (1 - momentum)*(z[t - 1] - theta[t - 1])
    and by eval():
    theta[t] = theta[t - 1] + (1 - 1/momentum)*(z[t - 1] - theta[t - 1])
"""

from __future__ import annotations

from pathlib import Path

from ._runtime import Launcher

# The states that the step keeps, by their keys in a checkpoint, and the scalars that it reads.
STATES: tuple[str, ...] = ("z",)
SCALARS = (
    "weight_decay",
    "a",
    "c",
    "theta_scale",
)


def flags() -> dict[str, bool]:
    """The variant of the step that a parameter group needs."""
    return {}


def launcher() -> Launcher:
    """A launcher for a set of tensors that step together."""
    types = ("theta_type", "z_type")
    return Launcher(__name__, Path(__file__).with_suffix(".c"), types, SCALARS)
