"""Adadelta. Written by optgen 0.1.0 (format 1) from rules/adadelta.py; do not edit.

    optgen build adadelta --backend numpy

Zeiler, ADADELTA: An Adaptive Learning Rate Method, 2012, https://arxiv.org/abs/1212.5701, Algorithm 1. Numbers as
torch.optim.Adadelta.

    g_wd[t] = Piecewise((g[t] + weight_decay*theta[t - 1], Ne(weight_decay, 0)), (g[t], True))
    v[t] = rho*v[t - 1] + (1 - rho)*g_wd[t]**2
    d[t] = sqrt(u[t - 1] + eps)/sqrt(v[t] + eps)*g_wd[t]
    u[t] = rho*u[t - 1] + (1 - rho)*d[t]**2
    theta[t] = theta[t - 1] - lr*d[t]
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
    lr: float = 1.0,
    rho: float = 0.9,
    eps: float = 1e-06,
    weight_decay: float = 0,
) -> list[State]:
    """The states before the first step, one dict for each parameter."""
    return [_start(theta_prev) for theta_prev in params]


def step(
    params: Sequence[Array],
    grads: Sequence[Array | None],
    state: Sequence[State],
    t: int | Sequence[int],
    *,
    lr: float = 1.0,
    rho: float = 0.9,
    eps: float = 1e-06,
    weight_decay: float = 0,
    out: bool = False,
) -> tuple[list[Array], list[State]]:
    """New parameters and states after step t: 1 for the first, one count for all parameters or one for each.

    A parameter whose gradient is None stays as it is. With out=True the arrays and dicts given are overwritten.
    Raises ValueError, before anything changes, for what cannot be stepped.
    """
    lr = number("lr", lr, at_least=0)
    rho = number("rho", rho, at_least=0, at_most=1)
    eps = number("eps", eps, at_least=0)
    weight_decay = number("weight_decay", weight_decay, at_least=0)
    new_params, new_state = list(params), [dict(kept) for kept in state]
    work = to_step(params, grads, state, out)
    keys = ("square_avg", "acc_delta")
    states = begin(work, params, grads, state, keys, lambda theta_prev, g: _start(theta_prev))
    for _, theta_prev, g, kept, new in stretches(params, grads, states, new_params, new_state, out):
        v_prev = kept["square_avg"]
        u_prev = kept["acc_delta"]
        one_minus_rho = 1 - rho
        # g_wd[t] = Piecewise((g[t] + weight_decay*theta[t - 1], Ne(weight_decay, 0)), (g[t], True))
        if weight_decay != 0:
            g_wd = g + weight_decay * theta_prev
        else:
            g_wd = g
        # v[t] = rho*v[t - 1] + (1 - rho)*g_wd[t]**2
        v = rho * v_prev + one_minus_rho * (g_wd * g_wd)
        # d[t] = sqrt(u[t - 1] + eps)/sqrt(v[t] + eps)*g_wd[t]
        d = np.sqrt(u_prev + eps) / np.sqrt(v + eps) * g_wd
        # u[t] = rho*u[t - 1] + (1 - rho)*d[t]**2
        u = rho * u_prev + one_minus_rho * (d * d)
        # theta[t] = theta[t - 1] - lr*d[t]
        theta = theta_prev - lr * d
        new["param"] = np.asarray(theta, theta_prev.dtype)
        new["square_avg"] = np.asarray(v, theta_prev.dtype)
        new["acc_delta"] = np.asarray(u, theta_prev.dtype)
    if out:
        for i in work:
            params[i][...] = new_params[i]
            state[i].update(new_state[i])
    return (list(params), list(state)) if out else (new_params, new_state)


def _start(theta_prev: Array) -> State:
    """The states that this variant of the rule reads, at their first values."""
    kept: State = {}
    kept["square_avg"] = np.zeros_like(theta_prev)
    kept["acc_delta"] = np.zeros_like(theta_prev)
    return kept
