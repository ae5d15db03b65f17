"""Yogi. Written by optgen 0.1.0 (format 1) from rules/yogi.py; do not edit.

    optgen build yogi --backend numpy

Zaheer, Reddi, Sachan, Kale & Kumar, Adaptive Methods for Nonconvex Optimization, NeurIPS 2018,
https://papers.nips.cc/paper/8186-adaptive-methods-for-nonconvex-optimization, Algorithm 2. Numbers as
pytorch_optimizer.Yogi.

    m[t] = beta1*m[t - 1] + (1 - beta1)*g[t]
    v[t] = v[t - 1] - (1 - beta2)*sign(v[t - 1] - g[t]**2)*g[t]**2
    theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr/(1 - beta1**t)*(m[t]/(sqrt(v[t])/sqrt(1 - beta2**t) + eps))
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
    lr: float = 0.01,
    betas: tuple[float, float] = (0.9, 0.999),
    initial_accumulator: float = 1e-06,
    weight_decay: float = 0,
    eps: float = 0.001,
) -> list[State]:
    """The states before the first step, one dict for each parameter."""
    initial_accumulator = number("initial_accumulator", initial_accumulator, at_least=0)
    return [_start(theta_prev, initial_accumulator) for theta_prev in params]


def step(
    params: Sequence[Array],
    grads: Sequence[Array | None],
    state: Sequence[State],
    t: int | Sequence[int],
    *,
    lr: float = 0.01,
    betas: tuple[float, float] = (0.9, 0.999),
    initial_accumulator: float = 1e-06,
    weight_decay: float = 0,
    eps: float = 0.001,
    out: bool = False,
) -> tuple[list[Array], list[State]]:
    """New parameters and states after step t: 1 for the first, one count for all parameters or one for each.

    A parameter whose gradient is None stays as it is. With out=True the arrays and dicts given are overwritten.
    Raises ValueError, before anything changes, for what cannot be stepped.
    """
    lr = number("lr", lr, at_least=0)
    beta1, beta2 = numbers("betas", betas, 2, at_least=0, below=1)
    initial_accumulator = number("initial_accumulator", initial_accumulator, at_least=0)
    weight_decay = number("weight_decay", weight_decay, at_least=0)
    eps = number("eps", eps, at_least=0)
    steps = counts(t, params)
    new_params, new_state = list(params), [dict(kept) for kept in state]
    work = to_step(params, grads, state, out)
    keys = ("exp_avg", "exp_avg_sq")
    states = begin(
        work, params, grads, state, keys, lambda theta_prev, g: _start(theta_prev, initial_accumulator)
    )
    for i, theta_prev, g, kept, new in stretches(params, grads, states, new_params, new_state, out):
        t = steps[i]
        m_prev = kept["exp_avg"]
        v_prev = kept["exp_avg_sq"]
        one_minus_beta1 = 1 - beta1
        one_minus_beta2 = 1 - beta2
        one_minus_lr_weight_decay = 1 - lr * weight_decay
        lr_over_one_minus_beta1_t = lr / (1 - beta1**t)
        inv_sqrt_one_minus_beta2_t = 1 / math.sqrt(1 - beta2**t)
        # m[t] = beta1*m[t - 1] + (1 - beta1)*g[t]
        m = beta1 * m_prev + one_minus_beta1 * g
        # v[t] = v[t - 1] - (1 - beta2)*sign(v[t - 1] - g[t]**2)*g[t]**2
        v = v_prev - one_minus_beta2 * np.sign(v_prev - g * g) * (g * g)
        # theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr/(1 - beta1**t)*(m[t]/(sqrt(v[t])/sqrt(1 - beta2**t)
        #     + eps))
        theta = (
            theta_prev * one_minus_lr_weight_decay
            - lr_over_one_minus_beta1_t * (m / (np.sqrt(v) * inv_sqrt_one_minus_beta2_t + eps))
        )
        new["param"] = np.asarray(theta, theta_prev.dtype)
        new["exp_avg"] = np.asarray(m, theta_prev.dtype)
        new["exp_avg_sq"] = np.asarray(v, theta_prev.dtype)
    if out:
        for i in work:
            params[i][...] = new_params[i]
            state[i].update(new_state[i])
    return (list(params), list(state)) if out else (new_params, new_state)


def _start(theta_prev: Array, initial_accumulator: float) -> State:
    """The states that this variant of the rule reads, at their first values."""
    kept: State = {}
    kept["exp_avg"] = np.full_like(theta_prev, initial_accumulator)
    kept["exp_avg_sq"] = np.full_like(theta_prev, initial_accumulator)
    return kept
