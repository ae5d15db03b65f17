"""CautiousAdamW. Written by optgen 0.1.0 (format 1) from rules/cautiousadamw.py; do not edit.

    optgen build cautiousadamw --backend c

Liang, Chen, Liu & Liu, Cautious Optimizers: Improving Training with One Line of Code, 2024,
https://arxiv.org/abs/2411.16085, Algorithm 1 on AdamW. Numbers as timm.optim.AdamWLegacy with caution=True.

    m[t] = beta1*m[t - 1] + (1 - beta1)*g[t]
    v[t] = beta2*v[t - 1] + (1 - beta2)*g[t]**2
    phi[t] = Piecewise((1, m[t]*g[t] > 0), (0, True))
    k[t] = phi[t]/Max(mean(phi[t], elems), 0.001)
    theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr/(1 - beta1**t)*(k[t]*m[t]/(sqrt(v[t])/sqrt(1 - beta2**t) +
        eps))
"""

from __future__ import annotations

from pathlib import Path

from ._runtime import Form, Launcher

# The states that the step keeps, by their keys in a checkpoint, and the scalars that it reads.
STATES: tuple[str, ...] = ("exp_avg", "exp_avg_sq")
SCALARS = (
    "beta1",
    "beta2",
    "eps",
    "one_minus_beta1",
    "one_minus_beta2",
    "one_minus_lr_weight_decay",
    "lr_over_one_minus_beta1_t",
    "inv_sqrt_one_minus_beta2_t",
)


def flags() -> dict[str, bool]:
    """The variant of the step that a parameter group needs."""
    return {}


def launcher() -> Launcher:
    """A launcher for a set of tensors that step together."""
    types = ("theta_type", "m_type", "v_type")
    form = Form(("element", "element"), by_rows=False, together=False)
    return Launcher(__name__, Path(__file__).with_suffix(".c"), types, SCALARS, form)
