"""AggMo. Written by optgen 0.1.0 (format 1) from rules/aggmo.py; do not edit.

    optgen build aggmo --backend numpy

Lucas, Sun, Zemel & Grosse, Aggregated Momentum: Stability Through Passive Damping, ICLR 2019,
https://arxiv.org/abs/1804.00325, equation 4, with three velocities. Numbers as pytorch_optimizer.AggMo with
weight_decouple=True.

    v1[t] = beta1*v1[t - 1] + g[t]
    v2[t] = beta2*v2[t - 1] + g[t]
    v3[t] = beta3*v3[t - 1] + g[t]
    theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr/3*((v1[t] + v2[t]) + v3[t])
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
    lr: float = 0.001,
    betas: tuple[float, float, float] = (0.0, 0.9, 0.99),
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
    lr: float = 0.001,
    betas: tuple[float, float, float] = (0.0, 0.9, 0.99),
    weight_decay: float = 0,
    out: bool = False,
) -> tuple[list[Array], list[State]]:
    """New parameters and states after step t: 1 for the first, one count for all parameters or one for each.

    A parameter whose gradient is None stays as it is. With out=True the arrays and dicts given are overwritten.
    Raises ValueError, before anything changes, for what cannot be stepped.
    """
    lr = number("lr", lr, at_least=0)
    beta1, beta2, beta3 = numbers("betas", betas, 3, at_least=0, below=1)
    weight_decay = number("weight_decay", weight_decay, at_least=0)
    new_params, new_state = list(params), [dict(kept) for kept in state]
    work = to_step(params, grads, state, out)
    keys = ("v1", "v2", "v3")
    states = begin(work, params, grads, state, keys, lambda theta_prev, g: _start(theta_prev))
    for _, theta_prev, g, kept, new in stretches(params, grads, states, new_params, new_state, out):
        v1_prev = kept["v1"]
        v2_prev = kept["v2"]
        v3_prev = kept["v3"]
        one_minus_lr_weight_decay = 1 - lr * weight_decay
        lr_over_three = lr / 3
        # v1[t] = beta1*v1[t - 1] + g[t]
        v1 = beta1 * v1_prev + g
        # v2[t] = beta2*v2[t - 1] + g[t]
        v2 = beta2 * v2_prev + g
        # v3[t] = beta3*v3[t - 1] + g[t]
        v3 = beta3 * v3_prev + g
        # theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr/3*((v1[t] + v2[t]) + v3[t])
        theta = theta_prev * one_minus_lr_weight_decay - lr_over_three * (v1 + v2 + v3)
        new["param"] = np.asarray(theta, theta_prev.dtype)
        new["v1"] = np.asarray(v1, theta_prev.dtype)
        new["v2"] = np.asarray(v2, theta_prev.dtype)
        new["v3"] = np.asarray(v3, theta_prev.dtype)
    if out:
        for i in work:
            params[i][...] = new_params[i]
            state[i].update(new_state[i])
    return (list(params), list(state)) if out else (new_params, new_state)


def _start(theta_prev: Array) -> State:
    """The states that this variant of the rule reads, at their first values."""
    kept: State = {}
    kept["v1"] = np.zeros_like(theta_prev)
    kept["v2"] = np.zeros_like(theta_prev)
    kept["v3"] = np.zeros_like(theta_prev)
    return kept
