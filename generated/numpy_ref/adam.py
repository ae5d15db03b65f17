"""Adam. Written by optgen 0.1.0 (format 1) from rules/adam.py; do not edit.

    optgen build adam --backend numpy

Kingma & Ba, Adam: A Method for Stochastic Optimization, ICLR 2015. https://arxiv.org/abs/1412.6980, Algorithm 1;
amsgrad: Reddi, Kale & Kumar, On the Convergence of Adam and Beyond, ICLR 2018, https://arxiv.org/abs/1904.09237.
Numbers as torch.optim.Adam.

    g_wd[t] = Piecewise((g[t] + weight_decay*theta[t - 1], ~decoupled_weight_decay & Ne(weight_decay, 0)), (g[t],
        True))
    theta_wd[t] = Piecewise((theta[t - 1]*(1 - lr*weight_decay), decoupled_weight_decay), (theta[t - 1], True))
    m[t] = beta1*m[t - 1] + (1 - beta1)*g_wd[t]
    v[t] = beta2*v[t - 1] + (1 - beta2)*g_wd[t]**2
    v_max[t] = Max(v_max[t - 1], v[t])
    m_hat[t] = m[t]/(1 - beta1**t)
    v_hat[t] = Piecewise((v_max[t], amsgrad), (v[t], True))/(1 - beta2**t)
    theta[t] = theta_wd[t] - lr*m_hat[t]/(sqrt(v_hat[t]) + eps)
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
    lr: float = 0.001,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-08,
    weight_decay: float = 0,
    amsgrad: bool = False,
    decoupled_weight_decay: bool = False,
) -> list[State]:
    """The states before the first step, one dict for each parameter."""
    return [_start(theta_prev, amsgrad) for theta_prev in params]


def step(
    params: Sequence[Array],
    grads: Sequence[Array | None],
    state: Sequence[State],
    t: int | Sequence[int],
    *,
    lr: float = 0.001,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-08,
    weight_decay: float = 0,
    amsgrad: bool = False,
    decoupled_weight_decay: bool = False,
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
    keys = ("exp_avg", "exp_avg_sq", "max_exp_avg_sq")
    states = begin(work, params, grads, state, keys, lambda theta_prev, g: _start(theta_prev, amsgrad))
    for i, theta_prev, g, kept, new in stretches(params, grads, states, new_params, new_state, out):
        t = steps[i]
        m_prev = kept["exp_avg"]
        v_prev = kept["exp_avg_sq"]
        if amsgrad:
            v_max_prev = kept["max_exp_avg_sq"]
        if decoupled_weight_decay:
            one_minus_lr_weight_decay = 1 - lr * weight_decay
        one_minus_beta1 = 1 - beta1
        one_minus_beta2 = 1 - beta2
        inv_one_minus_beta1_t = 1 / (1 - beta1**t)
        inv_one_minus_beta2_t = 1 / (1 - beta2**t)
        # g_wd[t] = Piecewise((g[t] + weight_decay*theta[t - 1], ~decoupled_weight_decay & Ne(weight_decay, 0)),
        #     (g[t], True))
        if decoupled_weight_decay or weight_decay == 0:
            g_wd = g
        else:
            g_wd = g + weight_decay * theta_prev
        # theta_wd[t] = Piecewise((theta[t - 1]*(1 - lr*weight_decay), decoupled_weight_decay), (theta[t - 1],
        #     True))
        if decoupled_weight_decay:
            theta_wd = theta_prev * one_minus_lr_weight_decay
        else:
            theta_wd = theta_prev
        # m[t] = beta1*m[t - 1] + (1 - beta1)*g_wd[t]
        m = beta1 * m_prev + one_minus_beta1 * g_wd
        # v[t] = beta2*v[t - 1] + (1 - beta2)*g_wd[t]**2
        v = beta2 * v_prev + one_minus_beta2 * (g_wd * g_wd)
        if amsgrad:
            # v_max[t] = Max(v_max[t - 1], v[t])
            v_max = np.maximum(v_max_prev, v)
        # m_hat[t] = m[t]/(1 - beta1**t)
        m_hat = m * inv_one_minus_beta1_t
        # v_hat[t] = Piecewise((v_max[t], amsgrad), (v[t], True))/(1 - beta2**t)
        if amsgrad:
            v_hat = v_max * inv_one_minus_beta2_t
        else:
            v_hat = v * inv_one_minus_beta2_t
        # theta[t] = theta_wd[t] - lr*m_hat[t]/(sqrt(v_hat[t]) + eps)
        theta = theta_wd - lr * m_hat / (np.sqrt(v_hat) + eps)
        new["param"] = np.asarray(theta, theta_prev.dtype)
        new["exp_avg"] = np.asarray(m, theta_prev.dtype)
        new["exp_avg_sq"] = np.asarray(v, theta_prev.dtype)
        if amsgrad:
            new["max_exp_avg_sq"] = np.asarray(v_max, theta_prev.dtype)
    if out:
        for i in work:
            params[i][...] = new_params[i]
            state[i].update(new_state[i])
    return (list(params), list(state)) if out else (new_params, new_state)


def _start(theta_prev: Array, amsgrad: bool) -> State:
    """The states that this variant of the rule reads, at their first values."""
    kept: State = {}
    kept["exp_avg"] = np.zeros_like(theta_prev)
    kept["exp_avg_sq"] = np.zeros_like(theta_prev)
    if amsgrad:
        kept["max_exp_avg_sq"] = np.zeros_like(theta_prev)
    return kept
