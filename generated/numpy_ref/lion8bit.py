"""Lion8bit. Written by optgen 0.1.0 (format 1) from rules/lion8bit.py; do not edit.

    optgen build lion8bit --backend numpy

Lion with an 8-bit state. Dettmers, Lewis, Shleifer & Zettlemoyer, 8-bit Optimizers via Block-wise Quantization,
ICLR 2022. https://arxiv.org/abs/2110.02861. Formats as bitsandbytes.optim.Lion8bit.

    u[t] = sign(beta1*m[t - 1] + (1 - beta1)*g[t])
    m[t] = beta2*m[t - 1] + (1 - beta2)*g[t]
    theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr*u[t]
    with every state as int8, of parameters with at least 4096 elements
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ._checks import check_state, number, numbers, to_step
from ._int8 import int8_signed
from ._stretches import begin, stretches

Array = np.ndarray[Any, np.dtype[np.floating[Any]]]  # float32 or float64; states have their parameter's dtype
State = dict[str, Any]
# The formats of states, by their keys.
FORMATS = {"exp_avg": int8_signed}


def init(
    params: Sequence[Array],
    *,
    lr: float = 0.0001,
    betas: tuple[float, float] = (0.9, 0.99),
    weight_decay: float = 0.0,
) -> list[State]:
    """The states before the first step, one dict for each parameter."""
    return [
        _start(theta_prev) if theta_prev.size >= 4096 else _start_otherwise(theta_prev) for theta_prev in params
    ]


def step(
    params: Sequence[Array],
    grads: Sequence[Array | None],
    state: Sequence[State],
    t: int | Sequence[int],
    *,
    lr: float = 0.0001,
    betas: tuple[float, float] = (0.9, 0.99),
    weight_decay: float = 0.0,
    out: bool = False,
) -> tuple[list[Array], list[State]]:
    """New parameters and states after step t: 1 for the first, one count for all parameters or one for each.

    A parameter whose gradient is None stays as it is. With out=True the arrays and dicts given are overwritten.
    Raises ValueError, before anything changes, for what cannot be stepped.
    """
    lr = number("lr", lr, at_least=0)
    beta1, beta2 = numbers("betas", betas, 2, at_least=0, below=1)
    weight_decay = number("weight_decay", weight_decay, at_least=0)
    new_params, new_state = list(params), [dict(kept) for kept in state]
    work = to_step(params, grads, state, out)
    work_otherwise = [i for i in work if params[i].size < 4096]
    work_here = [i for i in work if params[i].size >= 4096]
    for i in work_here:
        theta_prev = params[i]
        g = np.asarray(grads[i], theta_prev.dtype)
        kept = _start(theta_prev)
        check_state(i, state[i], kept, ("exp_avg", "exp_avg_absmax"))
        kept |= state[i]
        m_prev = int8_signed.load(kept["exp_avg"], kept["exp_avg_absmax"], theta_prev)
        one_minus_beta1 = 1 - beta1
        one_minus_beta2 = 1 - beta2
        one_minus_lr_weight_decay = 1 - lr * weight_decay
        # u[t] = sign(beta1*m[t - 1] + (1 - beta1)*g[t])
        u = np.sign(beta1 * m_prev + one_minus_beta1 * g)
        # m[t] = beta2*m[t - 1] + (1 - beta2)*g[t]
        m = beta2 * m_prev + one_minus_beta2 * g
        # theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr*u[t]
        theta = theta_prev * one_minus_lr_weight_decay - lr * u
        new_params[i] = np.asarray(theta, theta_prev.dtype)
        kept["exp_avg"], kept["exp_avg_absmax"] = int8_signed.store(m)
        new_state[i] = kept
    keys = ("exp_avg",)
    states = begin(
        work_otherwise, params, grads, state, keys, lambda theta_prev, g: _start_otherwise(theta_prev)
    )
    for _, theta_prev, g, kept, new in stretches(params, grads, states, new_params, new_state, out):
        m_prev = kept["exp_avg"]
        one_minus_beta1 = 1 - beta1
        one_minus_beta2 = 1 - beta2
        one_minus_lr_weight_decay = 1 - lr * weight_decay
        # u[t] = sign(beta1*m[t - 1] + (1 - beta1)*g[t])
        u = np.sign(beta1 * m_prev + one_minus_beta1 * g)
        # m[t] = beta2*m[t - 1] + (1 - beta2)*g[t]
        m = beta2 * m_prev + one_minus_beta2 * g
        # theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr*u[t]
        theta = theta_prev * one_minus_lr_weight_decay - lr * u
        new["param"] = np.asarray(theta, theta_prev.dtype)
        new["exp_avg"] = np.asarray(m, theta_prev.dtype)
    if out:
        for i in work:
            params[i][...] = new_params[i]
            state[i].update(new_state[i])
    return (list(params), list(state)) if out else (new_params, new_state)


def _start(theta_prev: Array) -> State:
    """The states that this variant of the rule reads, at their first values."""
    kept: State = {}
    kept["exp_avg"], kept["exp_avg_absmax"] = int8_signed.store(np.zeros_like(theta_prev))
    return kept


def _start_otherwise(theta_prev: Array) -> State:
    """The states that this variant of the rule reads, at their first values."""
    kept: State = {}
    kept["exp_avg"] = np.zeros_like(theta_prev)
    return kept
