"""AdEMAMix. Written by optgen 0.1.0 (format 1) from rules/ademamix.py; do not edit.

    optgen build ademamix --backend numpy

Pagliardini, Ablin & Grangier, The AdEMAMix Optimizer: Better, Faster, Older, ICLR 2025,
https://arxiv.org/abs/2409.03137, Algorithm 1. Numbers as pytorch_optimizer.AdEMAMix(weight_decouple=True).

    A[t] = Piecewise((Min(t*alpha/t_alpha_beta3, alpha), t_alpha_beta3 > 0), (alpha, True))
    B[t] = Piecewise((Min(exp(log(beta1)*log(beta3)/((1 - t/t_alpha_beta3)*log(beta3) +
        t/t_alpha_beta3*log(beta1))), beta3), t_alpha_beta3 > 0), (beta3, True))
    m[t] = beta1*m[t - 1] + (1 - beta1)*g[t]
    v[t] = beta2*v[t - 1] + (1 - beta2)*g[t]**2
    m_slow[t] = B[t]*m_slow[t - 1] + (1 - B[t])*g[t]
    theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr*((m[t]/(1 - beta1**t) + A[t]*m_slow[t])/(sqrt(v[t])/sqrt(1 -
        beta2**t) + eps))
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
    betas: tuple[float, float, float] = (0.9, 0.999, 0.9999),
    alpha: float = 5.0,
    t_alpha_beta3: float = 0,
    eps: float = 1e-08,
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
    lr: float = 0.001,
    betas: tuple[float, float, float] = (0.9, 0.999, 0.9999),
    alpha: float = 5.0,
    t_alpha_beta3: float = 0,
    eps: float = 1e-08,
    weight_decay: float = 0,
    out: bool = False,
) -> tuple[list[Array], list[State]]:
    """New parameters and states after step t: 1 for the first, one count for all parameters or one for each.

    A parameter whose gradient is None stays as it is. With out=True the arrays and dicts given are overwritten.
    Raises ValueError, before anything changes, for what cannot be stepped.
    """
    lr = number("lr", lr, at_least=0)
    beta1, beta2, beta3 = numbers("betas", betas, 3, at_least=0, below=1)
    alpha = number("alpha", alpha, at_least=0)
    t_alpha_beta3 = number("t_alpha_beta3", t_alpha_beta3, at_least=0)
    eps = number("eps", eps, at_least=0)
    weight_decay = number("weight_decay", weight_decay, at_least=0)
    steps = counts(t, params)
    new_params, new_state = list(params), [dict(kept) for kept in state]
    work = to_step(params, grads, state, out)
    keys = ("exp_avg", "exp_avg_sq", "exp_avg_slow")
    states = begin(work, params, grads, state, keys, lambda theta_prev, g: _start(theta_prev))
    for i, theta_prev, g, kept, new in stretches(params, grads, states, new_params, new_state, out):
        t = steps[i]
        m_prev = kept["exp_avg"]
        v_prev = kept["exp_avg_sq"]
        m_slow_prev = kept["exp_avg_slow"]
        if t_alpha_beta3 > 0:
            A = min(t * alpha / t_alpha_beta3, alpha)
            B = min(
                math.exp(math.log(beta1) * math.log(beta3) / ((1 - t / t_alpha_beta3) * math.log(beta3) + t /
                t_alpha_beta3 * math.log(beta1))), beta3
            )
        else:
            A = alpha
            B = beta3
        one_minus_beta1 = 1 - beta1
        one_minus_beta2 = 1 - beta2
        one_minus_B = 1 - B
        one_minus_lr_weight_decay = 1 - lr * weight_decay
        inv_one_minus_beta1_t = 1 / (1 - beta1**t)
        inv_sqrt_one_minus_beta2_t = 1 / math.sqrt(1 - beta2**t)
        # m[t] = beta1*m[t - 1] + (1 - beta1)*g[t]
        m = beta1 * m_prev + one_minus_beta1 * g
        # v[t] = beta2*v[t - 1] + (1 - beta2)*g[t]**2
        v = beta2 * v_prev + one_minus_beta2 * (g * g)
        # m_slow[t] = B[t]*m_slow[t - 1] + (1 - B[t])*g[t]
        m_slow = B * m_slow_prev + one_minus_B * g
        # theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr*((m[t]/(1 - beta1**t) +
        #     A[t]*m_slow[t])/(sqrt(v[t])/sqrt(1 - beta2**t) + eps))
        theta = (
            theta_prev * one_minus_lr_weight_decay
            - lr * ((m * inv_one_minus_beta1_t + A * m_slow) / (np.sqrt(v) * inv_sqrt_one_minus_beta2_t + eps))
        )
        new["param"] = np.asarray(theta, theta_prev.dtype)
        new["exp_avg"] = np.asarray(m, theta_prev.dtype)
        new["exp_avg_sq"] = np.asarray(v, theta_prev.dtype)
        new["exp_avg_slow"] = np.asarray(m_slow, theta_prev.dtype)
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
    kept["exp_avg_slow"] = np.zeros_like(theta_prev)
    return kept
