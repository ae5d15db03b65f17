"""RMSpropTF. Written by optgen 0.1.0 (format 1) from rules/rmsproptf.py; do not edit.

    optgen build rmsproptf --backend triton

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

import triton
import triton.language as tl

from ._device import (
    address,
    chunk_of,
    div,
    load,
    number,
    put,
    row_of,
    sqrt,
    store,
    stream,
    tensor_of,
    truth,
    whole_blocks,
)
from ._runtime import Launcher, Names

# A record holds the addresses of the parameter and these states; a row of scalars holds these.
STATES: tuple[str, ...] = ("square_avg", "momentum_buffer", "grad_avg")
SCALARS = (
    "lr",
    "eps",
    "weight_decay",
    "momentum",
    "one_minus_alpha",
)
# A clock holds the number of a row of these hyperparameters, the addresses of the count and these states, and these.
HYPERS: tuple[str, ...] = ("lr", "alpha", "eps", "momentum", "weight_decay")
KEPT: tuple[str, ...] = ()
TOLD: tuple[str, ...] = ()


@triton.jit
def _step(
    words: tl.tensor,
    records: tl.tensor,
    gradients: tl.tensor,
    scalars: tl.tensor,
    grad_scale: tl.tensor,
    found_inf: tl.tensor,
    chunk: tl.tensor,
    theta_type: tl.constexpr,
    g_type: tl.constexpr,
    v_type: tl.constexpr,
    b_type: tl.constexpr,
    a_type: tl.constexpr,
    has_weight_decay: tl.constexpr,
    centered: tl.constexpr,
    has_momentum: tl.constexpr,
    MAXIMIZE: tl.constexpr,
    SCALED: tl.constexpr,
    STRICT: tl.constexpr,
    COMPUTE: tl.constexpr,
    BLOCK: tl.constexpr,
    VEC: tl.constexpr,
) -> None:
    """One chunk of one tensor: whole blocks without a mask, then the rest, or all of a slow chunk, under one."""
    word = tl.load(words + tl.program_id(0))
    tensor = tensor_of(word)
    record = records + tensor * 8
    row = scalars + row_of(word) * 5
    start = chunk_of(word) * chunk
    left = tl.minimum(tl.load(record + 4) - start, chunk).to(tl.int32)
    if SCALED:
        left = tl.where(truth(found_inf), 0, left)
        factor = div(1.0, tl.load(grad_scale).to(COMPUTE), True)
    theta_at = stream(record + 0, theta_type, start)
    g_at = stream(gradients + tensor, g_type, start)
    v_at = stream(record + 1, v_type, start)
    b_at = stream(record + 2, b_type, start)
    a_at = stream(record + 3, a_type, start)
    lr = tl.load(row + 0)
    eps = tl.load(row + 1)
    weight_decay = tl.load(row + 2)
    momentum = tl.load(row + 3)
    one_minus_alpha = tl.load(row + 4)
    whole = whole_blocks(word, left, BLOCK)
    for tail in tl.static_range(2):
        for at in tl.range(whole if tail else 0, left if tail else whole, BLOCK // 2 if tail else BLOCK, num_stages=1):
            theta_prev = load(theta_at, at, left, tail, BLOCK, VEC, COMPUTE)
            g = load(g_at, at, left, tail, BLOCK, VEC, COMPUTE)
            if SCALED:
                g = factor * g
            if MAXIMIZE:
                g = -g
            v_prev = load(v_at, at, left, tail, BLOCK, VEC, COMPUTE)
            if has_momentum:
                b_prev = load(b_at, at, left, tail, BLOCK, VEC, COMPUTE)
            if centered:
                a_prev = load(a_at, at, left, tail, BLOCK, VEC, COMPUTE)
            # g_wd[t] = Piecewise((g[t] + weight_decay*theta[t - 1], Ne(weight_decay, 0)), (g[t], True))
            if has_weight_decay:
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
            u = lr * div(g_wd, sqrt(s + eps, STRICT), STRICT)
            if has_momentum:
                # b[t] = momentum*b[t - 1] + u[t]
                b = momentum * b_prev + u
            # d[t] = Piecewise((b[t], Ne(momentum, 0)), (u[t], True))
            if has_momentum:
                d = b
            else:
                d = u
            # theta[t] = theta[t - 1] - d[t]
            theta = theta_prev - d
            store(theta_at, theta, at, left, tail, BLOCK, VEC)
            store(v_at, v, at, left, tail, BLOCK, VEC)
            if has_momentum:
                store(b_at, b, at, left, tail, BLOCK, VEC)
            if centered:
                store(a_at, a, at, left, tail, BLOCK, VEC)


@triton.jit
def _prologue(
    clocks: tl.tensor,
    hypers: tl.tensor,
    scalars: tl.tensor,
    found_inf: tl.tensor,
    count: tl.tensor,
    t_type: tl.constexpr,
    has_weight_decay: tl.constexpr,
    centered: tl.constexpr,
    has_momentum: tl.constexpr,
    SCALED: tl.constexpr,
    TENSORS: tl.constexpr,
) -> None:
    """The rows of scalars of some tensors, in float64, where counts lie on the device; the count and states go on."""
    tensor = tl.program_id(0) * TENSORS + tl.arange(0, TENSORS)
    there = tensor < count
    clock = clocks + tensor * 2
    hyper = hypers + tl.load(clock, there, 0) * 5
    row = scalars + tensor * 5
    goes = there & ~truth(found_inf) if SCALED else there
    lr = number(hyper + 0, there)
    alpha = number(hyper + 1, there)
    eps = number(hyper + 2, there)
    momentum = number(hyper + 3, there)
    weight_decay = number(hyper + 4, there)
    t_at = address(clock + 1, t_type, there)
    t = number(t_at, there) + 1
    one_minus_alpha = 1 - alpha
    put(row + 0, lr, there)
    put(row + 1, eps, there)
    if has_weight_decay:
        put(row + 2, weight_decay, there)
    if has_momentum:
        put(row + 3, momentum, there)
    put(row + 4, one_minus_alpha, there)
    put(t_at, t, goes)


def flags(*, weight_decay: float, momentum: float, centered: bool) -> dict[str, bool]:
    """The variant of the kernel that a parameter group needs."""
    return {"has_weight_decay": weight_decay != 0, "centered": centered, "has_momentum": momentum != 0}


def launcher() -> Launcher:
    """A launcher for a set of tensors that step together."""
    return Launcher(_step, _prologue, Names(SCALARS, HYPERS, KEPT, TOLD))
