"""LAMB. Written by optgen 0.1.0 (format 1) from rules/lamb.py; do not edit.

    optgen build lamb --backend c

You, Li, Reddi, Hseu, Kumar, Bhojanapalli, Song, Demmel, Keutzer & Hsieh, Large Batch Optimization for Deep
Learning: Training BERT in 76 minutes, ICLR 2020, https://arxiv.org/abs/1904.00962, Algorithm 2. Numbers as
timm.optim.Lamb: the norm of all gradients together is limited, and nothing is adapted where weight_decay is 0.
max_grad_norm=inf limits nothing.

    G[t] = norm(g[t], model)
    g_clip[t] = g[t]/Max(1, G[t]/max_grad_norm)
    m[t] = beta1*m[t - 1] + (1 - beta1)*g_clip[t]
    v[t] = beta2*v[t - 1] + (1 - beta2)*g_clip[t]**2
    u[t] = m[t]/(1 - beta1**t)/(sqrt(v[t])/sqrt(1 - beta2**t) + eps) + weight_decay*theta[t - 1]
    w_norm[t] = norm(theta[t - 1], elems)
    u_norm[t] = norm(u[t], elems)
    r[t] = Piecewise((w_norm[t]/u_norm[t], (u_norm[t] > 0) & (w_norm[t] > 0)), (1, True))
    theta[t] = theta[t - 1] - Piecewise((lr*r[t]*u[t], always_adapt | Ne(weight_decay, 0)), (lr*u[t], True))
"""

from __future__ import annotations

from pathlib import Path

from ._runtime import Form, Launcher

# The states that the step keeps, by their keys in a checkpoint, and the scalars that it reads.
STATES: tuple[str, ...] = ("exp_avg", "exp_avg_sq")
SCALARS = (
    "lr",
    "beta1",
    "beta2",
    "eps",
    "weight_decay",
    "inv_max_grad_norm",
    "one_minus_beta1",
    "one_minus_beta2",
    "inv_one_minus_beta1_t",
    "inv_sqrt_one_minus_beta2_t",
)


def flags(*, weight_decay: float, always_adapt: bool) -> dict[str, bool]:
    """The variant of the step that a parameter group needs."""
    return {"has_weight_decay": weight_decay != 0, "always_adapt": always_adapt}


def launcher() -> Launcher:
    """A launcher for a set of tensors that step together."""
    types = ("theta_type", "m_type", "v_type")
    form = Form(("element", "element"), by_rows=False, together=True)
    return Launcher(__name__, Path(__file__).with_suffix(".c"), types, SCALARS, form)
