"""ASGD. Written by optgen 0.1.0 (format 1) from rules/asgd.py; do not edit.

    optgen build asgd --backend numpy

Polyak & Juditsky, Acceleration of Stochastic Approximation by Averaging, SIAM J. Control Optim. 30(4), 1992,
https://doi.org/10.1137/0330046. Numbers as torch.optim.ASGD; the average is the state `ax`.

    g_wd[t] = Piecewise((g[t] + weight_decay*theta[t - 1], Ne(weight_decay, 0)), (g[t], True))
    theta[t] = theta[t - 1]*(1 - lambd*eta[t - 1]) - eta[t - 1]*g_wd[t]
    ax[t] = Piecewise((theta[t], Eq(mu[t - 1], 1)), (ax[t - 1] + mu[t - 1]*(theta[t] - ax[t - 1]), True))
    eta[t] = lr/(1 + lambd*lr*t)**alpha
    mu[t] = 1/Max(1, t - t0)
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
    lambd: float = 0.0001,
    alpha: float = 0.75,
    t0: float = 1000000.0,
    weight_decay: float = 0,
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
    lambd: float = 0.0001,
    alpha: float = 0.75,
    t0: float = 1000000.0,
    weight_decay: float = 0,
    out: bool = False,
) -> tuple[list[Array], list[State]]:
    """New parameters and states after step t: 1 for the first, one count for all parameters or one for each.

    A parameter whose gradient is None stays as it is. With out=True the arrays and dicts given are overwritten.
    Raises ValueError, before anything changes, for what cannot be stepped.
    """
    lr = number("lr", lr, at_least=0)
    lambd = number("lambd", lambd)
    alpha = number("alpha", alpha)
    t0 = number("t0", t0)
    weight_decay = number("weight_decay", weight_decay, at_least=0)
    steps = counts(t, params)
    new_params, new_state = list(params), [dict(kept) for kept in state]
    work = to_step(params, grads, state, out)
    keys = ("eta", "mu", "ax")
    states = begin(work, params, grads, state, keys, lambda theta_prev, g: _start(theta_prev, lr))
    for i, theta_prev, g, kept, new in stretches(params, grads, states, new_params, new_state, out):
        t = steps[i]
        ax_prev = kept["ax"]
        eta_prev = float(kept["eta"])
        mu_prev = float(kept["mu"])
        one_minus_lambd_eta_prev = 1 - lambd * eta_prev
        mu_prev_eq_one = mu_prev == 1
        eta = lr / (1 + lambd * lr * t)**alpha
        mu = 1 / max(1, t - t0)
        # g_wd[t] = Piecewise((g[t] + weight_decay*theta[t - 1], Ne(weight_decay, 0)), (g[t], True))
        if weight_decay != 0:
            g_wd = g + weight_decay * theta_prev
        else:
            g_wd = g
        # theta[t] = theta[t - 1]*(1 - lambd*eta[t - 1]) - eta[t - 1]*g_wd[t]
        theta = theta_prev * one_minus_lambd_eta_prev - eta_prev * g_wd
        # ax[t] = Piecewise((theta[t], Eq(mu[t - 1], 1)), (ax[t - 1] + mu[t - 1]*(theta[t] - ax[t - 1]), True))
        ax = theta if mu_prev_eq_one else ax_prev + mu_prev * (theta - ax_prev)
        new["param"] = np.asarray(theta, theta_prev.dtype)
        new["ax"] = np.asarray(ax, theta_prev.dtype)
        new["eta"] = eta
        new["mu"] = mu
    if out:
        for i in work:
            params[i][...] = new_params[i]
            state[i].update(new_state[i])
    return (list(params), list(state)) if out else (new_params, new_state)


def _start(theta_prev: Array, lr: float) -> State:
    """The states that this variant of the rule reads, at their first values."""
    kept: State = {}
    kept["eta"] = float(lr)
    kept["mu"] = float(1)
    kept["ax"] = np.zeros_like(theta_prev)
    return kept
