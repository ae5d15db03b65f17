"""MARS. Written by optgen 0.1.0 (format 1) from rules/mars.py; do not edit.

    optgen build mars --backend c

Yuan, Liu, Wu, Zhou & Gu, MARS: Unleashing the Power of Variance Reduction for Training Large Models, ICML 2025,
https://arxiv.org/abs/2411.10438, Algorithm 2: MARS-AdamW with the gradient of the last step. Numbers as
timm.optim.Mars with optimize_1d=True; the first step has no last gradient.

    c[t] = Piecewise((g[t], Eq(t, 1)), (g[t] + gamma*(beta1/(1 - beta1))*(g[t] - g_old[t - 1]), True))
    c_clip[t] = c[t]/Max(norm(c[t], elems), 1)
    m[t] = beta1*m[t - 1] + (1 - beta1)*c_clip[t]
    v[t] = beta2*v[t - 1] + (1 - beta2)*c_clip[t]**2
    g_old[t] = g[t]
    theta[t] = theta[t - 1] - lr*(m[t]/(1 - beta1**t)/(sqrt(v[t])/sqrt(1 - beta2**t) + eps) + weight_decay*theta[t -
        1])
"""

from __future__ import annotations

from pathlib import Path

from ._runtime import Form, Launcher

# The states that the step keeps, by their keys in a checkpoint, and the scalars that it reads.
STATES: tuple[str, ...] = ("exp_avg", "exp_avg_sq", "last_grad")
SCALARS = (
    "lr",
    "beta1",
    "beta2",
    "eps",
    "weight_decay",
    "t_eq_one",
    "gamma_beta1_over_one_minus_beta1",
    "one_minus_beta1",
    "one_minus_beta2",
    "inv_one_minus_beta1_t",
    "inv_sqrt_one_minus_beta2_t",
)


def flags() -> dict[str, bool]:
    """The variant of the step that a parameter group needs."""
    return {}


def launcher() -> Launcher:
    """A launcher for a set of tensors that step together."""
    types = ("theta_type", "m_type", "v_type", "g_old_type")
    form = Form(("element", "element", "element"), by_rows=False, together=False)
    return Launcher(__name__, Path(__file__).with_suffix(".c"), types, SCALARS, form)
