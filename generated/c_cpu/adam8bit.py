"""Adam8bit. Written by optgen 0.1.0 (format 1) from rules/adam8bit.py; do not edit.

    optgen build adam8bit --backend c

Adam with 8-bit states. Dettmers, Lewis, Shleifer & Zettlemoyer, 8-bit Optimizers via Block-wise Quantization, ICLR
2022. https://arxiv.org/abs/2110.02861. Formats as bitsandbytes.optim.Adam8bit, whose weight decay is decoupled.

    g_wd[t] = Piecewise((g[t] + weight_decay*theta[t - 1], ~decoupled_weight_decay & Ne(weight_decay, 0)), (g[t],
        True))
    theta_wd[t] = Piecewise((theta[t - 1]*(1 - lr*weight_decay), decoupled_weight_decay), (theta[t - 1], True))
    m[t] = beta1*m[t - 1] + (1 - beta1)*g_wd[t]
    v[t] = beta2*v[t - 1] + (1 - beta2)*g_wd[t]**2
    v_max[t] = Max(v_max[t - 1], v[t])
    m_hat[t] = m[t]/(1 - beta1**t)
    v_hat[t] = Piecewise((v_max[t], amsgrad), (v[t], True))/(1 - beta2**t)
    theta[t] = theta_wd[t] - lr*m_hat[t]/(sqrt(v_hat[t]) + eps)
    with every state as int8, of parameters with at least 4096 elements
"""

from __future__ import annotations

from pathlib import Path

from ._runtime import Form, Launcher

# The states that the step keeps, by their keys in a checkpoint, and the scalars that it reads.
STATES: tuple[str, ...] = (
    "exp_avg", "exp_avg_absmax", "exp_avg_sq", "exp_avg_sq_absmax", "max_exp_avg_sq",
    "max_exp_avg_sq_absmax"
)
SCALARS = (
    "lr",
    "beta1",
    "beta2",
    "eps",
    "weight_decay",
    "one_minus_lr_weight_decay",
    "one_minus_beta1",
    "one_minus_beta2",
    "inv_one_minus_beta1_t",
    "inv_one_minus_beta2_t",
)


def flags(*, weight_decay: float, amsgrad: bool, decoupled_weight_decay: bool) -> dict[str, bool]:
    """The variant of the step that a parameter group needs."""
    return {"has_weight_decay": weight_decay != 0, "decoupled_weight_decay": decoupled_weight_decay, "amsgrad": amsgrad}


def launcher() -> Launcher:
    """A launcher for a set of tensors that step together."""
    types = ("theta_type", "", "", "", "", "", "")
    form = Form(("uint8", "fp32/256", "uint8", "fp32/256", "uint8", "fp32/256"))
    return Launcher(__name__, Path(__file__).with_suffix(".c"), types, SCALARS, form)
