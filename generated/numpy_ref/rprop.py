"""Rprop. Written by optgen 0.1.0 (format 1) from rules/rprop.py; do not edit.

    optgen build rprop --backend numpy

Riedmiller & Braun, A Direct Adaptive Method for Faster Backpropagation Learning, IEEE ICNN 1993,
https://doi.org/10.1109/ICNN.1993.298623. Numbers as torch.optim.Rprop.

    q[t] = g[t]*g_used[t - 1]
    f[t] = Piecewise((eta_plus, q[t] > 0), (eta_minus, q[t] < 0), (1, True))
    D[t] = Min(Max(D[t - 1]*f[t], smallest), largest_step)
    g_used[t] = Piecewise((0, q[t] < 0), (g[t], True))
    theta[t] = theta[t - 1] - sign(g_used[t])*D[t]
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ._checks import number, numbers, to_step
from ._stretches import begin, stretches

Array = np.ndarray[Any, np.dtype[np.floating[Any]]]  # float32 or float64; states have their parameter's dtype
State = dict[str, Any]


def init(
    params: Sequence[Array],
    *,
    lr: float = 0.01,
    etas: tuple[float, float] = (0.5, 1.2),
    step_sizes: tuple[float, float] = (1e-06, 50),
) -> list[State]:
    """The states before the first step, one dict for each parameter."""
    lr = number("lr", lr, at_least=0)
    return [_start(theta_prev, lr) for theta_prev in params]


def step(
    params: Sequence[Array],
    grads: Sequence[Array | None],
    state: Sequence[State],
    t: int | Sequence[int],
    *,
    lr: float = 0.01,
    etas: tuple[float, float] = (0.5, 1.2),
    step_sizes: tuple[float, float] = (1e-06, 50),
    out: bool = False,
) -> tuple[list[Array], list[State]]:
    """New parameters and states after step t: 1 for the first, one count for all parameters or one for each.

    A parameter whose gradient is None stays as it is. With out=True the arrays and dicts given are overwritten.
    Raises ValueError, before anything changes, for what cannot be stepped.
    """
    lr = number("lr", lr, at_least=0)
    eta_minus, eta_plus = numbers("etas", etas, 2, above=0)
    smallest, largest_step = numbers("step_sizes", step_sizes, 2)
    if not (eta_minus < 1 and eta_plus > 1):
        raise ValueError(f"Invalid eta values: {eta_minus}, {eta_plus}")
    new_params, new_state = list(params), [dict(kept) for kept in state]
    work = to_step(params, grads, state, out)
    keys = ("prev", "step_size")
    states = begin(work, params, grads, state, keys, lambda theta_prev, g: _start(theta_prev, lr))
    for _, theta_prev, g, kept, new in stretches(params, grads, states, new_params, new_state, out):
        g_used_prev = kept["prev"]
        D_prev = kept["step_size"]
        # q[t] = g[t]*g_used[t - 1]
        q = g * g_used_prev
        # f[t] = Piecewise((eta_plus, q[t] > 0), (eta_minus, q[t] < 0), (1, True))
        f = np.where(q > 0, eta_plus, np.where(q < 0, eta_minus, np.full_like(q, 1)))
        # D[t] = Min(Max(D[t - 1]*f[t], smallest), largest_step)
        D = np.minimum(np.maximum(D_prev * f, smallest), largest_step)
        # g_used[t] = Piecewise((0, q[t] < 0), (g[t], True))
        g_used = np.where(q < 0, 0, g)
        # theta[t] = theta[t - 1] - sign(g_used[t])*D[t]
        theta = theta_prev - np.sign(g_used) * D
        new["param"] = np.asarray(theta, theta_prev.dtype)
        new["prev"] = np.array(g_used, theta_prev.dtype)
        new["step_size"] = np.asarray(D, theta_prev.dtype)
    if out:
        for i in work:
            params[i][...] = new_params[i]
            state[i].update(new_state[i])
    return (list(params), list(state)) if out else (new_params, new_state)


def _start(theta_prev: Array, lr: float) -> State:
    """The states that this variant of the rule reads, at their first values."""
    kept: State = {}
    kept["prev"] = np.zeros_like(theta_prev)
    kept["step_size"] = np.full_like(theta_prev, lr)
    return kept
