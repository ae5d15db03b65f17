"""AggMo. Written by optgen 0.1.0 (format 1) from rules/aggmo.py; do not edit.

    optgen build aggmo --backend triton

Lucas, Sun, Zemel & Grosse, Aggregated Momentum: Stability Through Passive Damping, ICLR 2019,
https://arxiv.org/abs/1804.00325, equation 4, with three velocities. Numbers as pytorch_optimizer.AggMo with
weight_decouple=True.

    v1[t] = beta1*v1[t - 1] + g[t]
    v2[t] = beta2*v2[t - 1] + g[t]
    v3[t] = beta3*v3[t - 1] + g[t]
    theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr/3*((v1[t] + v2[t]) + v3[t])
"""

from __future__ import annotations

import triton
import triton.language as tl

from ._device import chunk_of, load, row_of, store, stream, tensor_of, whole_blocks
from ._runtime import Launcher

# A record holds the addresses of the parameter, the gradient and these states; a row of scalars holds these.
STATES: tuple[str, ...] = ("v1", "v2", "v3")
SCALARS = (
    "beta1",
    "beta2",
    "beta3",
    "one_minus_lr_weight_decay",
    "lr_over_three",
)


@triton.jit
def _step(
    words: tl.tensor,
    records: tl.tensor,
    scalars: tl.tensor,
    chunk: tl.tensor,
    theta_type: tl.constexpr,
    g_type: tl.constexpr,
    v1_type: tl.constexpr,
    v2_type: tl.constexpr,
    v3_type: tl.constexpr,
    MAXIMIZE: tl.constexpr,
    STRICT: tl.constexpr,
    COMPUTE: tl.constexpr,
    BLOCK: tl.constexpr,
    VEC: tl.constexpr,
) -> None:
    """One chunk of one tensor: whole blocks without a mask, then the rest, or all of a slow chunk, under one."""
    word = tl.load(words + tl.program_id(0))
    record = records + tensor_of(word) * 8
    row = scalars + row_of(word) * 5
    start = chunk_of(word) * chunk
    theta_at = stream(record, 0, theta_type, start)
    g_at = stream(record, 1, g_type, start)
    v1_at = stream(record, 2, v1_type, start)
    v2_at = stream(record, 3, v2_type, start)
    v3_at = stream(record, 4, v3_type, start)
    left = tl.minimum(tl.load(record + 5) - start, chunk).to(tl.int32)
    beta1 = tl.load(row + 0)
    beta2 = tl.load(row + 1)
    beta3 = tl.load(row + 2)
    one_minus_lr_weight_decay = tl.load(row + 3)
    lr_over_three = tl.load(row + 4)
    whole = whole_blocks(word, left, BLOCK)
    for tail in tl.static_range(2):
        for at in tl.range(whole if tail else 0, left if tail else whole, BLOCK // 2 if tail else BLOCK, num_stages=1):
            theta_prev = load(theta_at, at, left, tail, BLOCK, VEC, COMPUTE)
            g = load(g_at, at, left, tail, BLOCK, VEC, COMPUTE)
            if MAXIMIZE:
                g = -g
            v1_prev = load(v1_at, at, left, tail, BLOCK, VEC, COMPUTE)
            v2_prev = load(v2_at, at, left, tail, BLOCK, VEC, COMPUTE)
            v3_prev = load(v3_at, at, left, tail, BLOCK, VEC, COMPUTE)
            # v1[t] = beta1*v1[t - 1] + g[t]
            v1 = beta1 * v1_prev + g
            # v2[t] = beta2*v2[t - 1] + g[t]
            v2 = beta2 * v2_prev + g
            # v3[t] = beta3*v3[t - 1] + g[t]
            v3 = beta3 * v3_prev + g
            # theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr/3*((v1[t] + v2[t]) + v3[t])
            theta = theta_prev * one_minus_lr_weight_decay - lr_over_three * (v1 + v2 + v3)
            store(theta_at, theta, at, left, tail, BLOCK, VEC)
            store(v1_at, v1, at, left, tail, BLOCK, VEC)
            store(v2_at, v2, at, left, tail, BLOCK, VEC)
            store(v3_at, v3, at, left, tail, BLOCK, VEC)


def flags() -> dict[str, bool]:
    """The variant of the kernel that a parameter group needs."""
    return {}


def launcher() -> Launcher:
    """A launcher for a set of tensors that step together."""
    return Launcher(_step, SCALARS)
