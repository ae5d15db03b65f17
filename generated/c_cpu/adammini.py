"""AdamMini. Written by optgen 0.1.0 (format 1) from rules/adammini.py; do not edit.

    optgen build adammini --backend c

Zhang, Chen, Li, Ding, Wu, Kingma, Ye, Luo & Sun, Adam-mini: Use Fewer Learning Rates To Gain More, ICLR 2025,
https://arxiv.org/abs/2406.16793, Algorithm 1, with a block for each row of a matrix and one for any other tensor.
Numbers as adam_mini.Adam_mini for MLPs, values, projections, embeddings, outputs and normalisation; it has a block
for each head of queries and keys, and for each element of a bias.

    m[t] = beta1*m[t - 1] + (1 - beta1)*g[t]
    v[t] = beta2*v[t - 1] + (1 - beta2)*mean(g[t]**2, cols)
    theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr/(1 - beta1**t)/(sqrt(v[t])/sqrt(1 - beta2**t) + eps)*m[t]
    and for parameters of other shapes, as another rule:
    m[t] = beta1*m[t - 1] + (1 - beta1)*g[t]
    v[t] = beta2*v[t - 1] + (1 - beta2)*mean(g[t]**2, elems)
    theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr/(1 - beta1**t)/(sqrt(v[t])/sqrt(1 - beta2**t) + eps)*m[t]
"""

from __future__ import annotations

from pathlib import Path

from ._runtime import Form, Launcher

# The states that the step keeps, by their keys in a checkpoint, and the scalars that it reads.
STATES: tuple[str, ...] = ("m", "vmean")
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
    form = Form(("element", "row"), by_rows=True, together=False)
    return Launcher(__name__, Path(__file__).with_suffix(".c"), types, SCALARS, form)
