"""NAdam. Written by optgen 0.1.0 (format 1) from rules/nadam.py; do not edit.

    optgen build nadam --backend numpy

Dozat, Incorporating Nesterov Momentum into Adam, ICLR Workshop 2016,
https://openreview.net/forum?id=OM0jvwB8jIp57ZJjtNEZ. Numbers as torch.optim.NAdam.

    theta_wd[t] = Piecewise((theta[t - 1]*(1 - lr*weight_decay), decoupled_weight_decay & Ne(weight_decay, 0)),
        (theta[t - 1], True))
    g_wd[t] = Piecewise((g[t] + weight_decay*theta[t - 1], ~decoupled_weight_decay & Ne(weight_decay, 0)), (g[t],
        True))
    mu[t] = beta1*(1 + (-0.5)*0.96**(t*momentum_decay))
    mu_next[t] = beta1*(1 + (-0.5)*0.96**((t + 1)*momentum_decay))
    P[t] = P[t - 1]*mu[t]
    m[t] = beta1*m[t - 1] + (1 - beta1)*g_wd[t]
    v[t] = beta2*v[t - 1] + (1 - beta2)*g_wd[t]**2
    D[t] = sqrt(v[t]/(1 - beta2**t)) + eps
    theta[t] = (theta_wd[t] - lr*(1 - mu[t])/(1 - P[t])*(g_wd[t]/D[t])) - lr*mu_next[t]/(1 -
        P[t]*mu_next[t])*(m[t]/D[t])
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
    momentum_decay: float = 0.004,
    decoupled_weight_decay: bool = False,
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
    momentum_decay: float = 0.004,
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
    momentum_decay = number("momentum_decay", momentum_decay, at_least=0)
    steps = counts(t, params)
    new_params, new_state = list(params), [dict(kept) for kept in state]
    work = to_step(params, grads, state, out)
    keys = ("mu_product", "exp_avg", "exp_avg_sq")
    states = begin(work, params, grads, state, keys, lambda theta_prev, g: _start(theta_prev))
    for i, theta_prev, g, kept, new in stretches(params, grads, states, new_params, new_state, out):
        t = steps[i]
        m_prev = kept["exp_avg"]
        v_prev = kept["exp_avg_sq"]
        P_prev = float(kept["mu_product"])
        if weight_decay != 0 and decoupled_weight_decay:
            one_minus_lr_weight_decay = 1 - lr * weight_decay
        mu = beta1 * (1 - 0.5 * 0.96**(t * momentum_decay))
        mu_next = beta1 * (1 - 0.5 * 0.96**((t + 1) * momentum_decay))
        P = P_prev * mu
        one_minus_beta1 = 1 - beta1
        one_minus_beta2 = 1 - beta2
        inv_one_minus_beta2_t = 1 / (1 - beta2**t)
        lr_one_minus_mu_over_one_minus_P = lr * (1 - mu) / (1 - P)
        theta_scale = lr * mu_next / (1 - P * mu_next)
        # theta_wd[t] = Piecewise((theta[t - 1]*(1 - lr*weight_decay), decoupled_weight_decay & Ne(weight_decay,
        #     0)), (theta[t - 1], True))
        if weight_decay != 0 and decoupled_weight_decay:
            theta_wd = theta_prev * one_minus_lr_weight_decay
        else:
            theta_wd = theta_prev
        # g_wd[t] = Piecewise((g[t] + weight_decay*theta[t - 1], ~decoupled_weight_decay & Ne(weight_decay, 0)),
        #     (g[t], True))
        if decoupled_weight_decay or weight_decay == 0:
            g_wd = g
        else:
            g_wd = g + weight_decay * theta_prev
        # m[t] = beta1*m[t - 1] + (1 - beta1)*g_wd[t]
        m = beta1 * m_prev + one_minus_beta1 * g_wd
        # v[t] = beta2*v[t - 1] + (1 - beta2)*g_wd[t]**2
        v = beta2 * v_prev + one_minus_beta2 * (g_wd * g_wd)
        # D[t] = sqrt(v[t]/(1 - beta2**t)) + eps
        D = np.sqrt(v * inv_one_minus_beta2_t) + eps
        # theta[t] = (theta_wd[t] - lr*(1 - mu[t])/(1 - P[t])*(g_wd[t]/D[t])) - lr*mu_next[t]/(1 -
        #     P[t]*mu_next[t])*(m[t]/D[t])
        theta = theta_wd - lr_one_minus_mu_over_one_minus_P * (g_wd / D) - theta_scale * (m / D)
        new["param"] = np.asarray(theta, theta_prev.dtype)
        new["exp_avg"] = np.asarray(m, theta_prev.dtype)
        new["exp_avg_sq"] = np.asarray(v, theta_prev.dtype)
        new["mu_product"] = P
    if out:
        for i in work:
            params[i][...] = new_params[i]
            state[i].update(new_state[i])
    return (list(params), list(state)) if out else (new_params, new_state)


def _start(theta_prev: Array) -> State:
    """The states that this variant of the rule reads, at their first values."""
    kept: State = {}
    kept["mu_product"] = float(1)
    kept["exp_avg"] = np.zeros_like(theta_prev)
    kept["exp_avg_sq"] = np.zeros_like(theta_prev)
    return kept
