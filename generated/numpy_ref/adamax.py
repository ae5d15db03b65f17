"""Adamax. Written by optgen 0.1.0 (format 1) from rules/adamax.py; do not edit.

    optgen build adamax --backend numpy

Kingma & Ba, Adam: A Method for Stochastic Optimization, ICLR 2015, https://arxiv.org/abs/1412.6980, Algorithm 2.
Numbers as torch.optim.Adamax.

    g_wd[t] = Piecewise((g[t] + weight_decay*theta[t - 1], Ne(weight_decay, 0)), (g[t], True))
    m[t] = beta1*m[t - 1] + (1 - beta1)*g_wd[t]
    u[t] = Max(beta2*u[t - 1], Abs(g_wd[t]) + eps)
    theta[t] = theta[t - 1] - lr/(1 - beta1**t)*(m[t]/u[t])
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
    lr: float = 0.002,
    betas: tuple[float, float] = (0.9, 0.999),
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
    lr: float = 0.002,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-08,
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
    keys = ("exp_avg", "exp_inf")
    states = begin(work, params, grads, state, keys, lambda theta_prev, g: _start(theta_prev))
    for i, theta_prev, g, kept, new in stretches(params, grads, states, new_params, new_state, out):
        t = steps[i]
        m_prev = kept["exp_avg"]
        u_prev = kept["exp_inf"]
        one_minus_beta1 = 1 - beta1
        lr_over_one_minus_beta1_t = lr / (1 - beta1**t)
        # g_wd[t] = Piecewise((g[t] + weight_decay*theta[t - 1], Ne(weight_decay, 0)), (g[t], True))
        if weight_decay != 0:
            g_wd = g + weight_decay * theta_prev
        else:
            g_wd = g
        # m[t] = beta1*m[t - 1] + (1 - beta1)*g_wd[t]
        m = beta1 * m_prev + one_minus_beta1 * g_wd
        # u[t] = Max(beta2*u[t - 1], Abs(g_wd[t]) + eps)
        u = np.maximum(beta2 * u_prev, np.abs(g_wd) + eps)
        # theta[t] = theta[t - 1] - lr/(1 - beta1**t)*(m[t]/u[t])
        theta = theta_prev - lr_over_one_minus_beta1_t * (m / u)
        new["param"] = np.asarray(theta, theta_prev.dtype)
        new["exp_avg"] = np.asarray(m, theta_prev.dtype)
        new["exp_inf"] = np.asarray(u, theta_prev.dtype)
    if out:
        for i in work:
            params[i][...] = new_params[i]
            state[i].update(new_state[i])
    return (list(params), list(state)) if out else (new_params, new_state)


def _start(theta_prev: Array) -> State:
    """The states that this variant of the rule reads, at their first values."""
    kept: State = {}
    kept["exp_avg"] = np.zeros_like(theta_prev)
    kept["exp_inf"] = np.zeros_like(theta_prev)
    return kept
