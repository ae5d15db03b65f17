"""Sophia. Written by optgen 0.1.0 (format 1) from rules/sophia.py; do not edit.

    optgen build sophia --backend numpy

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

from collections.abc import Sequence
from typing import Any

import numpy as np

from ._checks import check_given, number, numbers, to_step
from ._stretches import begin, stretches

Array = np.ndarray[Any, np.dtype[np.floating[Any]]]  # float32 or float64; states have their parameter's dtype
State = dict[str, Any]


def init(
    params: Sequence[Array],
    *,
    lr: float = 0.0001,
    betas: tuple[float, float] = (0.965, 0.99),
    rho: float = 0.04,
    weight_decay: float = 0.1,
    bs: float = 5120,
) -> list[State]:
    """The states before the first step, one dict for each parameter."""
    return [_start(theta_prev) for theta_prev in params]


def step(
    params: Sequence[Array],
    grads: Sequence[Array | None],
    state: Sequence[State],
    t: int | Sequence[int],
    *,
    hessian: Sequence[Array | None] | None = None,
    lr: float = 0.0001,
    betas: tuple[float, float] = (0.965, 0.99),
    rho: float = 0.04,
    weight_decay: float = 0.1,
    bs: float = 5120,
    out: bool = False,
) -> tuple[list[Array], list[State]]:
    """New parameters and states after step t: 1 for the first, one count for all parameters or one for each.

    A parameter whose gradient is None stays as it is. With out=True the arrays and dicts given are overwritten.
    hessian: as grads, an array or None for each parameter; None if there is none.
    Raises ValueError, before anything changes, for what cannot be stepped.
    """
    lr = number("lr", lr, at_least=0)
    beta1, beta2 = numbers("betas", betas, 2, at_least=0, below=1)
    rho = number("rho", rho, at_least=0)
    weight_decay = number("weight_decay", weight_decay, at_least=0)
    bs = number("bs", bs, above=0)
    new_params, new_state = list(params), [dict(kept) for kept in state]
    work = to_step(params, grads, state, out)
    hessian = check_given("hessian", hessian, params, work, optional=True)
    keys = ("exp_avg", "hessian")
    states = begin(work, params, grads, state, keys, lambda theta_prev, g: _start(theta_prev))
    for _, theta_prev, g, kept, new, H in stretches(params, grads, states, new_params, new_state, out, hessian):
        has_H = H is not None
        m_prev = kept["exp_avg"]
        h_prev = kept["hessian"]
        if has_H:
            one_minus_beta2 = 1 - beta2
        one_minus_beta1 = 1 - beta1
        one_minus_lr_weight_decay = 1 - lr * weight_decay
        rho_bs = rho * bs
        # h[t] = Piecewise((beta2*h[t - 1] + (1 - beta2)*H[t], given(H)), (h[t - 1], True))
        if has_H:
            h = beta2 * h_prev + one_minus_beta2 * H
        else:
            h = h_prev
        # m[t] = beta1*m[t - 1] + (1 - beta1)*g[t]
        m = beta1 * m_prev + one_minus_beta1 * g
        # theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr*(sign(m[t])*Min(Abs(m[t])/(rho*bs*h[t] + 1.0e-15),
        #     1))
        theta = (
            theta_prev * one_minus_lr_weight_decay
            - lr * (np.sign(m) * np.minimum(np.abs(m) / (rho_bs * h + 1e-15), 1))
        )
        new["param"] = np.asarray(theta, theta_prev.dtype)
        new["exp_avg"] = np.asarray(m, theta_prev.dtype)
        new["hessian"] = np.array(h, theta_prev.dtype)
    if out:
        for i in work:
            params[i][...] = new_params[i]
            state[i].update(new_state[i])
    return (list(params), list(state)) if out else (new_params, new_state)


def _start(theta_prev: Array) -> State:
    """The states that this variant of the rule reads, at their first values."""
    kept: State = {}
    kept["exp_avg"] = np.zeros_like(theta_prev)
    kept["hessian"] = np.zeros_like(theta_prev)
    return kept
