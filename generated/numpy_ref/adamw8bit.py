"""AdamW8bit. Written by optgen 0.1.0 (format 1) from rules/adamw8bit.py; do not edit.

    optgen build adamw8bit --backend numpy

AdamW with 8-bit states. Dettmers, Lewis, Shleifer & Zettlemoyer, 8-bit Optimizers via Block-wise Quantization, ICLR
2022. https://arxiv.org/abs/2110.02861. Formats as bitsandbytes.optim.AdamW8bit.

    m[t] = beta1*m[t - 1] + (1 - beta1)*g[t]
    v[t] = beta2*v[t - 1] + (1 - beta2)*g[t]**2
    v_max[t] = Max(v_max[t - 1], v[t])
    m_hat[t] = m[t]/(1 - beta1**t)
    v_hat[t] = Piecewise((v_max[t], amsgrad), (v[t], True))/(1 - beta2**t)
    theta[t] = theta[t - 1] - lr*(m_hat[t]/(sqrt(v_hat[t]) + eps) + weight_decay*theta[t - 1])
    with every state as int8, of parameters with at least 4096 elements
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ._checks import check_state, counts, number, numbers, to_step
from ._int8 import int8_signed, int8_unsigned
from ._stretches import begin, stretches

Array = np.ndarray[Any, np.dtype[np.floating[Any]]]  # float32 or float64; states have their parameter's dtype
State = dict[str, Any]
# The formats of states, by their keys.
FORMATS = {"exp_avg": int8_signed, "exp_avg_sq": int8_unsigned, "max_exp_avg_sq": int8_unsigned}


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
    return [
        _start(theta_prev, amsgrad) if theta_prev.size >= 4096 else _start_otherwise(theta_prev, amsgrad)
        for theta_prev in params
    ]


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
    work_otherwise = [i for i in work if params[i].size < 4096]
    work_here = [i for i in work if params[i].size >= 4096]
    for i in work_here:
        theta_prev = params[i]
        g = np.asarray(grads[i], theta_prev.dtype)
        kept = _start(theta_prev, amsgrad)
        keys = (
            "exp_avg", "exp_avg_absmax", "exp_avg_sq", "exp_avg_sq_absmax", "max_exp_avg_sq",
            "max_exp_avg_sq_absmax"
        )
        check_state(i, state[i], kept, keys)
        kept |= state[i]
        t = steps[i]
        m_prev = int8_signed.load(kept["exp_avg"], kept["exp_avg_absmax"], theta_prev)
        v_prev = int8_unsigned.load(kept["exp_avg_sq"], kept["exp_avg_sq_absmax"], theta_prev)
        if amsgrad:
            v_max_prev = int8_unsigned.load(kept["max_exp_avg_sq"], kept["max_exp_avg_sq_absmax"], theta_prev)
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
        new_params[i] = np.asarray(theta, theta_prev.dtype)
        kept["exp_avg"], kept["exp_avg_absmax"] = int8_signed.store(m)
        kept["exp_avg_sq"], kept["exp_avg_sq_absmax"] = int8_unsigned.store(v)
        if amsgrad:
            kept["max_exp_avg_sq"], kept["max_exp_avg_sq_absmax"] = int8_unsigned.store(v_max)
        new_state[i] = kept
    keys = ("exp_avg", "exp_avg_sq", "max_exp_avg_sq")
    states = begin(
        work_otherwise, params, grads, state, keys, lambda theta_prev, g: _start_otherwise(theta_prev, amsgrad)
    )
    for i, theta_prev, g, kept, new in stretches(params, grads, states, new_params, new_state, out):
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
        new["param"] = np.asarray(theta, theta_prev.dtype)
        new["exp_avg"] = np.asarray(m, theta_prev.dtype)
        new["exp_avg_sq"] = np.asarray(v, theta_prev.dtype)
        if amsgrad:
            new["max_exp_avg_sq"] = np.asarray(v_max, theta_prev.dtype)
    if out:
        for i in work:
            params[i][...] = new_params[i]
            state[i].update(new_state[i])
    return (list(params), list(state)) if out else (new_params, new_state)


def _start(theta_prev: Array, amsgrad: bool) -> State:
    """The states that this variant of the rule reads, at their first values."""
    kept: State = {}
    kept["exp_avg"], kept["exp_avg_absmax"] = int8_signed.store(np.zeros_like(theta_prev))
    kept["exp_avg_sq"], kept["exp_avg_sq_absmax"] = int8_unsigned.store(np.zeros_like(theta_prev))
    if amsgrad:
        kept["max_exp_avg_sq"], kept["max_exp_avg_sq_absmax"] = int8_unsigned.store(np.zeros_like(theta_prev))
    return kept


def _start_otherwise(theta_prev: Array, amsgrad: bool) -> State:
    """The states that this variant of the rule reads, at their first values."""
    kept: State = {}
    kept["exp_avg"] = np.zeros_like(theta_prev)
    kept["exp_avg_sq"] = np.zeros_like(theta_prev)
    if amsgrad:
        kept["max_exp_avg_sq"] = np.zeros_like(theta_prev)
    return kept
