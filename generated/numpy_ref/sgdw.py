"""SGDW. Written by optgen 0.1.0 (format 1) from rules/sgdw.py; do not edit.

    optgen build sgdw --backend numpy

Loshchilov & Hutter, Decoupled Weight Decay Regularization, ICLR 2019, https://arxiv.org/abs/1711.05101, Algorithm
1. Numbers as pytorch_optimizer.SGDW with dampening=0.

    b[t] = momentum*b[t - 1] + g[t]
    d[t] = Piecewise((g[t] + momentum*b[t], nesterov), (b[t], True))
    theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr*d[t]
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
    lr: float = 0.0001,
    momentum: float = 0,
    weight_decay: float = 0,
    nesterov: bool = False,
) -> list[State]:
    """The states before the first step, one dict for each parameter."""
    return [_start(theta_prev) for theta_prev in params]


def step(
    params: Sequence[Array],
    grads: Sequence[Array | None],
    state: Sequence[State],
    t: int | Sequence[int],
    *,
    lr: float = 0.0001,
    momentum: float = 0,
    weight_decay: float = 0,
    nesterov: bool = False,
    out: bool = False,
) -> tuple[list[Array], list[State]]:
    """New parameters and states after step t: 1 for the first, one count for all parameters or one for each.

    A parameter whose gradient is None stays as it is. With out=True the arrays and dicts given are overwritten.
    Raises ValueError, before anything changes, for what cannot be stepped.
    """
    lr = number("lr", lr, at_least=0)
    momentum = number("momentum", momentum, at_least=0, below=1)
    weight_decay = number("weight_decay", weight_decay, at_least=0)
    new_params, new_state = list(params), [dict(kept) for kept in state]
    work = to_step(params, grads, state, out)
    keys = ("momentum_buffer",)
    states = begin(work, params, grads, state, keys, lambda theta_prev, g: _start(theta_prev))
    for _, theta_prev, g, kept, new in stretches(params, grads, states, new_params, new_state, out):
        b_prev = kept["momentum_buffer"]
        one_minus_lr_weight_decay = 1 - lr * weight_decay
        # b[t] = momentum*b[t - 1] + g[t]
        b = momentum * b_prev + g
        # d[t] = Piecewise((g[t] + momentum*b[t], nesterov), (b[t], True))
        if nesterov:
            d = g + momentum * b
        else:
            d = b
        # theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr*d[t]
        theta = theta_prev * one_minus_lr_weight_decay - lr * d
        new["param"] = np.asarray(theta, theta_prev.dtype)
        new["momentum_buffer"] = np.asarray(b, theta_prev.dtype)
    if out:
        for i in work:
            params[i][...] = new_params[i]
            state[i].update(new_state[i])
    return (list(params), list(state)) if out else (new_params, new_state)


def _start(theta_prev: Array) -> State:
    """The states that this variant of the rule reads, at their first values."""
    kept: State = {}
    kept["momentum_buffer"] = np.zeros_like(theta_prev)
    return kept
