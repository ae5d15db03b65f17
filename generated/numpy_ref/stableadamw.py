"""StableAdamW. Written by optgen 0.1.0 (format 1) from rules/stableadamw.py; do not edit.

    optgen build stableadamw --backend numpy

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

from collections.abc import Sequence
from typing import Any

import numpy as np

from ._checks import check_state, counts, number, numbers, to_step

Array = np.ndarray[Any, np.dtype[np.floating[Any]]]  # float32 or float64; states have their parameter's dtype
State = dict[str, Any]


def init(
    params: Sequence[Array],
    *,
    lr: float = 0.001,
    betas: tuple[float, float] = (0.9, 0.99),
    eps: float = 1e-08,
    weight_decay: float = 0.01,
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
    betas: tuple[float, float] = (0.9, 0.99),
    eps: float = 1e-08,
    weight_decay: float = 0.01,
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
    for i in work:
        theta_prev = params[i]
        g = np.asarray(grads[i], theta_prev.dtype)
        kept = _start(theta_prev)
        check_state(i, state[i], kept, ("exp_avg", "exp_avg_sq"))
        kept |= state[i]
        t = steps[i]
        m_prev = kept["exp_avg"]
        v_prev = kept["exp_avg_sq"]
        h1 = beta1 * (1 - beta1**(t - 1)) / (1 - beta1**t)
        h2 = beta2 * (1 - beta2**(t - 1)) / (1 - beta2**t)
        one_minus_h1 = 1 - h1
        one_minus_h2 = 1 - h2
        rms_t_mean_scale = eps**2
        # m[t] = h1[t]*m[t - 1] + (1 - h1[t])*g[t]
        m = h1 * m_prev + one_minus_h1 * g
        # v[t] = h2[t]*v[t - 1] + (1 - h2[t])*g[t]**2
        v = h2 * v_prev + one_minus_h2 * (g * g)
        # rms_t[t] = sqrt(mean(g[t]**2/Max(v[t], eps**2), elems))
        rms_t_mean = np.mean(g * g / np.maximum(v, rms_t_mean_scale))
        rms_t = np.sqrt(rms_t_mean)
        # eta[t] = lr/Max(1, rms_t[t])
        eta = lr / np.maximum(1, rms_t)
        # theta[t] = theta[t - 1]*(1 - eta[t]*weight_decay) - eta[t]*(m[t]/(sqrt(v[t]) + eps))
        theta = theta_prev * (1 - eta * weight_decay) - eta * (m / (np.sqrt(v) + eps))
        new_params[i] = np.asarray(theta, theta_prev.dtype)
        kept["exp_avg"] = np.asarray(m, theta_prev.dtype)
        kept["exp_avg_sq"] = np.asarray(v, theta_prev.dtype)
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
    return kept
