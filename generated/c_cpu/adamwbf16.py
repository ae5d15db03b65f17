"""AdamWBF16. Written by optgen 0.1.0 (format 1) from rules/adamwbf16.py; do not edit.

    optgen build adamwbf16 --backend c

AdamW for bfloat16 parameters, rounded stochastically. Zamirai, Zhang, Aberger & De Sa, Revisiting BFloat16
Training, 2020. https://arxiv.org/abs/2010.06192. States have the parameter's dtype.

    m[t] = beta1*m[t - 1] + (1 - beta1)*g[t]
    v[t] = beta2*v[t - 1] + (1 - beta2)*g[t]**2
    v_max[t] = Max(v_max[t - 1], v[t])
    m_hat[t] = m[t]/(1 - beta1**t)
    v_hat[t] = Piecewise((v_max[t], amsgrad), (v[t], True))/(1 - beta2**t)
    theta[t] = theta[t - 1] - lr*(m_hat[t]/(sqrt(v_hat[t]) + eps) + weight_decay*theta[t - 1])
    with theta as bf16_sr
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
    "seed",
    "t",
)


def flags(*, amsgrad: bool) -> dict[str, bool]:
    """The variant of the step that a parameter group needs."""
    return {"amsgrad": amsgrad}


def launcher() -> Launcher:
    """A launcher for a set of tensors that step together."""
    types = ("theta_type", "m_type", "v_type", "v_max_type")
    return Launcher(__name__, Path(__file__).with_suffix(".c"), types, SCALARS)
