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

from ._device import (
    address,
    chunk_of,
    div,
    fp64,
    load,
    maximum,
    number,
    power,
    put,
    row_of,
    store,
    stream,
    tensor_of,
    truth,
    whole_blocks,
)
from ._runtime import Launcher, Names

# A record holds the addresses of the parameter and these states; a row of scalars holds these.
STATES: tuple[str, ...] = ("z",)
SCALARS = (
    "weight_decay",
    "a",
    "c",
    "theta_scale",
)
# A clock holds the number of a row of these hyperparameters, the addresses of the count and these states, and these.
HYPERS: tuple[str, ...] = ("lr", "momentum", "weight_decay", "warmup_steps", "r", "weight_lr_power")
KEPT: tuple[str, ...] = ("lr_max", "weight_sum")
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
    z_type: tl.constexpr,
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
    left = tl.minimum(tl.load(record + 2) - start, chunk).to(tl.int32)
    if SCALED:
        left = tl.where(truth(found_inf), 0, left)
        factor = div(1.0, tl.load(grad_scale).to(COMPUTE), True)
    theta_at = stream(record + 0, theta_type, start)
    g_at = stream(gradients + tensor, g_type, start)
    z_at = stream(record + 1, z_type, start)
    weight_decay = tl.load(row + 0)
    a = tl.load(row + 1)
    c = tl.load(row + 2)
    theta_scale = tl.load(row + 3)
    whole = whole_blocks(word, left, BLOCK)
    for tail in tl.static_range(2):
        for at in tl.range(whole if tail else 0, left if tail else whole, BLOCK // 2 if tail else BLOCK, num_stages=1):
            theta_prev = load(theta_at, at, left, tail, BLOCK, VEC, COMPUTE)
            g = load(g_at, at, left, tail, BLOCK, VEC, COMPUTE)
            if SCALED:
                g = factor * g
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


@triton.jit
def _prologue(
    clocks: tl.tensor,
    hypers: tl.tensor,
    scalars: tl.tensor,
    found_inf: tl.tensor,
    count: tl.tensor,
    t_type: tl.constexpr,
    l_max_type: tl.constexpr,
    W_type: tl.constexpr,
    SCALED: tl.constexpr,
    TENSORS: tl.constexpr,
) -> None:
    """The rows of scalars of some tensors, in float64, where counts lie on the device; the count and states go on."""
    tensor = tl.program_id(0) * TENSORS + tl.arange(0, TENSORS)
    there = tensor < count
    clock = clocks + tensor * 4
    hyper = hypers + tl.load(clock, there, 0) * 6
    row = scalars + tensor * 4
    goes = there & ~truth(found_inf) if SCALED else there
    lr = number(hyper + 0, there)
    momentum = number(hyper + 1, there)
    weight_decay = number(hyper + 2, there)
    warmup_steps = number(hyper + 3, there)
    r = number(hyper + 4, there)
    weight_lr_power = number(hyper + 5, there)
    t_at = address(clock + 1, t_type, there)
    t = number(t_at, there) + 1
    l_max_at = address(clock + 2, l_max_type, there)
    l_max_prev = number(l_max_at, there)
    W_at = address(clock + 3, W_type, there)
    W_prev = number(W_at, there)
    a = lr * tl.where(t < warmup_steps, t / warmup_steps, fp64(1))
    l_max = maximum(l_max_prev, a)
    w = power(t, r) * power(l_max, weight_lr_power)
    W = W_prev + w
    c = tl.where(W > 0, w / W, fp64(0))
    theta_scale = a * (momentum * (1 - c) - 1)
    put(row + 0, weight_decay, there)
    put(row + 1, a, there)
    put(row + 2, c, there)
    put(row + 3, theta_scale, there)
    put(l_max_at, l_max, goes)
    put(W_at, W, goes)
    put(t_at, t, goes)


def flags() -> dict[str, bool]:
    """The variant of the kernel that a parameter group needs."""
    return {}


def launcher() -> Launcher:
    """A launcher for a set of tensors that step together."""
    return Launcher(_step, _prologue, Names(SCALARS, HYPERS, KEPT, TOLD))
