"""AdamWFp8. Written by optgen 0.1.0 (format 1) from rules/adamwfp8.py; do not edit.

    optgen build adamwfp8 --backend c

AdamW with states in 8-bit floats. Micikevicius et al., FP8 Formats for Deep Learning, 2022.
https://arxiv.org/abs/2209.05433. As torchao.optim.AdamWFp8: blocks of 256, here with a float32 absmax.

    m[t] = beta1*m[t - 1] + (1 - beta1)*g[t]
    v[t] = beta2*v[t - 1] + (1 - beta2)*g[t]**2
    v_max[t] = Max(v_max[t - 1], v[t])
    m_hat[t] = m[t]/(1 - beta1**t)
    v_hat[t] = Piecewise((v_max[t], amsgrad), (v[t], True))/(1 - beta2**t)
    theta[t] = theta[t - 1] - lr*(m_hat[t]/(sqrt(v_hat[t]) + eps) + weight_decay*theta[t - 1])
"""

from __future__ import annotations

from pathlib import Path

from ._runtime import Launcher

# The states that the step keeps, by their keys in a checkpoint, and the scalars that it reads.
STATES: tuple[str, ...] = ("exp_avg", "exp_avg_sq", "max_exp_avg_sq")
SCALARS = (
    "lr",
    "beta1",
    "beta2",
    "eps",
    "weight_decay",
    "one_minus_beta1",
    "one_minus_beta2",
    "inv_one_minus_beta1_t",
    "inv_one_minus_beta2_t",
)


def flags(*, amsgrad: bool) -> dict[str, bool]:
    """The variant of the step that a parameter group needs."""
    return {"amsgrad": amsgrad}


def launcher() -> Launcher:
    """A launcher for a set of tensors that step together."""
    types = ("theta_type", "m_type", "v_type", "v_max_type")
    return Launcher(__name__, Path(__file__).with_suffix(".c"), types, SCALARS)
