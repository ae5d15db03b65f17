"""ScheduleFreeSGD. Written by optgen 0.1.0 (format 1) from rules/schedulefreesgd.py; do not edit.

    optgen build schedulefreesgd --backend triton

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

import triton
import triton.language as tl

from ._device import chunk_of, load, row_of, store, stream, tensor_of, whole_blocks
from ._runtime import Launcher

# A record holds the addresses of the parameter, the gradient and these states; a row of scalars holds these.
STATES: tuple[str, ...] = ("z",)
SCALARS = (
    "weight_decay",
    "a",
    "c",
    "theta_scale",
)


@triton.jit
def _step(
    words: tl.tensor,
    records: tl.tensor,
    scalars: tl.tensor,
    chunk: tl.tensor,
    theta_type: tl.constexpr,
    g_type: tl.constexpr,
    z_type: tl.constexpr,
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
    z_at = stream(record, 2, z_type, start)
    left = tl.minimum(tl.load(record + 3) - start, chunk).to(tl.int32)
    weight_decay = tl.load(row + 0)
    a = tl.load(row + 1)
    c = tl.load(row + 2)
    theta_scale = tl.load(row + 3)
    whole = whole_blocks(word, left, BLOCK)
    for tail in tl.static_range(2):
        for at in tl.range(whole if tail else 0, left if tail else whole, BLOCK // 2 if tail else BLOCK, num_stages=1):
            theta_prev = load(theta_at, at, left, tail, BLOCK, VEC, COMPUTE)
            g = load(g_at, at, left, tail, BLOCK, VEC, COMPUTE)
            if MAXIMIZE:
                g = -g
            z_prev = load(z_at, at, left, tail, BLOCK, VEC, COMPUTE)
            # g_wd[t] = g[t] + weight_decay*theta[t - 1]
            g_wd = g + weight_decay * theta_prev
            # theta[t] = (theta[t - 1] + c[t]*(z[t - 1] - theta[t - 1])) + a[t]*(momentum*(1 - c[t]) - 1)*g_wd[t]
            theta = theta_prev + c * (z_prev - theta_prev) + theta_scale * g_wd
            # z[t] = z[t - 1] - a[t]*g_wd[t]
            z = z_prev - a * g_wd
            store(theta_at, theta, at, left, tail, BLOCK, VEC)
            store(z_at, z, at, left, tail, BLOCK, VEC)


def flags() -> dict[str, bool]:
    """The variant of the kernel that a parameter group needs."""
    return {}


def launcher() -> Launcher:
    """A launcher for a set of tensors that step together."""
    return Launcher(_step, SCALARS)
