"""ADOPT. Written by optgen 0.1.0 (format 1) from rules/adopt.py; do not edit.

    optgen build adopt --backend numpy

Taniguchi, Harada, Minegishi, Oshima, Jeong, Nagahara, Iiyama, Suzuki, Iwasawa & Matsuo, ADOPT: Modified Adam Can
Converge with Any beta2 with the Optimal Rate, NeurIPS 2024, https://arxiv.org/abs/2411.02853, Algorithm 2. Numbers
as timm.optim.Adopt(clip_exp=0.25).

    theta_wd[t] = Piecewise((theta[t - 1]*(1 - lr*weight_decay), decoupled & Ne(weight_decay, 0)), (theta[t - 1],
        True))
    g_wd[t] = Piecewise((g[t] + weight_decay*theta[t - 1], ~decoupled & Ne(weight_decay, 0)), (g[t], True))
    c[t] = (t - 1)**0.25
    n[t] = Min(Max(g_wd[t]/Max(sqrt(v[t - 1]), eps), -c[t]), c[t])
    m[t] = Piecewise((m[t - 1], Eq(t, 1)), (beta1*m[t - 1] + (1 - beta1)*n[t], True))
    v[t] = Piecewise((g_wd[t]**2, Eq(t, 1)), (beta2*v[t - 1] + (1 - beta2)*g_wd[t]**2, True))
    theta[t] = Piecewise((theta[t - 1], Eq(t, 1)), (theta_wd[t] - lr*m[t], True))
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
    betas: tuple[float, float] = (0.9, 0.9999),
    eps: float = 1e-06,
    weight_decay: float = 0,
    decoupled: bool = False,
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
    betas: tuple[float, float] = (0.9, 0.9999),
    eps: float = 1e-06,
    weight_decay: float = 0,
    decoupled: bool = False,
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
    keys = ("exp_avg", "exp_avg_sq")
    states = begin(work, params, grads, state, keys, lambda theta_prev, g: _start(theta_prev))
    for i, theta_prev, g, kept, new in stretches(params, grads, states, new_params, new_state, out):
        t = steps[i]
        m_prev = kept["exp_avg"]
        v_prev = kept["exp_avg_sq"]
        if weight_decay != 0 and decoupled:
            one_minus_lr_weight_decay = 1 - lr * weight_decay
        c = (t - 1)**0.25
        n_scale = -c
        t_eq_one = t == 1
        one_minus_beta1 = 1 - beta1
        one_minus_beta2 = 1 - beta2
        # theta_wd[t] = Piecewise((theta[t - 1]*(1 - lr*weight_decay), decoupled & Ne(weight_decay, 0)),
        #     (theta[t - 1], True))
        if weight_decay != 0 and decoupled:
            theta_wd = theta_prev * one_minus_lr_weight_decay
        else:
            theta_wd = theta_prev
        # g_wd[t] = Piecewise((g[t] + weight_decay*theta[t - 1], ~decoupled & Ne(weight_decay, 0)), (g[t],
        #     True))
        if decoupled or weight_decay == 0:
            g_wd = g
        else:
            g_wd = g + weight_decay * theta_prev
        # n[t] = Min(Max(g_wd[t]/Max(sqrt(v[t - 1]), eps), -c[t]), c[t])
        n = np.minimum(np.maximum(g_wd / np.maximum(np.sqrt(v_prev), eps), n_scale), c)
        # m[t] = Piecewise((m[t - 1], Eq(t, 1)), (beta1*m[t - 1] + (1 - beta1)*n[t], True))
        m = m_prev if t_eq_one else beta1 * m_prev + one_minus_beta1 * n
        # v[t] = Piecewise((g_wd[t]**2, Eq(t, 1)), (beta2*v[t - 1] + (1 - beta2)*g_wd[t]**2, True))
        v = g_wd * g_wd if t_eq_one else beta2 * v_prev + one_minus_beta2 * (g_wd * g_wd)
        # theta[t] = Piecewise((theta[t - 1], Eq(t, 1)), (theta_wd[t] - lr*m[t], True))
        theta = theta_prev if t_eq_one else theta_wd - lr * m
        new["param"] = np.array(theta, theta_prev.dtype)
        new["exp_avg"] = np.array(m, theta_prev.dtype)
        new["exp_avg_sq"] = np.asarray(v, theta_prev.dtype)
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
