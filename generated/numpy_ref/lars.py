"""LARS. Written by optgen 0.1.0 (format 1) from rules/lars.py; do not edit.

    optgen build lars --backend numpy

You, Gitman & Ginsburg, Large Batch Training of Convolutional Networks, 2017, https://arxiv.org/abs/1708.03888,
Algorithm 1; trust_clip: LARC. Numbers as timm.optim.Lars with dampening=0, which adapts nothing where weight_decay
is 0.

    w_norm[t] = norm(theta[t - 1], elems)
    g_norm[t] = norm(g[t], elems)
    r[t] = Piecewise((trust_coeff*w_norm[t]/((g_norm[t] + weight_decay*w_norm[t]) + eps), (g_norm[t] > 0) &
        (w_norm[t] > 0)), (1, True))
    trust[t] = Piecewise((Min(r[t]/Max(lr, 1.0e-30), 1), trust_clip), (r[t], True))
    g_used[t] = Piecewise((trust[t]*(g[t] + weight_decay*theta[t - 1]), Ne(weight_decay, 0)), (g[t], True))
    b[t] = momentum*b[t - 1] + g_used[t]
    d[t] = Piecewise((g_used[t] + momentum*b[t], nesterov), (b[t], True))
    theta[t] = theta[t - 1] - lr*d[t]
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ._checks import check_state, number, to_step

Array = np.ndarray[Any, np.dtype[np.floating[Any]]]  # float32 or float64; states have their parameter's dtype
State = dict[str, Any]


def init(
    params: Sequence[Array],
    *,
    lr: float = 1.0,
    momentum: float = 0,
    weight_decay: float = 0,
    nesterov: bool = False,
    trust_coeff: float = 0.001,
    eps: float = 1e-08,
    trust_clip: bool = False,
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
    momentum: float = 0,
    weight_decay: float = 0,
    nesterov: bool = False,
    trust_coeff: float = 0.001,
    eps: float = 1e-08,
    trust_clip: bool = False,
    out: bool = False,
) -> tuple[list[Array], list[State]]:
    """New parameters and states after step t: 1 for the first, one count for all parameters or one for each.

    A parameter whose gradient is None stays as it is. With out=True the arrays and dicts given are overwritten.
    Raises ValueError, before anything changes, for what cannot be stepped.
    """
    lr = number("lr", lr, at_least=0)
    momentum = number("momentum", momentum, at_least=0)
    weight_decay = number("weight_decay", weight_decay, at_least=0)
    trust_coeff = number("trust_coeff", trust_coeff)
    eps = number("eps", eps, at_least=0)
    if not (momentum > 0 or not nesterov):
        raise ValueError("Nesterov momentum requires a momentum and zero dampening")
    new_params, new_state = list(params), [dict(kept) for kept in state]
    work = to_step(params, grads, state, out)
    for i in work:
        theta_prev = params[i]
        g = np.asarray(grads[i], theta_prev.dtype)
        kept = _start(theta_prev)
        check_state(i, state[i], kept, ("momentum_buffer",))
        kept |= state[i]
        b_prev = kept["momentum_buffer"]
        if weight_decay != 0:
            if trust_clip:
                trust_scale = 1 / max(lr, 1e-30)
            # w_norm[t] = norm(theta[t - 1], elems)
            theta_prev_sq_sum = np.sum(theta_prev * theta_prev)
            w_norm = np.sqrt(theta_prev_sq_sum)
            # g_norm[t] = norm(g[t], elems)
            g_sq_sum = np.sum(g * g)
            g_norm = np.sqrt(g_sq_sum)
            # r[t] = Piecewise((trust_coeff*w_norm[t]/((g_norm[t] + weight_decay*w_norm[t]) + eps), (g_norm[t] > 0)
            #     & (w_norm[t] > 0)), (1, True))
            r = np.where(
                (g_norm > 0) & (w_norm > 0), trust_coeff * w_norm / (g_norm + weight_decay * w_norm + eps), 1
            )
            # trust[t] = Piecewise((Min(r[t]/Max(lr, 1.0e-30), 1), trust_clip), (r[t], True))
            if trust_clip:
                trust = np.minimum(r * trust_scale, 1)
            else:
                trust = r
        # g_used[t] = Piecewise((trust[t]*(g[t] + weight_decay*theta[t - 1]), Ne(weight_decay, 0)), (g[t],
        #     True))
        if weight_decay != 0:
            g_used = trust * (g + weight_decay * theta_prev)
        else:
            g_used = g
        # b[t] = momentum*b[t - 1] + g_used[t]
        b = momentum * b_prev + g_used
        # d[t] = Piecewise((g_used[t] + momentum*b[t], nesterov), (b[t], True))
        if nesterov:
            d = g_used + momentum * b
        else:
            d = b
        # theta[t] = theta[t - 1] - lr*d[t]
        theta = theta_prev - lr * d
        new_params[i] = np.asarray(theta, theta_prev.dtype)
        kept["momentum_buffer"] = np.asarray(b, theta_prev.dtype)
        new_state[i] = kept
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
