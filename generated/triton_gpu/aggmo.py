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

from ._device import chunk_of, div, load, number, put, row_of, store, stream, tensor_of, truth, whole_blocks
from ._runtime import Launcher, Names

# A record holds the addresses of the parameter and these states; a row of scalars holds these.
STATES: tuple[str, ...] = ("v1", "v2", "v3")
SCALARS = (
    "beta1",
    "beta2",
    "beta3",
    "one_minus_lr_weight_decay",
    "lr_over_three",
)
# A clock holds the number of a row of these hyperparameters, the addresses of the count and these states, and these.
HYPERS: tuple[str, ...] = ("lr", "beta1", "beta2", "beta3", "weight_decay")
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
    v1_type: tl.constexpr,
    v2_type: tl.constexpr,
    v3_type: tl.constexpr,
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
    v1_at = stream(record + 1, v1_type, start)
    v2_at = stream(record + 2, v2_type, start)
    v3_at = stream(record + 3, v3_type, start)
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
            if SCALED:
                g = factor * g
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


@triton.jit
def _prologue(
    clocks: tl.tensor,
    hypers: tl.tensor,
    scalars: tl.tensor,
    found_inf: tl.tensor,
    count: tl.tensor,
    SCALED: tl.constexpr,
    TENSORS: tl.constexpr,
) -> None:
    """The rows of scalars of some tensors, in float64, where counts lie on the device; the count and states go on."""
    tensor = tl.program_id(0) * TENSORS + tl.arange(0, TENSORS)
    there = tensor < count
    clock = clocks + tensor * 2
    hyper = hypers + tl.load(clock, there, 0) * 5
    row = scalars + tensor * 5
    lr = number(hyper + 0, there)
    beta1 = number(hyper + 1, there)
    beta2 = number(hyper + 2, there)
    beta3 = number(hyper + 3, there)
    weight_decay = number(hyper + 4, there)
    one_minus_lr_weight_decay = 1 - lr * weight_decay
    lr_over_three = lr / 3
    put(row + 0, beta1, there)
    put(row + 1, beta2, there)
    put(row + 2, beta3, there)
    put(row + 3, one_minus_lr_weight_decay, there)
    put(row + 4, lr_over_three, there)


def flags() -> dict[str, bool]:
    """The variant of the kernel that a parameter group needs."""
    return {}


def launcher() -> Launcher:
    """A launcher for a set of tensors that step together."""
    return Launcher(_step, _prologue, Names(SCALARS, HYPERS, KEPT, TOLD))
