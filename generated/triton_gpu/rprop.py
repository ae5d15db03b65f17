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

from ._device import chunk_of, load, maximum, minimum, row_of, sign, store, stream, tensor_of, whole_blocks
from ._runtime import Launcher

# A record holds the addresses of the parameter, the gradient and these states; a row of scalars holds these.
STATES: tuple[str, ...] = ("prev", "step_size")
SCALARS = (
    "eta_minus",
    "eta_plus",
    "smallest",
    "largest_step",
)


@triton.jit
def _step(
    words: tl.tensor,
    records: tl.tensor,
    scalars: tl.tensor,
    chunk: tl.tensor,
    theta_type: tl.constexpr,
    g_type: tl.constexpr,
    g_used_type: tl.constexpr,
    D_type: tl.constexpr,
    MAXIMIZE: tl.constexpr,
    STRICT: tl.constexpr,
    COMPUTE: tl.constexpr,
    BLOCK: tl.constexpr,
    VEC: tl.constexpr,
) -> None:
    """One chunk of one tensor: whole blocks without a mask, then the rest, or all of a slow chunk, under one."""
    word = tl.load(words + tl.program_id(0))
    record = records + tensor_of(word) * 8
    row = scalars + row_of(word) * 4
    start = chunk_of(word) * chunk
    theta_at = stream(record, 0, theta_type, start)
    g_at = stream(record, 1, g_type, start)
    g_used_at = stream(record, 2, g_used_type, start)
    D_at = stream(record, 3, D_type, start)
    left = tl.minimum(tl.load(record + 4) - start, chunk).to(tl.int32)
    eta_minus = tl.load(row + 0)
    eta_plus = tl.load(row + 1)
    smallest = tl.load(row + 2)
    largest_step = tl.load(row + 3)
    whole = whole_blocks(word, left, BLOCK)
    for tail in tl.static_range(2):
        for at in tl.range(whole if tail else 0, left if tail else whole, BLOCK // 2 if tail else BLOCK, num_stages=1):
            theta_prev = load(theta_at, at, left, tail, BLOCK, VEC, COMPUTE)
            g = load(g_at, at, left, tail, BLOCK, VEC, COMPUTE)
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


def flags() -> dict[str, bool]:
    """The variant of the kernel that a parameter group needs."""
    return {}


def launcher() -> Launcher:
    """A launcher for a set of tensors that step together."""
    return Launcher(_step, SCALARS)
