"""SGD. Written by optgen 0.1.0 (format 1) from rules/sgd.py; do not edit.

    optgen build sgd --backend triton

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

import triton
import triton.language as tl

from ._device import chunk_of, div, load, number, put, row_of, store, stream, tensor_of, truth, whole_blocks
from ._runtime import Launcher, Names

# A record holds the addresses of the parameter and these states; a row of scalars holds these.
STATES: tuple[str, ...] = ("momentum_buffer",)
SCALARS = (
    "lr",
    "momentum",
    "weight_decay",
    "first",
    "one_minus_dampening",
)
# A clock holds the number of a row of these hyperparameters, the addresses of the count and these states, and these.
HYPERS: tuple[str, ...] = ("lr", "momentum", "dampening", "weight_decay")
KEPT: tuple[str, ...] = ()
TOLD: tuple[str, ...] = ("first",)


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
    b_type: tl.constexpr,
    has_weight_decay: tl.constexpr,
    nesterov: tl.constexpr,
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
    left = tl.minimum(tl.load(record + 2) - start, chunk).to(tl.int32)
    if SCALED:
        left = tl.where(truth(found_inf), 0, left)
        factor = div(1.0, tl.load(grad_scale).to(COMPUTE), True)
    theta_at = stream(record + 0, theta_type, start)
    g_at = stream(gradients + tensor, g_type, start)
    b_at = stream(record + 1, b_type, start)
    lr = tl.load(row + 0)
    momentum = tl.load(row + 1)
    weight_decay = tl.load(row + 2)
    first = truth(row + 3)
    one_minus_dampening = tl.load(row + 4)
    whole = whole_blocks(word, left, BLOCK)
    for tail in tl.static_range(2):
        for at in tl.range(whole if tail else 0, left if tail else whole, BLOCK // 2 if tail else BLOCK, num_stages=1):
            theta_prev = load(theta_at, at, left, tail, BLOCK, VEC, COMPUTE)
            g = load(g_at, at, left, tail, BLOCK, VEC, COMPUTE)
            if SCALED:
                g = factor * g
            if MAXIMIZE:
                g = -g
            if has_momentum:
                b_prev = load(b_at, at, left, tail, BLOCK, VEC, COMPUTE)
            # g_wd[t] = Piecewise((g[t] + weight_decay*theta[t - 1], Ne(weight_decay, 0)), (g[t], True))
            if has_weight_decay:
                g_wd = g + weight_decay * theta_prev
            else:
                g_wd = g
            if has_momentum:
                # b[t] = Piecewise((g_wd[t], first), (momentum*b[t - 1] + (1 - dampening)*g_wd[t], True))
                b = tl.where(first, g_wd, momentum * b_prev + one_minus_dampening * g_wd)
            # d[t] = Piecewise((Piecewise((g_wd[t] + momentum*b[t], nesterov), (b[t], True)), Ne(momentum, 0)),
            #     (g_wd[t], True))
            if has_momentum:
                if nesterov:
                    d = g_wd + momentum * b
                else:
                    d = b
            else:
                d = g_wd
            # theta[t] = theta[t - 1] - lr*d[t]
            theta = theta_prev - lr * d
            store(theta_at, theta, at, left, tail, BLOCK, VEC)
            if has_momentum:
                store(b_at, b, at, left, tail, BLOCK, VEC)


@triton.jit
def _prologue(
    clocks: tl.tensor,
    hypers: tl.tensor,
    scalars: tl.tensor,
    found_inf: tl.tensor,
    count: tl.tensor,
    has_weight_decay: tl.constexpr,
    nesterov: tl.constexpr,
    has_momentum: tl.constexpr,
    SCALED: tl.constexpr,
    TENSORS: tl.constexpr,
) -> None:
    """The rows of scalars of some tensors, in float64, where counts lie on the device; the count and states go on."""
    tensor = tl.program_id(0) * TENSORS + tl.arange(0, TENSORS)
    there = tensor < count
    clock = clocks + tensor * 3
    hyper = hypers + tl.load(clock, there, 0) * 4
    row = scalars + tensor * 5
    lr = number(hyper + 0, there)
    momentum = number(hyper + 1, there)
    dampening = number(hyper + 2, there)
    weight_decay = number(hyper + 3, there)
    first = number(clock + 2, there) != 0
    if has_momentum:
        one_minus_dampening = 1 - dampening
    put(row + 0, lr, there)
    if has_momentum:
        put(row + 1, momentum, there)
    if has_weight_decay:
        put(row + 2, weight_decay, there)
    if has_momentum:
        put(row + 3, first, there)
        put(row + 4, one_minus_dampening, there)


def flags(*, momentum: float, weight_decay: float, nesterov: bool) -> dict[str, bool]:
    """The variant of the kernel that a parameter group needs."""
    return {"has_weight_decay": weight_decay != 0, "nesterov": nesterov, "has_momentum": momentum != 0}


def launcher() -> Launcher:
    """A launcher for a set of tensors that step together."""
    return Launcher(_step, _prologue, Names(SCALARS, HYPERS, KEPT, TOLD))
