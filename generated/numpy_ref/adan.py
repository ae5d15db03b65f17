"""Adan. Written by optgen 0.1.0 (format 1) from rules/adan.py; do not edit.

    optgen build adan --backend numpy

Xie, Zhou, Li, Lin & Yan, Adan: Adaptive Nesterov Momentum Algorithm for Faster Optimizing Deep Models, TPAMI 2024,
https://arxiv.org/abs/2208.06677, Algorithm 1. Numbers as timm.optim.Adan.

    change[t] = g[t] - g[t - 1]
    m[t] = beta1*m[t - 1] + (1 - beta1)*g[t]
    d[t] = beta2*d[t - 1] + (1 - beta2)*change[t]
    n[t] = beta3*n[t - 1] + (1 - beta3)*(g[t] + beta2*change[t])**2
    D[t] = sqrt(n[t])/sqrt(1 - beta3**t) + eps
    u[t] = lr/(1 - beta1**t)*(m[t]/D[t]) + lr*beta2/(1 - beta2**t)*(d[t]/D[t])
    theta[t] = Piecewise((theta[t - 1]*(1 - lr*weight_decay) - u[t], no_prox), ((theta[t - 1] - u[t])/(1 +
        lr*weight_decay), True))
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ._checks import counts, number, numbers, to_step
from ._stretches import begin, stretches

Array = np.ndarray[Any, np.dtype[np.floating[Any]]]  # float32 or float64; states have their parameter's dtype
State = dict[str, Any]


def init(
    params: Sequence[Array],
    *,
    lr: float = 0.001,
    betas: tuple[float, float, float] = (0.98, 0.92, 0.99),
    eps: float = 1e-08,
    weight_decay: float = 0,
    no_prox: bool = False,
) -> list[State]:
    """The states before the first step, one dict for each parameter."""
    return [{} for _ in params]


def step(
    params: Sequence[Array],
    grads: Sequence[Array | None],
    state: Sequence[State],
    t: int | Sequence[int],
    *,
    lr: float = 0.001,
    betas: tuple[float, float, float] = (0.98, 0.92, 0.99),
    eps: float = 1e-08,
    weight_decay: float = 0,
    no_prox: bool = False,
    out: bool = False,
) -> tuple[list[Array], list[State]]:
    """New parameters and states after step t: 1 for the first, one count for all parameters or one for each.

    A parameter whose gradient is None stays as it is. With out=True the arrays and dicts given are overwritten.
    Raises ValueError, before anything changes, for what cannot be stepped.
    """
    lr = number("lr", lr, at_least=0)
    beta1, beta2, beta3 = numbers("betas", betas, 3, at_least=0, below=1)
    eps = number("eps", eps, at_least=0)
    weight_decay = number("weight_decay", weight_decay, at_least=0)
    steps = counts(t, params)
    new_params, new_state = list(params), [dict(kept) for kept in state]
    work = to_step(params, grads, state, out)
    keys = ("exp_avg", "exp_avg_diff", "exp_avg_sq", "previous_grad")
    states = begin(work, params, grads, state, keys, lambda theta_prev, g: _start(theta_prev, g))
    for i, theta_prev, g, kept, new in stretches(params, grads, states, new_params, new_state, out):
        t = steps[i]
        m_prev = kept["exp_avg"]
        d_prev = kept["exp_avg_diff"]
        n_prev = kept["exp_avg_sq"]
        g_prev = kept["previous_grad"]
        one_minus_beta1 = 1 - beta1
        one_minus_beta2 = 1 - beta2
        one_minus_beta3 = 1 - beta3
        inv_sqrt_one_minus_beta3_t = 1 / math.sqrt(1 - beta3**t)
        lr_over_one_minus_beta1_t = lr / (1 - beta1**t)
        lr_beta2_over_one_minus_beta2_t = lr * beta2 / (1 - beta2**t)
        if no_prox:
            one_minus_lr_weight_decay = 1 - lr * weight_decay
        else:
            inv_one_plus_lr_weight_decay = 1 / (1 + lr * weight_decay)
        # change[t] = g[t] - g[t - 1]
        change = g - g_prev
        # m[t] = beta1*m[t - 1] + (1 - beta1)*g[t]
        m = beta1 * m_prev + one_minus_beta1 * g
        # d[t] = beta2*d[t - 1] + (1 - beta2)*change[t]
        d = beta2 * d_prev + one_minus_beta2 * change
        # n[t] = beta3*n[t - 1] + (1 - beta3)*(g[t] + beta2*change[t])**2
        n_base = g + beta2 * change
        n = beta3 * n_prev + one_minus_beta3 * (n_base * n_base)
        # D[t] = sqrt(n[t])/sqrt(1 - beta3**t) + eps
        D = np.sqrt(n) * inv_sqrt_one_minus_beta3_t + eps
        # u[t] = lr/(1 - beta1**t)*(m[t]/D[t]) + lr*beta2/(1 - beta2**t)*(d[t]/D[t])
        u = lr_over_one_minus_beta1_t * (m / D) + lr_beta2_over_one_minus_beta2_t * (d / D)
        # theta[t] = Piecewise((theta[t - 1]*(1 - lr*weight_decay) - u[t], no_prox), ((theta[t - 1] - u[t])/(1 +
        #     lr*weight_decay), True))
        if no_prox:
            theta = theta_prev * one_minus_lr_weight_decay - u
        else:
            theta = (theta_prev - u) * inv_one_plus_lr_weight_decay
        new["param"] = np.asarray(theta, theta_prev.dtype)
        new["exp_avg"] = np.asarray(m, theta_prev.dtype)
        new["exp_avg_diff"] = np.asarray(d, theta_prev.dtype)
        new["exp_avg_sq"] = np.asarray(n, theta_prev.dtype)
        new["previous_grad"] = np.array(g, theta_prev.dtype)
    if out:
        for i in work:
            params[i][...] = new_params[i]
            state[i].update(new_state[i])
    return (list(params), list(state)) if out else (new_params, new_state)


def _start(theta_prev: Array, g: Array) -> State:
    """The states that this variant of the rule reads, at their first values."""
    kept: State = {}
    kept["exp_avg"] = np.zeros_like(theta_prev)
    kept["exp_avg_diff"] = np.zeros_like(theta_prev)
    kept["exp_avg_sq"] = np.zeros_like(theta_prev)
    kept["previous_grad"] = g.copy()
    return kept
