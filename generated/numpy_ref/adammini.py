"""AdamMini. Written by optgen 0.1.0 (format 1) from rules/adammini.py; do not edit.

    optgen build adammini --backend numpy

Zhang, Chen, Li, Ding, Wu, Kingma, Ye, Luo & Sun, Adam-mini: Use Fewer Learning Rates To Gain More, ICLR 2025,
https://arxiv.org/abs/2406.16793, Algorithm 1, with a block for each row of a matrix and one for any other tensor.
Numbers as adam_mini.Adam_mini for MLPs, values, projections, embeddings, outputs and normalisation; it has a block
for each head of queries and keys, and for each element of a bias.

    m[t] = beta1*m[t - 1] + (1 - beta1)*g[t]
    v[t] = beta2*v[t - 1] + (1 - beta2)*mean(g[t]**2, cols)
    theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr/(1 - beta1**t)/(sqrt(v[t])/sqrt(1 - beta2**t) + eps)*m[t]
    and for parameters of other shapes, as another rule:
    m[t] = beta1*m[t - 1] + (1 - beta1)*g[t]
    v[t] = beta2*v[t - 1] + (1 - beta2)*mean(g[t]**2, elems)
    theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr/(1 - beta1**t)/(sqrt(v[t])/sqrt(1 - beta2**t) + eps)*m[t]
"""

from __future__ import annotations

import math
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
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-08,
    weight_decay: float = 0,
) -> list[State]:
    """The states before the first step, one dict for each parameter."""
    return [
        _start(theta_prev) if theta_prev.ndim >= 2 else _start_otherwise(theta_prev) for theta_prev in params
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
    work_otherwise = [i for i in work if params[i].ndim < 2]
    work_here = [i for i in work if params[i].ndim >= 2]
    for i in work_here:
        theta_prev = params[i]
        g = np.asarray(grads[i], theta_prev.dtype)
        kept = _start(theta_prev)
        check_state(i, state[i], kept, ("m", "vmean"))
        kept |= state[i]
        t = steps[i]
        m_prev = kept["m"]
        v_prev = kept["vmean"]
        one_minus_beta1 = 1 - beta1
        one_minus_beta2 = 1 - beta2
        one_minus_lr_weight_decay = 1 - lr * weight_decay
        lr_over_one_minus_beta1_t = lr / (1 - beta1**t)
        inv_sqrt_one_minus_beta2_t = 1 / math.sqrt(1 - beta2**t)
        # m[t] = beta1*m[t - 1] + (1 - beta1)*g[t]
        m = beta1 * m_prev + one_minus_beta1 * g
        # v[t] = beta2*v[t - 1] + (1 - beta2)*mean(g[t]**2, cols)
        g_sq_mean = np.mean(g * g, axis=-1, keepdims=True)
        v = beta2 * v_prev + one_minus_beta2 * g_sq_mean
        # theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr/(1 - beta1**t)/(sqrt(v[t])/sqrt(1 - beta2**t) +
        #     eps)*m[t]
        theta = (
            theta_prev * one_minus_lr_weight_decay
            - lr_over_one_minus_beta1_t / (np.sqrt(v) * inv_sqrt_one_minus_beta2_t + eps) * m
        )
        new_params[i] = np.asarray(theta, theta_prev.dtype)
        kept["m"] = np.asarray(m, theta_prev.dtype)
        kept["vmean"] = np.asarray(v, theta_prev.dtype)
        new_state[i] = kept
    for i in work_otherwise:
        theta_prev = params[i]
        g = np.asarray(grads[i], theta_prev.dtype)
        kept = _start_otherwise(theta_prev)
        check_state(i, state[i], kept, ("m", "vmean"))
        kept |= state[i]
        t = steps[i]
        m_prev = kept["m"]
        v_prev = kept["vmean"]
        one_minus_beta1 = 1 - beta1
        one_minus_beta2 = 1 - beta2
        one_minus_lr_weight_decay = 1 - lr * weight_decay
        lr_over_one_minus_beta1_t = lr / (1 - beta1**t)
        inv_sqrt_one_minus_beta2_t = 1 / math.sqrt(1 - beta2**t)
        # m[t] = beta1*m[t - 1] + (1 - beta1)*g[t]
        m = beta1 * m_prev + one_minus_beta1 * g
        # v[t] = beta2*v[t - 1] + (1 - beta2)*mean(g[t]**2, elems)
        g_sq_mean = np.mean(g * g)
        v = beta2 * v_prev + one_minus_beta2 * g_sq_mean
        # theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr/(1 - beta1**t)/(sqrt(v[t])/sqrt(1 - beta2**t) +
        #     eps)*m[t]
        theta = (
            theta_prev * one_minus_lr_weight_decay
            - lr_over_one_minus_beta1_t / (np.sqrt(v) * inv_sqrt_one_minus_beta2_t + eps) * m
        )
        new_params[i] = np.asarray(theta, theta_prev.dtype)
        kept["m"] = np.asarray(m, theta_prev.dtype)
        kept["vmean"] = np.asarray(v, theta_prev.dtype)
        new_state[i] = kept
    if out:
        for i in work:
            params[i][...] = new_params[i]
            state[i].update(new_state[i])
    return (list(params), list(state)) if out else (new_params, new_state)


def _start(theta_prev: Array) -> State:
    """The states that this variant of the rule reads, at their first values."""
    kept: State = {}
    kept["m"] = np.zeros_like(theta_prev)
    kept["vmean"] = np.zeros_like(theta_prev[..., :1])
    return kept


def _start_otherwise(theta_prev: Array) -> State:
    """The states that this variant of the rule reads, at their first values."""
    kept: State = {}
    kept["m"] = np.zeros_like(theta_prev)
    kept["vmean"] = np.zeros_like(theta_prev.sum())
    return kept
