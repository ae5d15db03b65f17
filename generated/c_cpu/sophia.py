"""Sophia. Written by optgen 0.1.0 (format 1) from rules/sophia.py; do not edit.

    optgen build sophia --backend c

Liu, Li, Hall, Liang & Ma, Sophia: A Scalable Stochastic Second-order Optimizer for Language Model Pre-training,
ICLR 2024, https://arxiv.org/abs/2305.14342, Algorithm 3, with the estimate of Algorithm 2. Numbers as SophiaG of
github.com/Liuhong99/Sophia. `hessian` is the square of the gradient of a loss whose labels are drawn from the
model, bs the number of tokens of a batch. Give it once in k steps, 10 in the paper, where the authors call
update_hessian before the step; all other steps go without.

    h[t] = Piecewise((beta2*h[t - 1] + (1 - beta2)*H[t], given(H)), (h[t - 1], True))
    m[t] = beta1*m[t - 1] + (1 - beta1)*g[t]
    theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr*(sign(m[t])*Min(Abs(m[t])/(rho*bs*h[t] + 1.0e-15), 1))
"""

from __future__ import annotations

from pathlib import Path

from ._runtime import Launcher

# The states that the step keeps, by their keys in a checkpoint, and the scalars that it reads.
STATES: tuple[str, ...] = ("exp_avg", "hessian")
INPUTS: tuple[str, ...] = ("H",)  # what it is given besides the gradient
SCALARS = (
    "lr",
    "beta1",
    "beta2",
    "one_minus_beta2",
    "one_minus_beta1",
    "one_minus_lr_weight_decay",
    "rho_bs",
)


def flags(*, has_H: bool) -> dict[str, bool]:
    """The variant of the step that a parameter group needs."""
    return {"has_H": has_H}


def launcher() -> Launcher:
    """A launcher for a set of tensors that step together."""
    types = ("theta_type", "m_type", "h_type", "H_type")
    return Launcher(__name__, Path(__file__).with_suffix(".c"), types, SCALARS)
