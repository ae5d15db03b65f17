"""RMSpropTF. Written by optgen 0.1.0 (format 1) from rules/rmsproptf.py; do not edit.

    optgen build rmsproptf --backend numpy

Tieleman & Hinton, Lecture 6.5, COURSERA: Neural Networks for Machine Learning, 2012, as TensorFlow computes it: the
average starts at 1, eps is inside the root, the learning rate inside the momentum. Numbers as timm.optim.RMSpropTF.

    g_wd[t] = Piecewise((g[t] + weight_decay*theta[t - 1], Ne(weight_decay, 0)), (g[t], True))
    v[t] = v[t - 1] + (1 - alpha)*(g_wd[t]**2 - v[t - 1])
    a[t] = a[t - 1] + (1 - alpha)*(g_wd[t] - a[t - 1])
    s[t] = Piecewise((v[t] - a[t]**2, centered), (v[t], True))
    u[t] = lr*(g_wd[t]/sqrt(s[t] + eps))
    b[t] = momentum*b[t - 1] + u[t]
    d[t] = Piecewise((b[t], Ne(momentum, 0)), (u[t], True))
    theta[t] = theta[t - 1] - d[t]
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ._checks import number, to_step
from ._stretches import begin, stretches

Array = np.ndarray[Any, np.dtype[np.floating[Any]]]  # float32 or float64; states have their parameter's dtype
State = dict[str, Any]


def init(
    params: Sequence[Array],
    *,
    lr: float = 0.01,
    alpha: float = 0.9,
    eps: float = 1e-10,
    weight_decay: float = 0,
    momentum: float = 0,
    centered: bool = False,
) -> list[State]:
    """The states before the first step, one dict for each parameter."""
    momentum = number("momentum", momentum, at_least=0)
    return [_start(theta_prev, momentum, centered) for theta_prev in params]


def step(
    params: Sequence[Array],
    grads: Sequence[Array | None],
    state: Sequence[State],
    t: int | Sequence[int],
    *,
    lr: float = 0.01,
    alpha: float = 0.9,
    eps: float = 1e-10,
    weight_decay: float = 0,
    momentum: float = 0,
    centered: bool = False,
    out: bool = False,
) -> tuple[list[Array], list[State]]:
    """New parameters and states after step t: 1 for the first, one count for all parameters or one for each.

    A parameter whose gradient is None stays as it is. With out=True the arrays and dicts given are overwritten.
    Raises ValueError, before anything changes, for what cannot be stepped.
    """
    lr = number("lr", lr, at_least=0)
    alpha = number("alpha", alpha, at_least=0)
    eps = number("eps", eps, at_least=0)
    weight_decay = number("weight_decay", weight_decay, at_least=0)
    momentum = number("momentum", momentum, at_least=0)
    new_params, new_state = list(params), [dict(kept) for kept in state]
    work = to_step(params, grads, state, out)
    keys = ("square_avg", "momentum_buffer", "grad_avg")
    states = begin(
        work, params, grads, state, keys, lambda theta_prev, g: _start(theta_prev, momentum, centered)
    )
    for _, theta_prev, g, kept, new in stretches(params, grads, states, new_params, new_state, out):
        v_prev = kept["square_avg"]
        if momentum != 0:
            b_prev = kept["momentum_buffer"]
        if centered:
            a_prev = kept["grad_avg"]
        one_minus_alpha = 1 - alpha
        # g_wd[t] = Piecewise((g[t] + weight_decay*theta[t - 1], Ne(weight_decay, 0)), (g[t], True))
        if weight_decay != 0:
            g_wd = g + weight_decay * theta_prev
        else:
            g_wd = g
        # v[t] = v[t - 1] + (1 - alpha)*(g_wd[t]**2 - v[t - 1])
        v = v_prev + one_minus_alpha * (g_wd * g_wd - v_prev)
        if centered:
            # a[t] = a[t - 1] + (1 - alpha)*(g_wd[t] - a[t - 1])
            a = a_prev + one_minus_alpha * (g_wd - a_prev)
        # s[t] = Piecewise((v[t] - a[t]**2, centered), (v[t], True))
        if centered:
            s = v - a * a
        else:
            s = v
        # u[t] = lr*(g_wd[t]/sqrt(s[t] + eps))
        u = lr * (g_wd / np.sqrt(s + eps))
        if momentum != 0:
            # b[t] = momentum*b[t - 1] + u[t]
            b = momentum * b_prev + u
        # d[t] = Piecewise((b[t], Ne(momentum, 0)), (u[t], True))
        if momentum != 0:
            d = b
        else:
            d = u
        # theta[t] = theta[t - 1] - d[t]
        theta = theta_prev - d
        new["param"] = np.asarray(theta, theta_prev.dtype)
        new["square_avg"] = np.asarray(v, theta_prev.dtype)
        if momentum != 0:
            new["momentum_buffer"] = np.asarray(b, theta_prev.dtype)
        if centered:
            new["grad_avg"] = np.asarray(a, theta_prev.dtype)
    if out:
        for i in work:
            params[i][...] = new_params[i]
            state[i].update(new_state[i])
    return (list(params), list(state)) if out else (new_params, new_state)


def _start(theta_prev: Array, momentum: float, centered: bool) -> State:
    """The states that this variant of the rule reads, at their first values."""
    kept: State = {}
    kept["square_avg"] = np.full_like(theta_prev, 1)
    if momentum != 0:
        kept["momentum_buffer"] = np.zeros_like(theta_prev)
    if centered:
        kept["grad_avg"] = np.zeros_like(theta_prev)
    return kept
