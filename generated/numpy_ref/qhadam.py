"""QHAdam. Written by optgen 0.1.0 (format 1) from rules/qhadam.py; do not edit.

    optgen build qhadam --backend numpy

Ma & Yarats, Quasi-hyperbolic momentum and Adam for deep learning, ICLR 2019, https://arxiv.org/abs/1810.06801,
equations 17 to 20. Numbers as pytorch_optimizer.QHAdam with weight_decouple=True.

    w1[t] = beta1*w1[t - 1] + 1
    w2[t] = beta2*w2[t - 1] + 1
    m[t] = m[t - 1] + (g[t] - m[t - 1])/w1[t]
    v[t] = v[t - 1] + (g[t]**2 - v[t - 1])/w2[t]
    u[t] = nu1*m[t] + (1 - nu1)*g[t]
    s[t] = nu2*v[t] + (1 - nu2)*g[t]**2
    theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr*(u[t]/(sqrt(s[t]) + eps))
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ._checks import number, numbers, to_step
from ._stretches import begin, stretches

Array = np.ndarray[Any, np.dtype[np.floating[Any]]]  # float32 or float64; states have their parameter's dtype
State = dict[str, Any]


def init(
    params: Sequence[Array],
    *,
    lr: float = 0.001,
    betas: tuple[float, float] = (0.9, 0.999),
    nus: tuple[float, float] = (1.0, 1.0),
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
    betas: tuple[float, float] = (0.9, 0.999),
    nus: tuple[float, float] = (1.0, 1.0),
    weight_decay: float = 0,
    eps: float = 1e-08,
    out: bool = False,
) -> tuple[list[Array], list[State]]:
    """New parameters and states after step t: 1 for the first, one count for all parameters or one for each.

    A parameter whose gradient is None stays as it is. With out=True the arrays and dicts given are overwritten.
    Raises ValueError, before anything changes, for what cannot be stepped.
    """
    lr = number("lr", lr, at_least=0)
    beta1, beta2 = numbers("betas", betas, 2, at_least=0, below=1)
    nu1, nu2 = numbers("nus", nus, 2, at_least=0, at_most=1)
    weight_decay = number("weight_decay", weight_decay, at_least=0)
    eps = number("eps", eps, at_least=0)
    new_params, new_state = list(params), [dict(kept) for kept in state]
    work = to_step(params, grads, state, out)
    keys = ("beta1_weight", "beta2_weight", "exp_avg", "exp_avg_sq")
    states = begin(work, params, grads, state, keys, lambda theta_prev, g: _start(theta_prev))
    for _, theta_prev, g, kept, new in stretches(params, grads, states, new_params, new_state, out):
        m_prev = kept["exp_avg"]
        v_prev = kept["exp_avg_sq"]
        w1_prev = float(kept["beta1_weight"])
        w2_prev = float(kept["beta2_weight"])
        w1 = beta1 * w1_prev + 1
        w2 = beta2 * w2_prev + 1
        inv_w1 = 1 / w1
        inv_w2 = 1 / w2
        one_minus_nu1 = 1 - nu1
        one_minus_nu2 = 1 - nu2
        one_minus_lr_weight_decay = 1 - lr * weight_decay
        # m[t] = m[t - 1] + (g[t] - m[t - 1])/w1[t]
        m = m_prev + (g - m_prev) * inv_w1
        # v[t] = v[t - 1] + (g[t]**2 - v[t - 1])/w2[t]
        v = v_prev + (g * g - v_prev) * inv_w2
        # u[t] = nu1*m[t] + (1 - nu1)*g[t]
        u = nu1 * m + one_minus_nu1 * g
        # s[t] = nu2*v[t] + (1 - nu2)*g[t]**2
        s = nu2 * v + one_minus_nu2 * (g * g)
        # theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr*(u[t]/(sqrt(s[t]) + eps))
        theta = theta_prev * one_minus_lr_weight_decay - lr * (u / (np.sqrt(s) + eps))
        new["param"] = np.asarray(theta, theta_prev.dtype)
        new["exp_avg"] = np.asarray(m, theta_prev.dtype)
        new["exp_avg_sq"] = np.asarray(v, theta_prev.dtype)
        new["beta1_weight"] = w1
        new["beta2_weight"] = w2
    if out:
        for i in work:
            params[i][...] = new_params[i]
            state[i].update(new_state[i])
    return (list(params), list(state)) if out else (new_params, new_state)


def _start(theta_prev: Array) -> State:
    """The states that this variant of the rule reads, at their first values."""
    kept: State = {}
    kept["beta1_weight"] = float(0)
    kept["beta2_weight"] = float(0)
    kept["exp_avg"] = np.zeros_like(theta_prev)
    kept["exp_avg_sq"] = np.zeros_like(theta_prev)
    return kept
