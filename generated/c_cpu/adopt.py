"""ADOPT. Written by optgen 0.1.0 (format 1) from rules/adopt.py; do not edit.

    optgen build adopt --backend c

Taniguchi, Harada, Minegishi, Oshima, Jeong, Nagahara, Iiyama, Suzuki, Iwasawa & Matsuo, ADOPT: Modified Adam Can
Converge with Any beta2 with the Optimal Rate, NeurIPS 2024, https://arxiv.org/abs/2411.02853, Algorithm 2. Numbers
as timm.optim.Adopt(clip_exp=0.25).

    theta_wd[t] = Piecewise((theta[t - 1]*(1 - lr*weight_decay), decoupled & Ne(weight_decay, 0)), (theta[t - 1],
        True))
    g_wd[t] = Piecewise((g[t] + weight_decay*theta[t - 1], ~decoupled & Ne(weight_decay, 0)), (g[t], True))
    c[t] = (t - 1)**0.25
    n[t] = Min(Max(g_wd[t]/Max(sqrt(v[t - 1]), eps), -c[t]), c[t])
    m[t] = Piecewise((m[t - 1], Eq(t, 1)), (beta1*m[t - 1] + (1 - beta1)*n[t], True))
    v[t] = Piecewise((g_wd[t]**2, Eq(t, 1)), (beta2*v[t - 1] + (1 - beta2)*g_wd[t]**2, True))
    theta[t] = Piecewise((theta[t - 1], Eq(t, 1)), (theta_wd[t] - lr*m[t], True))
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
    "c",
    "one_minus_lr_weight_decay",
    "n_scale",
    "t_eq_one",
    "one_minus_beta1",
    "one_minus_beta2",
)


def flags(*, weight_decay: float, decoupled: bool) -> dict[str, bool]:
    """The variant of the step that a parameter group needs."""
    return {"has_weight_decay": weight_decay != 0, "decoupled": decoupled}


def launcher() -> Launcher:
    """A launcher for a set of tensors that step together."""
    types = ("theta_type", "m_type", "v_type")
    return Launcher(__name__, Path(__file__).with_suffix(".c"), types, SCALARS)
