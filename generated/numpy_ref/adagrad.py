"""Adagrad. Written by optgen 0.1.0 (format 1) from rules/adagrad.py; do not edit.

    optgen build adagrad --backend numpy

Duchi, Hazan & Singer, Adaptive Subgradient Methods for Online Learning and Stochastic Optimization, JMLR 2011.
https://jmlr.org/papers/v12/duchi11a.html, Figure 1. Numbers as torch.optim.Adagrad.

    eta[t] = lr/(1 + (t - 1)*lr_decay)
    g_wd[t] = Piecewise((g[t] + weight_decay*theta[t - 1], Ne(weight_decay, 0)), (g[t], True))
    G[t] = G[t - 1] + g_wd[t]**2
    theta[t] = theta[t - 1] - eta[t]*(g_wd[t]/(sqrt(G[t]) + eps))
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ._checks import counts, number, to_step
from ._stretches import begin, stretches

Array = np.ndarray[Any, np.dtype[np.floating[Any]]]  # float32 or float64; states have their parameter's dtype
State = dict[str, Any]


def init(
    params: Sequence[Array],
    *,
    lr: float = 0.01,
    lr_decay: float = 0,
    weight_decay: float = 0,
    initial_accumulator_value: float = 0,
    eps: float = 1e-10,
) -> list[State]:
    """The states before the first step, one dict for each parameter."""
    initial_accumulator_value = number("initial_accumulator_value", initial_accumulator_value, at_least=0)
    return [_start(theta_prev, initial_accumulator_value) for theta_prev in params]


def step(
    params: Sequence[Array],
    grads: Sequence[Array | None],
    state: Sequence[State],
    t: int | Sequence[int],
    *,
    lr: float = 0.01,
    lr_decay: float = 0,
    weight_decay: float = 0,
    initial_accumulator_value: float = 0,
    eps: float = 1e-10,
    out: bool = False,
) -> tuple[list[Array], list[State]]:
    """New parameters and states after step t: 1 for the first, one count for all parameters or one for each.

    A parameter whose gradient is None stays as it is. With out=True the arrays and dicts given are overwritten.
    Raises ValueError, before anything changes, for what cannot be stepped.
    """
    lr = number("lr", lr, at_least=0)
    lr_decay = number("lr_decay", lr_decay, at_least=0)
    weight_decay = number("weight_decay", weight_decay, at_least=0)
    initial_accumulator_value = number("initial_accumulator_value", initial_accumulator_value, at_least=0)
    eps = number("eps", eps, at_least=0)
    steps = counts(t, params)
    new_params, new_state = list(params), [dict(kept) for kept in state]
    work = to_step(params, grads, state, out)
    keys = ("sum",)
    states = begin(
        work, params, grads, state, keys, lambda theta_prev, g: _start(theta_prev, initial_accumulator_value)
    )
    for i, theta_prev, g, kept, new in stretches(params, grads, states, new_params, new_state, out):
        t = steps[i]
        G_prev = kept["sum"]
        eta = lr / (1 + (t - 1) * lr_decay)
        # g_wd[t] = Piecewise((g[t] + weight_decay*theta[t - 1], Ne(weight_decay, 0)), (g[t], True))
        if weight_decay != 0:
            g_wd = g + weight_decay * theta_prev
        else:
            g_wd = g
        # G[t] = G[t - 1] + g_wd[t]**2
        G = G_prev + g_wd * g_wd
        # theta[t] = theta[t - 1] - eta[t]*(g_wd[t]/(sqrt(G[t]) + eps))
        theta = theta_prev - eta * (g_wd / (np.sqrt(G) + eps))
        new["param"] = np.asarray(theta, theta_prev.dtype)
        new["sum"] = np.asarray(G, theta_prev.dtype)
    if out:
        for i in work:
            params[i][...] = new_params[i]
            state[i].update(new_state[i])
    return (list(params), list(state)) if out else (new_params, new_state)


def _start(theta_prev: Array, initial_accumulator_value: float) -> State:
    """The states that this variant of the rule reads, at their first values."""
    kept: State = {}
    kept["sum"] = np.full_like(theta_prev, initial_accumulator_value)
    return kept
