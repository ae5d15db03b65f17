"""Adafactor. Written by optgen 0.1.0 (format 1) from rules/adafactor.py; do not edit.

    optgen build adafactor --backend numpy

Shazeer & Stern, Adafactor: Adaptive Learning Rates with Sublinear Memory Cost, ICML 2018,
https://arxiv.org/abs/1804.04235, Algorithms 4 and 5. Numbers as torch.optim.Adafactor: lr bounds the relative step,
and scales the weight decay.

    rho[t] = Min(lr, 1/(sqrt(t)))
    alpha[t] = Max(eps2, rms(theta[t - 1], elems))*rho[t]
    w[t] = t**beta2_decay
    R[t] = R[t - 1] + w[t]*(mean(g[t]**2, cols) - R[t - 1])
    C[t] = C[t - 1] + w[t]*(mean(g[t]**2, rows) - C[t - 1])
    U[t] = g[t]/sqrt(Max(R[t]*C[t]/Max(mean(R[t], rows), eps1), eps1**2))
    theta[t] = theta[t - 1]*(1 - lr*weight_decay) - alpha[t]/Max(1, rms(U[t], elems)/d)*U[t]
    and for parameters of other shapes, as another rule:
    rho[t] = Min(lr, 1/(sqrt(t)))
    alpha[t] = Max(eps2, rms(theta[t - 1], elems))*rho[t]
    w[t] = t**beta2_decay
    V[t] = V[t - 1] + w[t]*(g[t]**2 - V[t - 1])
    U[t] = g[t]/sqrt(Max(V[t], eps1**2))
    theta[t] = theta[t - 1]*(1 - lr*weight_decay) - alpha[t]/Max(1, rms(U[t], elems)/d)*U[t]
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
    lr: float = 0.01,
    beta2_decay: float = -0.8,
    eps: tuple[float | None, float] = (None, 0.001),
    d: float = 1.0,
    weight_decay: float = 0.0,
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
    lr: float = 0.01,
    beta2_decay: float = -0.8,
    eps: tuple[float | None, float] = (None, 0.001),
    d: float = 1.0,
    weight_decay: float = 0.0,
    out: bool = False,
) -> tuple[list[Array], list[State]]:
    """New parameters and states after step t: 1 for the first, one count for all parameters or one for each.

    A parameter whose gradient is None stays as it is. With out=True the arrays and dicts given are overwritten.
    Raises ValueError, before anything changes, for what cannot be stepped.
    """
    lr = number("lr", lr, at_least=0, refusal="Learning rate should be >= 0 but is: {}")
    beta2_decay = number("beta2_decay", beta2_decay, at_most=0, refusal="beta2_decay should be <= 0 but is: {}")
    eps1, eps2 = numbers("eps", eps, 2, none=float(np.finfo(float).eps))
    d = number("d", d, at_least=1, refusal="Clipping threshold d should be >= 1 but is: {}")
    weight_decay = number(
        "weight_decay", weight_decay, at_least=0, refusal="weight_decay should be >= 0 but is: {}"
    )
    if not (eps1 >= 0):
        raise ValueError(f"epsilon1 should be >= 0 but is: {eps1}")
    if not (eps2 >= 0):
        raise ValueError(f"epsilon2 should be >= 0 but is: {eps2}")
    steps = counts(t, params)
    new_params, new_state = list(params), [dict(kept) for kept in state]
    work = to_step(params, grads, state, out)
    work_otherwise = [i for i in work if params[i].ndim < 2]
    work_here = [i for i in work if params[i].ndim >= 2]
    for i in work_here:
        theta_prev = params[i]
        g = np.asarray(grads[i], theta_prev.dtype)
        kept = _start(theta_prev)
        check_state(i, state[i], kept, ("row_var", "col_var"))
        kept |= state[i]
        t = steps[i]
        eps1 = float(np.finfo(theta_prev.dtype).eps) if eps[0] is None else float(eps[0])
        R_prev = kept["row_var"]
        C_prev = kept["col_var"]
        rho = min(lr, 1 / math.sqrt(t))
        w = t**beta2_decay
        U_scale = eps1**2
        one_minus_lr_weight_decay = 1 - lr * weight_decay
        inv_d = 1 / d
        # alpha[t] = Max(eps2, rms(theta[t - 1], elems))*rho[t]
        theta_prev_sq_mean = np.mean(theta_prev * theta_prev)
        alpha = np.maximum(eps2, np.sqrt(theta_prev_sq_mean)) * rho
        # R[t] = R[t - 1] + w[t]*(mean(g[t]**2, cols) - R[t - 1])
        g_sq_mean = np.mean(g * g, axis=-1, keepdims=True)
        R = R_prev + w * (g_sq_mean - R_prev)
        # C[t] = C[t - 1] + w[t]*(mean(g[t]**2, rows) - C[t - 1])
        g_sq_mean_2 = np.mean(g * g, axis=-2, keepdims=True)
        C = C_prev + w * (g_sq_mean_2 - C_prev)
        # U[t] = g[t]/sqrt(Max(R[t]*C[t]/Max(mean(R[t], rows), eps1), eps1**2))
        R_mean = np.mean(R, axis=-2, keepdims=True)
        U = g / np.sqrt(np.maximum(R * C / np.maximum(R_mean, eps1), U_scale))
        # theta[t] = theta[t - 1]*(1 - lr*weight_decay) - alpha[t]/Max(1, rms(U[t], elems)/d)*U[t]
        U_sq_mean = np.mean(U * U)
        theta = theta_prev * one_minus_lr_weight_decay - alpha / np.maximum(1, np.sqrt(U_sq_mean) * inv_d) * U
        new_params[i] = np.asarray(theta, theta_prev.dtype)
        kept["row_var"] = np.asarray(R, theta_prev.dtype)
        kept["col_var"] = np.asarray(C, theta_prev.dtype)
        new_state[i] = kept
    for i in work_otherwise:
        theta_prev = params[i]
        g = np.asarray(grads[i], theta_prev.dtype)
        kept = _start_otherwise(theta_prev)
        check_state(i, state[i], kept, ("variance",))
        kept |= state[i]
        t = steps[i]
        eps1 = float(np.finfo(theta_prev.dtype).eps) if eps[0] is None else float(eps[0])
        V_prev = kept["variance"]
        rho = min(lr, 1 / math.sqrt(t))
        w = t**beta2_decay
        U_scale = eps1**2
        one_minus_lr_weight_decay = 1 - lr * weight_decay
        inv_d = 1 / d
        # alpha[t] = Max(eps2, rms(theta[t - 1], elems))*rho[t]
        theta_prev_sq_mean = np.mean(theta_prev * theta_prev)
        alpha = np.maximum(eps2, np.sqrt(theta_prev_sq_mean)) * rho
        # V[t] = V[t - 1] + w[t]*(g[t]**2 - V[t - 1])
        V = V_prev + w * (g * g - V_prev)
        # U[t] = g[t]/sqrt(Max(V[t], eps1**2))
        U = g / np.sqrt(np.maximum(V, U_scale))
        # theta[t] = theta[t - 1]*(1 - lr*weight_decay) - alpha[t]/Max(1, rms(U[t], elems)/d)*U[t]
        U_sq_mean = np.mean(U * U)
        theta = theta_prev * one_minus_lr_weight_decay - alpha / np.maximum(1, np.sqrt(U_sq_mean) * inv_d) * U
        new_params[i] = np.asarray(theta, theta_prev.dtype)
        kept["variance"] = np.asarray(V, theta_prev.dtype)
        new_state[i] = kept
    if out:
        for i in work:
            params[i][...] = new_params[i]
            state[i].update(new_state[i])
    return (list(params), list(state)) if out else (new_params, new_state)


def _start(theta_prev: Array) -> State:
    """The states that this variant of the rule reads, at their first values."""
    kept: State = {}
    kept["row_var"] = np.zeros_like(theta_prev[..., :1])
    kept["col_var"] = np.zeros_like(theta_prev[..., :1, :])
    return kept


def _start_otherwise(theta_prev: Array) -> State:
    """The states that this variant of the rule reads, at their first values."""
    kept: State = {}
    kept["variance"] = np.zeros_like(theta_prev)
    return kept
