"""AdaBound. Written by optgen 0.1.0 (format 1) from rules/adabound.py; do not edit.

    optgen build adabound --backend numpy

Luo, Xiong, Liu & Sun, Adaptive Gradient Methods with Dynamic Bound of Learning Rate, ICLR 2019,
https://arxiv.org/abs/1902.09843, Algorithm 2. Numbers as pytorch_optimizer.AdaBound, which adds 1e-15 to v; the
bounds follow the learning rate from its first value, which is kept.

    m[t] = beta1*m[t - 1] + (1 - beta1)*g[t]
    v[t] = beta2*v[t - 1] + (1 - beta2)*g[t]**2
    base[t] = Piecewise((base[t - 1], base[t - 1] > 0), (lr, True))
    last[t] = Piecewise((final_lr*lr/base[t], base[t] > 0), (0, True))
    eta[t] = Min(Max(lr*sqrt(1 - beta2**t)/(1 - beta1**t)/(sqrt(v[t] + 1.0e-15) + eps), last[t]*(1 - 1/(gamma*t +
        1))), last[t]*(1 + 1/(gamma*t)))
    theta[t] = theta[t - 1]*(1 - lr*weight_decay) - eta[t]*m[t]
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
    final_lr: float = 0.1,
    betas: tuple[float, float] = (0.9, 0.999),
    gamma: float = 0.001,
    weight_decay: float = 0,
    eps: float = 1e-08,
) -> list[State]:
    """The states before the first step, one dict for each parameter."""
    return [_start(theta_prev) for theta_prev in params]


def step(
    params: Sequence[Array],
    grads: Sequence[Array | None],
    state: Sequence[State],
    t: int | Sequence[int],
    *,
    lr: float = 0.001,
    final_lr: float = 0.1,
    betas: tuple[float, float] = (0.9, 0.999),
    gamma: float = 0.001,
    weight_decay: float = 0,
    eps: float = 1e-08,
    out: bool = False,
) -> tuple[list[Array], list[State]]:
    """New parameters and states after step t: 1 for the first, one count for all parameters or one for each.

    A parameter whose gradient is None stays as it is. With out=True the arrays and dicts given are overwritten.
    Raises ValueError, before anything changes, for what cannot be stepped.
    """
    lr = number("lr", lr, at_least=0)
    final_lr = number("final_lr", final_lr, at_least=0)
    beta1, beta2 = numbers("betas", betas, 2, at_least=0, below=1)
    gamma = number("gamma", gamma, above=0)
    weight_decay = number("weight_decay", weight_decay, at_least=0)
    eps = number("eps", eps, at_least=0)
    steps = counts(t, params)
    new_params, new_state = list(params), [dict(kept) for kept in state]
    work = to_step(params, grads, state, out)
    keys = ("exp_avg", "exp_avg_sq", "base_lr")
    states = begin(work, params, grads, state, keys, lambda theta_prev, g: _start(theta_prev))
    for i, theta_prev, g, kept, new in stretches(params, grads, states, new_params, new_state, out):
        t = steps[i]
        m_prev = kept["exp_avg"]
        v_prev = kept["exp_avg_sq"]
        base_prev = float(kept["base_lr"])
        one_minus_beta1 = 1 - beta1
        one_minus_beta2 = 1 - beta2
        base = base_prev if base_prev > 0 else lr
        last = final_lr * lr / base if base > 0 else 0
        eta_scale = lr * math.sqrt(1 - beta2**t) / (1 - beta1**t)
        eta_scale2 = last * (1 - 1 / (gamma * t + 1))
        last_one_plus_inv_gamma_t = last * (1 + 1 / (gamma * t))
        one_minus_lr_weight_decay = 1 - lr * weight_decay
        # m[t] = beta1*m[t - 1] + (1 - beta1)*g[t]
        m = beta1 * m_prev + one_minus_beta1 * g
        # v[t] = beta2*v[t - 1] + (1 - beta2)*g[t]**2
        v = beta2 * v_prev + one_minus_beta2 * (g * g)
        # eta[t] = Min(Max(lr*sqrt(1 - beta2**t)/(1 - beta1**t)/(sqrt(v[t] + 1.0e-15) + eps), last[t]*(1 -
        #     1/(gamma*t + 1))), last[t]*(1 + 1/(gamma*t)))
        eta = np.minimum(np.maximum(eta_scale / (np.sqrt(v + 1e-15) + eps), eta_scale2), last_one_plus_inv_gamma_t)
        # theta[t] = theta[t - 1]*(1 - lr*weight_decay) - eta[t]*m[t]
        theta = theta_prev * one_minus_lr_weight_decay - eta * m
        new["param"] = np.asarray(theta, theta_prev.dtype)
        new["exp_avg"] = np.asarray(m, theta_prev.dtype)
        new["exp_avg_sq"] = np.asarray(v, theta_prev.dtype)
        new["base_lr"] = base
    if out:
        for i in work:
            params[i][...] = new_params[i]
            state[i].update(new_state[i])
    return (list(params), list(state)) if out else (new_params, new_state)


def _start(theta_prev: Array) -> State:
    """The states that this variant of the rule reads, at their first values."""
    kept: State = {}
    kept["exp_avg"] = np.zeros_like(theta_prev)
    kept["exp_avg_sq"] = np.zeros_like(theta_prev)
    kept["base_lr"] = float(0)
    return kept
