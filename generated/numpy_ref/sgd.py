"""SGD. Written by optgen 0.1.0 (format 1) from rules/sgd.py; do not edit.

    optgen build sgd --backend numpy

Robbins & Monro, A Stochastic Approximation Method, 1951, https://doi.org/10.1214/aoms/1177729586; momentum and
Nesterov's as in Sutskever, Martens, Dahl & Hinton, On the importance of initialization and momentum in deep
learning, ICML 2013, https://proceedings.mlr.press/v28/sutskever13.html. Numbers as torch.optim.SGD.

    g_wd[t] = Piecewise((g[t] + weight_decay*theta[t - 1], Ne(weight_decay, 0)), (g[t], True))
    b[t] = Piecewise((g_wd[t], first), (momentum*b[t - 1] + (1 - dampening)*g_wd[t], True))
    d[t] = Piecewise((Piecewise((g_wd[t] + momentum*b[t], nesterov), (b[t], True)), Ne(momentum, 0)), (g_wd[t],
        True))
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
    lr: float = 0.001,
    momentum: float = 0,
    dampening: float = 0,
    weight_decay: float = 0,
    nesterov: bool = False,
) -> list[State]:
    """The states before the first step, one dict for each parameter."""
    return [{} for _ in params]


def step(
    params: Sequence[Array],
    grads: Sequence[Array | None],
    state: Sequence[State],
    t: int | Sequence[int],
    *,
    lr: float = 0.001,
    momentum: float = 0,
    dampening: float = 0,
    weight_decay: float = 0,
    nesterov: bool = False,
    out: bool = False,
) -> tuple[list[Array], list[State]]:
    """New parameters and states after step t: 1 for the first, one count for all parameters or one for each.

    A parameter whose gradient is None stays as it is. With out=True the arrays and dicts given are overwritten.
    Raises ValueError, before anything changes, for what cannot be stepped.
    """
    lr = number("lr", lr, at_least=0)
    momentum = number("momentum", momentum, at_least=0)
    dampening = number("dampening", dampening)
    weight_decay = number("weight_decay", weight_decay, at_least=0)
    if not ((momentum > 0 and dampening == 0) or not nesterov):
        raise ValueError("Nesterov momentum requires a momentum and zero dampening")
    new_params, new_state = list(params), [dict(kept) for kept in state]
    work = to_step(params, grads, state, out)
    keys = ("momentum_buffer",)
    states = begin(work, params, grads, state, keys, lambda theta_prev, g: _start(theta_prev, g, momentum))
    for i, theta_prev, g, kept, new in stretches(params, grads, states, new_params, new_state, out):
        first = not kept.keys() <= state[i].keys()
        if momentum != 0:
            b_prev = kept["momentum_buffer"]
            one_minus_dampening = 1 - dampening
        # g_wd[t] = Piecewise((g[t] + weight_decay*theta[t - 1], Ne(weight_decay, 0)), (g[t], True))
        if weight_decay != 0:
            g_wd = g + weight_decay * theta_prev
        else:
            g_wd = g
        if momentum != 0:
            # b[t] = Piecewise((g_wd[t], first), (momentum*b[t - 1] + (1 - dampening)*g_wd[t], True))
            b = g_wd if first else momentum * b_prev + one_minus_dampening * g_wd
        # d[t] = Piecewise((Piecewise((g_wd[t] + momentum*b[t], nesterov), (b[t], True)), Ne(momentum, 0)),
        #     (g_wd[t], True))
        if momentum != 0:
            if nesterov:
                d = g_wd + momentum * b
            else:
                d = b
        else:
            d = g_wd
        # theta[t] = theta[t - 1] - lr*d[t]
        theta = theta_prev - lr * d
        new["param"] = np.asarray(theta, theta_prev.dtype)
        if momentum != 0:
            new["momentum_buffer"] = np.array(b, theta_prev.dtype)
    if out:
        for i in work:
            params[i][...] = new_params[i]
            state[i].update(new_state[i])
    return (list(params), list(state)) if out else (new_params, new_state)


def _start(theta_prev: Array, g: Array, momentum: float) -> State:
    """The states that this variant of the rule reads, at their first values."""
    kept: State = {}
    if momentum != 0:
        kept["momentum_buffer"] = np.zeros_like(theta_prev)
    return kept
