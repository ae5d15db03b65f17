"""AdEMAMix. Written by optgen 0.1.0 (format 1) from rules/ademamix.py; do not edit.

    optgen build ademamix --backend c

Pagliardini, Ablin & Grangier, The AdEMAMix Optimizer: Better, Faster, Older, ICLR 2025,
https://arxiv.org/abs/2409.03137, Algorithm 1. Numbers as pytorch_optimizer.AdEMAMix(weight_decouple=True).

    A[t] = Piecewise((Min(t*alpha/t_alpha_beta3, alpha), t_alpha_beta3 > 0), (alpha, True))
    B[t] = Piecewise((Min(exp(log(beta1)*log(beta3)/((1 - t/t_alpha_beta3)*log(beta3) +
        t/t_alpha_beta3*log(beta1))), beta3), t_alpha_beta3 > 0), (beta3, True))
    m[t] = beta1*m[t - 1] + (1 - beta1)*g[t]
    v[t] = beta2*v[t - 1] + (1 - beta2)*g[t]**2
    m_slow[t] = B[t]*m_slow[t - 1] + (1 - B[t])*g[t]
    theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr*((m[t]/(1 - beta1**t) + A[t]*m_slow[t])/(sqrt(v[t])/sqrt(1 -
        beta2**t) + eps))
"""

from __future__ import annotations

from pathlib import Path

from ._runtime import Launcher

# The states that the step keeps, by their keys in a checkpoint, and the scalars that it reads.
STATES: tuple[str, ...] = ("exp_avg", "exp_avg_sq", "exp_avg_slow")
SCALARS = (
    "lr",
    "beta1",
    "beta2",
    "eps",
    "A",
    "B",
    "one_minus_beta1",
    "one_minus_beta2",
    "one_minus_B",
    "one_minus_lr_weight_decay",
    "inv_one_minus_beta1_t",
    "inv_sqrt_one_minus_beta2_t",
)


def flags(*, t_alpha_beta3: float) -> dict[str, bool]:
    """The variant of the step that a parameter group needs."""
    return {"t_alpha_beta3_above_0": t_alpha_beta3 > 0}


def launcher() -> Launcher:
    """A launcher for a set of tensors that step together."""
    types = ("theta_type", "m_type", "v_type", "m_slow_type")
    return Launcher(__name__, Path(__file__).with_suffix(".c"), types, SCALARS)
