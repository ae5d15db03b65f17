"""Rprop. Written by optgen 0.1.0 (format 1) from rules/rprop.py; do not edit.

    optgen build rprop --backend triton

Riedmiller & Braun, A Direct Adaptive Method for Faster Backpropagation Learning, IEEE ICNN 1993,
https://doi.org/10.1109/ICNN.1993.298623. Numbers as torch.optim.Rprop.

    q[t] = g[t]*g_used[t - 1]
    f[t] = Piecewise((eta_plus, q[t] > 0), (eta_minus, q[t] < 0), (1, True))
    D[t] = Min(Max(D[t - 1]*f[t], smallest), largest_step)
    g_used[t] = Piecewise((0, q[t] < 0), (g[t], True))
    theta[t] = theta[t - 1] - sign(g_used[t])*D[t]
"""

from __future__ import annotations

import triton
import triton.language as tl

from ._device import (
    address,
    chunk_of,
    div,
    load,
    maximum,
    minimum,
    number,
    put,
    row_of,
    sign,
    store,
    stream,
    tensor_of,
    truth,
    whole_blocks,
)
from ._runtime import Launcher, Names

# A record holds the addresses of the parameter and these states; a row of scalars holds these.
STATES: tuple[str, ...] = ("prev", "step_size")
SCALARS = (
    "eta_minus",
    "eta_plus",
    "smallest",
    "largest_step",
)
# A clock holds the number of a row of these hyperparameters, the addresses of the count and these states, and these.
HYPERS: tuple[str, ...] = ("eta_minus", "eta_plus", "smallest", "largest_step")
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
    g_used_type: tl.constexpr,
    D_type: tl.constexpr,
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
    row = scalars + row_of(word) * 4
    start = chunk_of(word) * chunk
    left = tl.minimum(tl.load(record + 3) - start, chunk).to(tl.int32)
    if SCALED:
        left = tl.where(truth(found_inf), 0, left)
        factor = div(1.0, tl.load(grad_scale).to(COMPUTE), True)
    theta_at = stream(record + 0, theta_type, start)
    g_at = stream(gradients + tensor, g_type, start)
    g_used_at = stream(record + 1, g_used_type, start)
    D_at = stream(record + 2, D_type, start)
    eta_minus = tl.load(row + 0)
    eta_plus = tl.load(row + 1)
    smallest = tl.load(row + 2)
    largest_step = tl.load(row + 3)
    whole = whole_blocks(word, left, BLOCK)
    for tail in tl.static_range(2):
        for at in tl.range(whole if tail else 0, left if tail else whole, BLOCK // 2 if tail else BLOCK, num_stages=1):
            theta_prev = load(theta_at, at, left, tail, BLOCK, VEC, COMPUTE)
            g = load(g_at, at, left, tail, BLOCK, VEC, COMPUTE)
            if SCALED:
                g = factor * g
            if MAXIMIZE:
                g = -g
            g_used_prev = load(g_used_at, at, left, tail, BLOCK, VEC, COMPUTE)
            D_prev = load(D_at, at, left, tail, BLOCK, VEC, COMPUTE)
            # q[t] = g[t]*g_used[t - 1]
            q = g * g_used_prev
            # f[t] = Piecewise((eta_plus, q[t] > 0), (eta_minus, q[t] < 0), (1, True))
            f = tl.where(q > 0, eta_plus, tl.where(q < 0, eta_minus, tl.full((), 1, COMPUTE)))
            # D[t] = Min(Max(D[t - 1]*f[t], smallest), largest_step)
            D = minimum(maximum(D_prev * f, smallest), largest_step)
            # g_used[t] = Piecewise((0, q[t] < 0), (g[t], True))
            g_used = tl.where(q < 0, tl.full((), 0, COMPUTE), g)
            # theta[t] = theta[t - 1] - sign(g_used[t])*D[t]
            theta = theta_prev - sign(g_used) * D
            store(theta_at, theta, at, left, tail, BLOCK, VEC)
            store(g_used_at, g_used, at, left, tail, BLOCK, VEC)
            store(D_at, D, at, left, tail, BLOCK, VEC)


@triton.jit
def _prologue(
    clocks: tl.tensor,
    hypers: tl.tensor,
    scalars: tl.tensor,
    found_inf: tl.tensor,
    count: tl.tensor,
    t_type: tl.constexpr,
    SCALED: tl.constexpr,
    TENSORS: tl.constexpr,
) -> None:
    """The rows of scalars of some tensors, in float64, where counts lie on the device; the count and states go on."""
    tensor = tl.program_id(0) * TENSORS + tl.arange(0, TENSORS)
    there = tensor < count
    clock = clocks + tensor * 2
    hyper = hypers + tl.load(clock, there, 0) * 4
    row = scalars + tensor * 4
    goes = there & ~truth(found_inf) if SCALED else there
    eta_minus = number(hyper + 0, there)
    eta_plus = number(hyper + 1, there)
    smallest = number(hyper + 2, there)
    largest_step = number(hyper + 3, there)
    t_at = address(clock + 1, t_type, there)
    t = number(t_at, there) + 1
    put(row + 0, eta_minus, there)
    put(row + 1, eta_plus, there)
    put(row + 2, smallest, there)
    put(row + 3, largest_step, there)
    put(t_at, t, goes)


def flags() -> dict[str, bool]:
    """The variant of the kernel that a parameter group needs."""
    return {}


def launcher() -> Launcher:
    """A launcher for a set of tensors that step together."""
    return Launcher(_step, _prologue, Names(SCALARS, HYPERS, KEPT, TOLD))
