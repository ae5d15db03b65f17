"""LaProp. Written by optgen 0.1.0 (format 1) from rules/laprop.py; do not edit.

    optgen build laprop --backend numpy

Ziyin, Wang & Ueda, LaProp: Separating Momentum and Adaptivity in Adam, 2020, https://arxiv.org/abs/2002.04839,
Algorithm 1. Numbers as timm.optim.LaProp: the learning rate is inside the momentum, and weight decay follows the
step.

    v[t] = beta2*v[t - 1] + (1 - beta2)*g[t]**2
    eta[t] = beta1*eta[t - 1] + (1 - beta1)*lr
    k[t] = Piecewise((lr/eta[t], Ne(eta[t], 0)), (0, True))
    m[t] = beta1*m[t - 1] + lr*(1 - beta1)*(g[t]/(sqrt(v[t]/(1 - beta2**t)) + eps))
    theta_new[t] = theta[t - 1] - k[t]*m[t]
    theta[t] = theta_new[t]*(1 - lr*weight_decay)
"""

from __future__ import annotations

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
    lr: float = 0.0004,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-15,
    weight_decay: float = 0,
) -> list[State]:
    """The states before the first step, one dict for each parameter."""
    return [_start(theta_prev) for theta_prev in params]


def step(
    params: Sequence[Array],
    grads: Sequence[Array | None],
    state: Sequence[State],
    t: int | Sequence[int],
    *,
    lr: float = 0.0004,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-15,
    weight_decay: float = 0,
    out: bool = False,
) -> tuple[list[Array], list[State]]:
    """New parameters and states after step t: 1 for the first, one count for all parameters or one for each.

    A parameter whose gradient is None stays as it is. With out=True the arrays and dicts given are overwritten.
    Raises ValueError, before anything changes, for what cannot be stepped.
    """
    lr = number("lr", lr, at_least=0)
    beta1, beta2 = numbers("betas", betas, 2, at_least=0, below=1)
    eps = number("eps", eps, at_least=0)
    weight_decay = number("weight_decay", weight_decay, at_least=0)
    steps = counts(t, params)
    new_params, new_state = list(params), [dict(kept) for kept in state]
    work = to_step(params, grads, state, out)
    keys = ("exp_avg", "exp_avg_lr_1", "exp_avg_sq")
    states = begin(work, params, grads, state, keys, lambda theta_prev, g: _start(theta_prev))
    for i, theta_prev, g, kept, new in stretches(params, grads, states, new_params, new_state, out):
        t = steps[i]
        m_prev = kept["exp_avg"]
        v_prev = kept["exp_avg_sq"]
        eta_prev = float(kept["exp_avg_lr_1"])
        one_minus_beta2 = 1 - beta2
        eta = beta1 * eta_prev + (1 - beta1) * lr
        k = lr / eta if eta != 0 else 0
        lr_one_minus_beta1 = lr * (1 - beta1)
        inv_one_minus_beta2_t = 1 / (1 - beta2**t)
        one_minus_lr_weight_decay = 1 - lr * weight_decay
        # v[t] = beta2*v[t - 1] + (1 - beta2)*g[t]**2
        v = beta2 * v_prev + one_minus_beta2 * (g * g)
        # m[t] = beta1*m[t - 1] + lr*(1 - beta1)*(g[t]/(sqrt(v[t]/(1 - beta2**t)) + eps))
        m = beta1 * m_prev + lr_one_minus_beta1 * (g / (np.sqrt(v * inv_one_minus_beta2_t) + eps))
        # theta_new[t] = theta[t - 1] - k[t]*m[t]
        theta_new = theta_prev - k * m
        # theta[t] = theta_new[t]*(1 - lr*weight_decay)
        theta = theta_new * one_minus_lr_weight_decay
        new["param"] = np.asarray(theta, theta_prev.dtype)
        new["exp_avg"] = np.asarray(m, theta_prev.dtype)
        new["exp_avg_sq"] = np.asarray(v, theta_prev.dtype)
        new["exp_avg_lr_1"] = eta
    if out:
        for i in work:
            params[i][...] = new_params[i]
            state[i].update(new_state[i])
    return (list(params), list(state)) if out else (new_params, new_state)


def _start(theta_prev: Array) -> State:
    """The states that this variant of the rule reads, at their first values."""
    kept: State = {}
    kept["exp_avg"] = np.zeros_like(theta_prev)
    kept["exp_avg_lr_1"] = float(0)
    kept["exp_avg_sq"] = np.zeros_like(theta_prev)
    return kept
