"""AdafactorHF. Written by optgen 0.1.0 (format 1) from rules/adafactorhf.py; do not edit.

    optgen build adafactorhf --backend numpy

Shazeer & Stern, Adafactor: Adaptive Learning Rates with Sublinear Memory Cost, ICML 2018,
https://arxiv.org/abs/1804.04235, Algorithms 4 and 5. Numbers as transformers.Adafactor: what is None there is a
flag here, lr is read with relative_step=False only, and a vector has a second moment of its own.

    rho[t] = Piecewise((Min(1.0e-6*t, 1/(sqrt(t))), warmup_init), (Min(0.01, 1/(sqrt(t))), relative_step), (lr,
        True))
    eta[t] = Piecewise((Max(eps2, rms(theta[t - 1], elems))*rho[t], scale_parameter), (rho[t], True))
    beta2[t] = 1 - t**decay_rate
    q[t] = g[t]**2 + eps1
    r[t] = beta2[t]*r[t - 1] + (1 - beta2[t])*mean(q[t], cols)
    c[t] = beta2[t]*c[t - 1] + (1 - beta2[t])*mean(q[t], rows)
    u[t] = g[t]/(sqrt(r[t]/mean(r[t], rows))*sqrt(c[t]))
    s[t] = eta[t]/Max(1, rms(u[t], elems)/clip_threshold)*u[t]
    m[t] = beta1*m[t - 1] + (1 - beta1)*s[t]
    theta[t] = theta[t - 1]*(1 - weight_decay*eta[t]) - Piecewise((m[t], use_first_moment), (s[t], True))
    and for parameters of other shapes, as another rule:
    rho[t] = Piecewise((Min(1.0e-6*t, 1/(sqrt(t))), warmup_init), (Min(0.01, 1/(sqrt(t))), relative_step), (lr,
        True))
    eta[t] = Piecewise((Max(eps2, rms(theta[t - 1], elems))*rho[t], scale_parameter), (rho[t], True))
    beta2[t] = 1 - t**decay_rate
    q[t] = g[t]**2 + eps1
    v[t] = beta2[t]*v[t - 1] + (1 - beta2[t])*q[t]
    u[t] = g[t]/sqrt(v[t])
    s[t] = eta[t]/Max(1, rms(u[t], elems)/clip_threshold)*u[t]
    m[t] = beta1*m[t - 1] + (1 - beta1)*s[t]
    theta[t] = theta[t - 1]*(1 - weight_decay*eta[t]) - Piecewise((m[t], use_first_moment), (s[t], True))
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
    eps: tuple[float, float] = (1e-30, 0.001),
    clip_threshold: float = 1.0,
    decay_rate: float = -0.8,
    beta1: float = 0.9,
    weight_decay: float = 0.0,
    scale_parameter: bool = True,
    relative_step: bool = True,
    warmup_init: bool = False,
    use_first_moment: bool = False,
) -> list[State]:
    """The states before the first step, one dict for each parameter."""
    return [
        _start(theta_prev, use_first_moment) if theta_prev.ndim >= 2
        else _start_otherwise(theta_prev, use_first_moment) for theta_prev in params
    ]


def step(
    params: Sequence[Array],
    grads: Sequence[Array | None],
    state: Sequence[State],
    t: int | Sequence[int],
    *,
    lr: float = 0.001,
    eps: tuple[float, float] = (1e-30, 0.001),
    clip_threshold: float = 1.0,
    decay_rate: float = -0.8,
    beta1: float = 0.9,
    weight_decay: float = 0.0,
    scale_parameter: bool = True,
    relative_step: bool = True,
    warmup_init: bool = False,
    use_first_moment: bool = False,
    out: bool = False,
) -> tuple[list[Array], list[State]]:
    """New parameters and states after step t: 1 for the first, one count for all parameters or one for each.

    A parameter whose gradient is None stays as it is. With out=True the arrays and dicts given are overwritten.
    Raises ValueError, before anything changes, for what cannot be stepped.
    """
    lr = number("lr", lr, at_least=0)
    eps1, eps2 = numbers("eps", eps, 2, at_least=0)
    clip_threshold = number("clip_threshold", clip_threshold, above=0)
    decay_rate = number("decay_rate", decay_rate, at_most=0)
    beta1 = number("beta1", beta1, at_least=0, below=1)
    weight_decay = number("weight_decay", weight_decay, at_least=0)
    if not (relative_step or not warmup_init):
        raise ValueError("`warmup_init=True` requires `relative_step=True`")
    steps = counts(t, params)
    new_params, new_state = list(params), [dict(kept) for kept in state]
    work = to_step(params, grads, state, out)
    work_otherwise = [i for i in work if params[i].ndim < 2]
    work_here = [i for i in work if params[i].ndim >= 2]
    for i in work_here:
        theta_prev = params[i]
        g = np.asarray(grads[i], theta_prev.dtype)
        kept = _start(theta_prev, use_first_moment)
        check_state(i, state[i], kept, ("exp_avg_sq_row", "exp_avg_sq_col", "exp_avg"))
        kept |= state[i]
        t = steps[i]
        if use_first_moment:
            m_prev = kept["exp_avg"]
        r_prev = kept["exp_avg_sq_row"]
        c_prev = kept["exp_avg_sq_col"]
        if warmup_init:
            rho = min(1e-06 * t, 1 / math.sqrt(t))
        elif relative_step:
            rho = min(0.01, 1 / math.sqrt(t))
        else:
            rho = lr
        if not scale_parameter:
            eta = rho
        beta2 = 1 - t**decay_rate
        one_minus_beta2 = 1 - beta2
        inv_clip_threshold = 1 / clip_threshold
        if use_first_moment:
            one_minus_beta1 = 1 - beta1
        if scale_parameter:
            # eta[t] = Piecewise((Max(eps2, rms(theta[t - 1], elems))*rho[t], scale_parameter), (rho[t], True))
            theta_prev_sq_mean = np.mean(theta_prev * theta_prev)
            eta = np.maximum(eps2, np.sqrt(theta_prev_sq_mean)) * rho
        else:
            one_minus_weight_decay_eta = 1 - weight_decay * eta
        # q[t] = g[t]**2 + eps1
        q = g * g + eps1
        # r[t] = beta2[t]*r[t - 1] + (1 - beta2[t])*mean(q[t], cols)
        q_mean = np.mean(q, axis=-1, keepdims=True)
        r = beta2 * r_prev + one_minus_beta2 * q_mean
        # c[t] = beta2[t]*c[t - 1] + (1 - beta2[t])*mean(q[t], rows)
        q_mean_2 = np.mean(q, axis=-2, keepdims=True)
        c = beta2 * c_prev + one_minus_beta2 * q_mean_2
        # u[t] = g[t]/(sqrt(r[t]/mean(r[t], rows))*sqrt(c[t]))
        r_mean = np.mean(r, axis=-2, keepdims=True)
        u = g / (np.sqrt(r / r_mean) * np.sqrt(c))
        # s[t] = eta[t]/Max(1, rms(u[t], elems)/clip_threshold)*u[t]
        u_sq_mean = np.mean(u * u)
        s = eta / np.maximum(1, np.sqrt(u_sq_mean) * inv_clip_threshold) * u
        if use_first_moment:
            # m[t] = beta1*m[t - 1] + (1 - beta1)*s[t]
            m = beta1 * m_prev + one_minus_beta1 * s
        # theta[t] = theta[t - 1]*(1 - weight_decay*eta[t]) - Piecewise((m[t], use_first_moment), (s[t], True))
        if use_first_moment:
            if scale_parameter:
                theta = theta_prev * (1 - weight_decay * eta) - m
            else:
                theta = theta_prev * one_minus_weight_decay_eta - m
        else:
            if scale_parameter:
                theta = theta_prev * (1 - weight_decay * eta) - s
            else:
                theta = theta_prev * one_minus_weight_decay_eta - s
        new_params[i] = np.asarray(theta, theta_prev.dtype)
        if use_first_moment:
            kept["exp_avg"] = np.asarray(m, theta_prev.dtype)
        kept["exp_avg_sq_row"] = np.asarray(r, theta_prev.dtype)
        kept["exp_avg_sq_col"] = np.asarray(c, theta_prev.dtype)
        new_state[i] = kept
    for i in work_otherwise:
        theta_prev = params[i]
        g = np.asarray(grads[i], theta_prev.dtype)
        kept = _start_otherwise(theta_prev, use_first_moment)
        check_state(i, state[i], kept, ("exp_avg_sq", "exp_avg"))
        kept |= state[i]
        t = steps[i]
        if use_first_moment:
            m_prev = kept["exp_avg"]
        v_prev = kept["exp_avg_sq"]
        if warmup_init:
            rho = min(1e-06 * t, 1 / math.sqrt(t))
        elif relative_step:
            rho = min(0.01, 1 / math.sqrt(t))
        else:
            rho = lr
        if not scale_parameter:
            eta = rho
        beta2 = 1 - t**decay_rate
        one_minus_beta2 = 1 - beta2
        inv_clip_threshold = 1 / clip_threshold
        if use_first_moment:
            one_minus_beta1 = 1 - beta1
        if scale_parameter:
            # eta[t] = Piecewise((Max(eps2, rms(theta[t - 1], elems))*rho[t], scale_parameter), (rho[t], True))
            theta_prev_sq_mean = np.mean(theta_prev * theta_prev)
            eta = np.maximum(eps2, np.sqrt(theta_prev_sq_mean)) * rho
        else:
            one_minus_weight_decay_eta = 1 - weight_decay * eta
        # q[t] = g[t]**2 + eps1
        q = g * g + eps1
        # v[t] = beta2[t]*v[t - 1] + (1 - beta2[t])*q[t]
        v = beta2 * v_prev + one_minus_beta2 * q
        # u[t] = g[t]/sqrt(v[t])
        u = g / np.sqrt(v)
        # s[t] = eta[t]/Max(1, rms(u[t], elems)/clip_threshold)*u[t]
        u_sq_mean = np.mean(u * u)
        s = eta / np.maximum(1, np.sqrt(u_sq_mean) * inv_clip_threshold) * u
        if use_first_moment:
            # m[t] = beta1*m[t - 1] + (1 - beta1)*s[t]
            m = beta1 * m_prev + one_minus_beta1 * s
        # theta[t] = theta[t - 1]*(1 - weight_decay*eta[t]) - Piecewise((m[t], use_first_moment), (s[t], True))
        if use_first_moment:
            if scale_parameter:
                theta = theta_prev * (1 - weight_decay * eta) - m
            else:
                theta = theta_prev * one_minus_weight_decay_eta - m
        else:
            if scale_parameter:
                theta = theta_prev * (1 - weight_decay * eta) - s
            else:
                theta = theta_prev * one_minus_weight_decay_eta - s
        new_params[i] = np.asarray(theta, theta_prev.dtype)
        if use_first_moment:
            kept["exp_avg"] = np.asarray(m, theta_prev.dtype)
        kept["exp_avg_sq"] = np.asarray(v, theta_prev.dtype)
        new_state[i] = kept
    if out:
        for i in work:
            params[i][...] = new_params[i]
            state[i].update(new_state[i])
    return (list(params), list(state)) if out else (new_params, new_state)


def _start(theta_prev: Array, use_first_moment: bool) -> State:
    """The states that this variant of the rule reads, at their first values."""
    kept: State = {}
    if use_first_moment:
        kept["exp_avg"] = np.zeros_like(theta_prev)
    kept["exp_avg_sq_row"] = np.zeros_like(theta_prev[..., :1])
    kept["exp_avg_sq_col"] = np.zeros_like(theta_prev[..., :1, :])
    return kept


def _start_otherwise(theta_prev: Array, use_first_moment: bool) -> State:
    """The states that this variant of the rule reads, at their first values."""
    kept: State = {}
    if use_first_moment:
        kept["exp_avg"] = np.zeros_like(theta_prev)
    kept["exp_avg_sq"] = np.zeros_like(theta_prev)
    return kept
