"""ScheduleFreeSGD. Written by optgen 0.1.0 (format 1) from rules/schedulefreesgd.py; do not edit.

    optgen build schedulefreesgd --backend numpy

Defazio, Yang, Mehta, Mishchenko, Khaled & Cutkosky, The Road Less Scheduled, NeurIPS 2024,
https://arxiv.org/abs/2405.15682, Equations 3 to 5. Numbers as schedulefree.SGDScheduleFree, with a count for each
parameter, which is y in training and the average x in evaluation: train(), eval().

    a[t] = lr*Piecewise((t/warmup_steps, t < warmup_steps), (1, True))
    l_max[t] = Max(l_max[t - 1], a[t])
    w[t] = t**r*l_max[t]**weight_lr_power
    W[t] = W[t - 1] + w[t]
    c[t] = Piecewise((w[t]/W[t], W[t] > 0), (0, True))
    g_wd[t] = g[t] + weight_decay*theta[t - 1]
    theta[t] = (theta[t - 1] + c[t]*(z[t - 1] - theta[t - 1])) + a[t]*(momentum*(1 - c[t]) - 1)*g_wd[t]
    z[t] = z[t - 1] - a[t]*g_wd[t]
    and by train():
    theta[t] = theta[t - 1] + (1 - momentum)*(z[t - 1] - theta[t - 1])
    and by eval():
    theta[t] = theta[t - 1] + (1 - 1/momentum)*(z[t - 1] - theta[t - 1])
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
    lr: float = 1.0,
    momentum: float = 0.9,
    weight_decay: float = 0,
    warmup_steps: float = 0,
    r: float = 0.0,
    weight_lr_power: float = 2.0,
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
    momentum: float = 0.9,
    weight_decay: float = 0,
    warmup_steps: float = 0,
    r: float = 0.0,
    weight_lr_power: float = 2.0,
    out: bool = False,
) -> tuple[list[Array], list[State]]:
    """New parameters and states after step t: 1 for the first, one count for all parameters or one for each.

    A parameter whose gradient is None stays as it is. With out=True the arrays and dicts given are overwritten.
    Raises ValueError, before anything changes, for what cannot be stepped.
    """
    lr = number("lr", lr, at_least=0)
    momentum = number("momentum", momentum, above=0, below=1)
    weight_decay = number("weight_decay", weight_decay, at_least=0)
    warmup_steps = number("warmup_steps", warmup_steps, at_least=0)
    r = number("r", r)
    weight_lr_power = number("weight_lr_power", weight_lr_power)
    steps = counts(t, params)
    new_params, new_state = list(params), [dict(kept) for kept in state]
    work = to_step(params, grads, state, out)
    keys = ("z", "lr_max", "weight_sum")
    states = begin(work, params, grads, state, keys, lambda theta_prev, g: _start(theta_prev))
    for i, theta_prev, g, kept, new in stretches(params, grads, states, new_params, new_state, out):
        t = steps[i]
        z_prev = kept["z"]
        l_max_prev = float(kept["lr_max"])
        W_prev = float(kept["weight_sum"])
        a = lr * (t / warmup_steps if t < warmup_steps else 1)
        l_max = max(l_max_prev, a)
        w = t**r * l_max**weight_lr_power
        W = W_prev + w
        c = w / W if W > 0 else 0
        theta_scale = a * (momentum * (1 - c) - 1)
        # g_wd[t] = g[t] + weight_decay*theta[t - 1]
        g_wd = g + weight_decay * theta_prev
        # theta[t] = (theta[t - 1] + c[t]*(z[t - 1] - theta[t - 1])) + a[t]*(momentum*(1 - c[t]) - 1)*g_wd[t]
        theta = theta_prev + c * (z_prev - theta_prev) + theta_scale * g_wd
        # z[t] = z[t - 1] - a[t]*g_wd[t]
        z = z_prev - a * g_wd
        new["param"] = np.asarray(theta, theta_prev.dtype)
        new["z"] = np.asarray(z, theta_prev.dtype)
        new["lr_max"] = l_max
        new["weight_sum"] = W
    if out:
        for i in work:
            params[i][...] = new_params[i]
            state[i].update(new_state[i])
    return (list(params), list(state)) if out else (new_params, new_state)


def to_train(
    params: Sequence[Array],
    state: Sequence[State],
    *,
    lr: float = 1.0,
    momentum: float = 0.9,
    weight_decay: float = 0,
    warmup_steps: float = 0,
    r: float = 0.0,
    weight_lr_power: float = 2.0,
) -> tuple[list[Array], list[State]]:
    """What `train` makes of parameters and states, as new ones; what has not stepped stays as it is."""
    momentum = number("momentum", momentum, above=0, below=1)
    new_params, new_state = list(params), [dict(kept) for kept in state]
    for i, kept in enumerate(new_state):
        if not kept.keys() >= {"z"}:
            continue
        theta_prev, new = params[i], {}
        z_prev = kept["z"]
        one_minus_momentum = 1 - momentum
        # theta[t] = theta[t - 1] + (1 - momentum)*(z[t - 1] - theta[t - 1])
        theta = theta_prev + one_minus_momentum * (z_prev - theta_prev)
        new["param"] = np.asarray(theta, theta_prev.dtype)
        new_params[i] = new.pop("param")
        kept |= new
    return new_params, new_state


def to_eval(
    params: Sequence[Array],
    state: Sequence[State],
    *,
    lr: float = 1.0,
    momentum: float = 0.9,
    weight_decay: float = 0,
    warmup_steps: float = 0,
    r: float = 0.0,
    weight_lr_power: float = 2.0,
) -> tuple[list[Array], list[State]]:
    """What `eval` makes of parameters and states, as new ones; what has not stepped stays as it is."""
    momentum = number("momentum", momentum, above=0, below=1)
    new_params, new_state = list(params), [dict(kept) for kept in state]
    for i, kept in enumerate(new_state):
        if not kept.keys() >= {"z"}:
            continue
        theta_prev, new = params[i], {}
        z_prev = kept["z"]
        one_minus_inv_momentum = 1 - 1 / momentum
        # theta[t] = theta[t - 1] + (1 - 1/momentum)*(z[t - 1] - theta[t - 1])
        theta = theta_prev + one_minus_inv_momentum * (z_prev - theta_prev)
        new["param"] = np.asarray(theta, theta_prev.dtype)
        new_params[i] = new.pop("param")
        kept |= new
    return new_params, new_state


def _start(theta_prev: Array) -> State:
    """The states that this variant of the rule reads, at their first values."""
    kept: State = {}
    kept["z"] = theta_prev.copy()
    kept["lr_max"] = float(0)
    kept["weight_sum"] = float(0)
    return kept
