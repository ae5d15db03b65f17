"""MARS. Written by optgen 0.1.0 (format 1) from rules/mars.py; do not edit.

    optgen build mars --backend numpy

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

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ._checks import check_state, counts, number, numbers, to_step

Array = np.ndarray[Any, np.dtype[np.floating[Any]]]  # float32 or float64; states have their parameter's dtype
State = dict[str, Any]


def init(
    params: Sequence[Array],
    *,
    lr: float = 0.003,
    betas: tuple[float, float] = (0.9, 0.99),
    eps: float = 1e-08,
    weight_decay: float = 0,
    gamma: float = 0.025,
) -> list[State]:
    """The states before the first step, one dict for each parameter."""
    return [_start(theta_prev) for theta_prev in params]


def step(
    params: Sequence[Array],
    grads: Sequence[Array | None],
    state: Sequence[State],
    t: int | Sequence[int],
    *,
    lr: float = 0.003,
    betas: tuple[float, float] = (0.9, 0.99),
    eps: float = 1e-08,
    weight_decay: float = 0,
    gamma: float = 0.025,
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
    gamma = number("gamma", gamma)
    steps = counts(t, params)
    new_params, new_state = list(params), [dict(kept) for kept in state]
    work = to_step(params, grads, state, out)
    for i in work:
        theta_prev = params[i]
        g = np.asarray(grads[i], theta_prev.dtype)
        kept = _start(theta_prev)
        check_state(i, state[i], kept, ("exp_avg", "exp_avg_sq", "last_grad"))
        kept |= state[i]
        t = steps[i]
        m_prev = kept["exp_avg"]
        v_prev = kept["exp_avg_sq"]
        g_old_prev = kept["last_grad"]
        t_eq_one = t == 1
        gamma_beta1_over_one_minus_beta1 = gamma * (beta1 / (1 - beta1)) if not t_eq_one else 0
        one_minus_beta1 = 1 - beta1
        one_minus_beta2 = 1 - beta2
        inv_one_minus_beta1_t = 1 / (1 - beta1**t)
        inv_sqrt_one_minus_beta2_t = 1 / math.sqrt(1 - beta2**t)
        # c[t] = Piecewise((g[t], Eq(t, 1)), (g[t] + gamma*(beta1/(1 - beta1))*(g[t] - g_old[t - 1]), True))
        c = g if t_eq_one else g + gamma_beta1_over_one_minus_beta1 * (g - g_old_prev)
        # c_clip[t] = c[t]/Max(norm(c[t], elems), 1)
        c_sq_sum = np.sum(c * c)
        c_clip = c / np.maximum(np.sqrt(c_sq_sum), 1)
        # m[t] = beta1*m[t - 1] + (1 - beta1)*c_clip[t]
        m = beta1 * m_prev + one_minus_beta1 * c_clip
        # v[t] = beta2*v[t - 1] + (1 - beta2)*c_clip[t]**2
        v = beta2 * v_prev + one_minus_beta2 * (c_clip * c_clip)
        # g_old[t] = g[t]
        g_old = g
        # theta[t] = theta[t - 1] - lr*(m[t]/(1 - beta1**t)/(sqrt(v[t])/sqrt(1 - beta2**t) + eps) +
        #     weight_decay*theta[t - 1])
        theta = theta_prev - lr * (
            m * inv_one_minus_beta1_t / (np.sqrt(v) * inv_sqrt_one_minus_beta2_t + eps) + weight_decay * theta_prev
        )
        new_params[i] = np.asarray(theta, theta_prev.dtype)
        kept["exp_avg"] = np.asarray(m, theta_prev.dtype)
        kept["exp_avg_sq"] = np.asarray(v, theta_prev.dtype)
        kept["last_grad"] = np.array(g_old, theta_prev.dtype)
        new_state[i] = kept
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
    kept["last_grad"] = np.zeros_like(theta_prev)
    return kept
