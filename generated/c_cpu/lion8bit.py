"""Lion8bit. Written by optgen 0.1.0 (format 1) from rules/lion8bit.py; do not edit.

    optgen build lion8bit --backend c

Lion with an 8-bit state. Dettmers, Lewis, Shleifer & Zettlemoyer, 8-bit Optimizers via Block-wise Quantization,
ICLR 2022. https://arxiv.org/abs/2110.02861. Formats as bitsandbytes.optim.Lion8bit.

    u[t] = sign(beta1*m[t - 1] + (1 - beta1)*g[t])
    m[t] = beta2*m[t - 1] + (1 - beta2)*g[t]
    theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr*u[t]
    with every state as int8, of parameters with at least 4096 elements
"""

from __future__ import annotations

from pathlib import Path

from ._runtime import Form, Launcher

# The states that the step keeps, by their keys in a checkpoint, and the scalars that it reads.
STATES: tuple[str, ...] = ("exp_avg", "exp_avg_absmax")
SCALARS = (
    "lr",
    "beta1",
    "beta2",
    "one_minus_beta1",
    "one_minus_beta2",
    "one_minus_lr_weight_decay",
)


def flags() -> dict[str, bool]:
    """The variant of the step that a parameter group needs."""
    return {}


def launcher() -> Launcher:
    """A launcher for a set of tensors that step together."""
    types = ("theta_type", "", "")
    form = Form(("uint8", "fp32/256"))
    return Launcher(__name__, Path(__file__).with_suffix(".c"), types, SCALARS, form)
