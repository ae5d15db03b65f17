"""LAMB. Written by optgen 0.1.0 (format 1) from rules/lamb.py; do not edit.

    optgen build lamb --backend numpy

You, Li, Reddi, Hseu, Kumar, Bhojanapalli, Song, Demmel, Keutzer & Hsieh, Large Batch Optimization for Deep
Learning: Training BERT in 76 minutes, ICLR 2020, https://arxiv.org/abs/1904.00962, Algorithm 2. Numbers as
timm.optim.Lamb: the norm of all gradients together is limited, and nothing is adapted where weight_decay is 0.
max_grad_norm=inf limits nothing.

    G[t] = norm(g[t], model)
    g_clip[t] = g[t]/Max(1, G[t]/max_grad_norm)
    m[t] = beta1*m[t - 1] + (1 - beta1)*g_clip[t]
    v[t] = beta2*v[t - 1] + (1 - beta2)*g_clip[t]**2
    u[t] = m[t]/(1 - beta1**t)/(sqrt(v[t])/sqrt(1 - beta2**t) + eps) + weight_decay*theta[t - 1]
    w_norm[t] = norm(theta[t - 1], elems)
    u_norm[t] = norm(u[t], elems)
    r[t] = Piecewise((w_norm[t]/u_norm[t], (u_norm[t] > 0) & (w_norm[t] > 0)), (1, True))
    theta[t] = theta[t - 1] - Piecewise((lr*r[t]*u[t], always_adapt | Ne(weight_decay, 0)), (lr*u[t], True))
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
    eps: float = 1e-06,
    weight_decay: float = 0.01,
    max_grad_norm: float = 1.0,
    always_adapt: bool = False,
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
    eps: float = 1e-06,
    weight_decay: float = 0.01,
    max_grad_norm: float = 1.0,
    always_adapt: bool = False,
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
    max_grad_norm = number("max_grad_norm", max_grad_norm, above=0)
    steps = counts(t, params)
    new_params, new_state = list(params), [dict(kept) for kept in state]
    work = to_step(params, grads, state, out)
    g_sq_sum_parts = []
    for i in work:
        theta_prev = params[i]
        g = np.asarray(grads[i], theta_prev.dtype)
        kept = _start(theta_prev)
        check_state(i, state[i], kept, ("exp_avg", "exp_avg_sq"))
        kept |= state[i]
        # G[t] = norm(g[t], model)
        g_sq_sum_parts.append(np.sum(g * g))
        new_state[i] = kept
    g_sq_sum = sum(g_sq_sum_parts)
    for i in work:
        theta_prev = params[i]
        g = np.asarray(grads[i], theta_prev.dtype)
        kept = new_state[i]
        t = steps[i]
        m_prev = kept["exp_avg"]
        v_prev = kept["exp_avg_sq"]
        inv_max_grad_norm = 1 / max_grad_norm
        one_minus_beta1 = 1 - beta1
        one_minus_beta2 = 1 - beta2
        inv_one_minus_beta1_t = 1 / (1 - beta1**t)
        inv_sqrt_one_minus_beta2_t = 1 / math.sqrt(1 - beta2**t)
        # G[t] = norm(g[t], model)
        G = np.sqrt(g_sq_sum)
        # g_clip[t] = g[t]/Max(1, G[t]/max_grad_norm)
        g_clip = g / np.maximum(1, G * inv_max_grad_norm)
        # m[t] = beta1*m[t - 1] + (1 - beta1)*g_clip[t]
        m = beta1 * m_prev + one_minus_beta1 * g_clip
        # v[t] = beta2*v[t - 1] + (1 - beta2)*g_clip[t]**2
        v = beta2 * v_prev + one_minus_beta2 * (g_clip * g_clip)
        # u[t] = m[t]/(1 - beta1**t)/(sqrt(v[t])/sqrt(1 - beta2**t) + eps) + weight_decay*theta[t - 1]
        u = m * inv_one_minus_beta1_t / (np.sqrt(v) * inv_sqrt_one_minus_beta2_t + eps) + weight_decay * theta_prev
        if weight_decay != 0 or always_adapt:
            # w_norm[t] = norm(theta[t - 1], elems)
            theta_prev_sq_sum = np.sum(theta_prev * theta_prev)
            w_norm = np.sqrt(theta_prev_sq_sum)
            # u_norm[t] = norm(u[t], elems)
            u_sq_sum = np.sum(u * u)
            u_norm = np.sqrt(u_sq_sum)
            # r[t] = Piecewise((w_norm[t]/u_norm[t], (u_norm[t] > 0) & (w_norm[t] > 0)), (1, True))
            r = np.where((u_norm > 0) & (w_norm > 0), w_norm / u_norm, 1)
        # theta[t] = theta[t - 1] - Piecewise((lr*r[t]*u[t], always_adapt | Ne(weight_decay, 0)), (lr*u[t],
        #     True))
        if weight_decay != 0 or always_adapt:
            theta = theta_prev - lr * r * u
        else:
            theta = theta_prev - lr * u
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
