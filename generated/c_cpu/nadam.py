"""NAdam. Written by optgen 0.1.0 (format 1) from rules/nadam.py; do not edit.

    optgen build nadam --backend c

Dozat, Incorporating Nesterov Momentum into Adam, ICLR Workshop 2016,
https://openreview.net/forum?id=OM0jvwB8jIp57ZJjtNEZ. Numbers as torch.optim.NAdam.

    theta_wd[t] = Piecewise((theta[t - 1]*(1 - lr*weight_decay), decoupled_weight_decay & Ne(weight_decay, 0)),
        (theta[t - 1], True))
    g_wd[t] = Piecewise((g[t] + weight_decay*theta[t - 1], ~decoupled_weight_decay & Ne(weight_decay, 0)), (g[t],
        True))
    mu[t] = beta1*(1 + (-0.5)*0.96**(t*momentum_decay))
    mu_next[t] = beta1*(1 + (-0.5)*0.96**((t + 1)*momentum_decay))
    P[t] = P[t - 1]*mu[t]
    m[t] = beta1*m[t - 1] + (1 - beta1)*g_wd[t]
    v[t] = beta2*v[t - 1] + (1 - beta2)*g_wd[t]**2
    D[t] = sqrt(v[t]/(1 - beta2**t)) + eps
    theta[t] = (theta_wd[t] - lr*(1 - mu[t])/(1 - P[t])*(g_wd[t]/D[t])) - lr*mu_next[t]/(1 -
        P[t]*mu_next[t])*(m[t]/D[t])
"""

from __future__ import annotations

from pathlib import Path

from ._runtime import Launcher

# The states that the step keeps, by their keys in a checkpoint, and the scalars that it reads.
STATES: tuple[str, ...] = ("exp_avg", "exp_avg_sq")
SCALARS = (
    "beta1",
    "beta2",
    "eps",
    "weight_decay",
    "one_minus_lr_weight_decay",
    "one_minus_beta1",
    "one_minus_beta2",
    "inv_one_minus_beta2_t",
    "lr_one_minus_mu_over_one_minus_P",
    "theta_scale",
)


def flags(*, weight_decay: float, decoupled_weight_decay: bool) -> dict[str, bool]:
    """The variant of the step that a parameter group needs."""
    return {"has_weight_decay": weight_decay != 0, "decoupled_weight_decay": decoupled_weight_decay}


def launcher() -> Launcher:
    """A launcher for a set of tensors that step together."""
    types = ("theta_type", "m_type", "v_type")
    return Launcher(__name__, Path(__file__).with_suffix(".c"), types, SCALARS)
