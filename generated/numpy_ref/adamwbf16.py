"""AdamWBF16. Written by optgen 0.1.0 (format 1) from rules/adamwbf16.py; do not edit.

    optgen build adamwbf16 --backend numpy

AdamW for bfloat16 parameters, rounded stochastically. Zamirai, Zhang, Aberger & De Sa, Revisiting BFloat16
Training, 2020. https://arxiv.org/abs/2010.06192. States have the parameter's dtype.

    m[t] = beta1*m[t - 1] + (1 - beta1)*g[t]
    v[t] = beta2*v[t - 1] + (1 - beta2)*g[t]**2
    v_max[t] = Max(v_max[t - 1], v[t])
    m_hat[t] = m[t]/(1 - beta1**t)
    v_hat[t] = Piecewise((v_max[t], amsgrad), (v[t], True))/(1 - beta2**t)
    theta[t] = theta[t - 1] - lr*(m_hat[t]/(sqrt(v_hat[t]) + eps) + weight_decay*theta[t - 1])
    with theta as bf16_sr
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ._bf16_sr import bf16_sr
from ._checks import check_state, counts, number, numbers, to_step
from ._parameters import random_bits

Array = np.ndarray[Any, np.dtype[np.floating[Any]]]  # float32 or float64; states have their parameter's dtype
State = dict[str, Any]


def init(
    params: Sequence[Array],
    *,
    lr: float = 0.001,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-08,
    weight_decay: float = 0.01,
    amsgrad: bool = False,
) -> list[State]:
    """The states before the first step, one dict for each parameter."""
    return [{} for _ in params]


def step(
    params: Sequence[Array],
    grads: Sequence[Array | None],
    state: Sequence[State],
    t: int | Sequence[int],
    *,
    lr: float = 0.001,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-08,
    weight_decay: float = 0.01,
    amsgrad: bool = False,
    seed: int = 0,
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
    work = to_step(params, grads, state, out, np.uint16)
    for i in work:
        theta_prev = bf16_sr.load(params[i])
        g = np.asarray(grads[i], theta_prev.dtype)
        kept = _start(theta_prev, amsgrad)
        check_state(i, state[i], kept, ("exp_avg", "exp_avg_sq", "max_exp_avg_sq"))
        kept |= state[i]
        t = steps[i]
        m_prev = kept["exp_avg"]
        v_prev = kept["exp_avg_sq"]
        if amsgrad:
            v_max_prev = kept["max_exp_avg_sq"]
        one_minus_beta1 = 1 - beta1
        one_minus_beta2 = 1 - beta2
        inv_one_minus_beta1_t = 1 / (1 - beta1**t)
        inv_one_minus_beta2_t = 1 / (1 - beta2**t)
        # m[t] = beta1*m[t - 1] + (1 - beta1)*g[t]
        m = beta1 * m_prev + one_minus_beta1 * g
        # v[t] = beta2*v[t - 1] + (1 - beta2)*g[t]**2
        v = beta2 * v_prev + one_minus_beta2 * (g * g)
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
        # theta[t] = theta[t - 1] - lr*(m_hat[t]/(sqrt(v_hat[t]) + eps) + weight_decay*theta[t - 1])
        theta = theta_prev - lr * (m_hat / (np.sqrt(v_hat) + eps) + weight_decay * theta_prev)
        new_params[i] = bf16_sr.store(theta, random_bits(seed, t, i, theta.size))
        kept["exp_avg"] = np.asarray(m, theta_prev.dtype)
        kept["exp_avg_sq"] = np.asarray(v, theta_prev.dtype)
        if amsgrad:
            kept["max_exp_avg_sq"] = np.asarray(v_max, theta_prev.dtype)
        new_state[i] = kept
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
