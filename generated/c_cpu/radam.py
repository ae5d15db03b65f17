"""RAdam. Written by optgen 0.1.0 (format 1) from rules/radam.py; do not edit.

    optgen build radam --backend c

Liu, Jiang, He, Chen, Liu, Gao & Han, On the Variance of the Adaptive Learning Rate and Beyond, ICLR 2020,
https://arxiv.org/abs/1908.03265, Algorithm 2. Numbers as torch.optim.RAdam.

    theta_wd[t] = Piecewise((theta[t - 1]*(1 - lr*weight_decay), decoupled_weight_decay & Ne(weight_decay, 0)),
        (theta[t - 1], True))
    g_wd[t] = Piecewise((g[t] + weight_decay*theta[t - 1], ~decoupled_weight_decay & Ne(weight_decay, 0)), (g[t],
        True))
    m[t] = beta1*m[t - 1] + (1 - beta1)*g_wd[t]
    v[t] = beta2*v[t - 1] + (1 - beta2)*g_wd[t]**2
    m_hat[t] = m[t]/(1 - beta1**t)
    rho_inf[t] = 2/(1 - beta2) - 1
    rho[t] = rho_inf[t] - 2*t*beta2**t/(1 - beta2**t)
    r[t] = Piecewise((sqrt((rho[t] - 4)*(rho[t] - 2)*rho_inf[t]/((rho_inf[t] - 4)*(rho_inf[t] - 2)*rho[t])), rho[t]
        > 5), (1, True))
    u[t] = Piecewise((r[t]*sqrt(1 - beta2**t)/(sqrt(v[t]) + eps), rho[t] > 5), (1, True))
    theta[t] = theta_wd[t] - lr*m_hat[t]*u[t]
"""

from __future__ import annotations

from pathlib import Path

from ._runtime import Launcher

# The states that the step keeps, by their keys in a checkpoint, and the scalars that it reads.
STATES: tuple[str, ...] = ("exp_avg", "exp_avg_sq")
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
    "rho_gt_5",
    "r_sqrt_one_minus_beta2_t",
)


def flags(*, weight_decay: float, decoupled_weight_decay: bool) -> dict[str, bool]:
    """The variant of the step that a parameter group needs."""
    return {"has_weight_decay": weight_decay != 0, "decoupled_weight_decay": decoupled_weight_decay}


def launcher() -> Launcher:
    """A launcher for a set of tensors that step together."""
    types = ("theta_type", "m_type", "v_type")
    return Launcher(__name__, Path(__file__).with_suffix(".c"), types, SCALARS)
