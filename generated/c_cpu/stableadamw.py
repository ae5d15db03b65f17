"""StableAdamW. Written by optgen 0.1.0 (format 1) from rules/stableadamw.py; do not edit.

    optgen build stableadamw --backend c

Wortsman, Dettmers, Zettlemoyer, Morcos, Farhadi & Schmidt, Stable and low-precision training for large-scale
vision-language models, NeurIPS 2023, https://arxiv.org/abs/2304.13013, Algorithm 2. Numbers as
pytorch_optimizer.StableAdamW.

    h1[t] = beta1*(1 - beta1**(t - 1))/(1 - beta1**t)
    h2[t] = beta2*(1 - beta2**(t - 1))/(1 - beta2**t)
    m[t] = h1[t]*m[t - 1] + (1 - h1[t])*g[t]
    v[t] = h2[t]*v[t - 1] + (1 - h2[t])*g[t]**2
    rms_t[t] = sqrt(mean(g[t]**2/Max(v[t], eps**2), elems))
    eta[t] = lr/Max(1, rms_t[t])
    theta[t] = theta[t - 1]*(1 - eta[t]*weight_decay) - eta[t]*(m[t]/(sqrt(v[t]) + eps))
"""

from __future__ import annotations

from pathlib import Path

from ._runtime import Form, Launcher

# The states that the step keeps, by their keys in a checkpoint, and the scalars that it reads.
STATES: tuple[str, ...] = ("exp_avg", "exp_avg_sq")
SCALARS = (
    "lr",
    "eps",
    "weight_decay",
    "h1",
    "h2",
    "one_minus_h1",
    "one_minus_h2",
    "rms_t_mean_scale",
)


def flags() -> dict[str, bool]:
    """The variant of the step that a parameter group needs."""
    return {}


def launcher() -> Launcher:
    """A launcher for a set of tensors that step together."""
    types = ("theta_type", "m_type", "v_type")
    form = Form(("element", "element"), by_rows=False, together=False)
    return Launcher(__name__, Path(__file__).with_suffix(".c"), types, SCALARS, form)
