"""ScheduleFreeAdamW. Written by optgen 0.1.0 (format 1) from rules/schedulefreeadamw.py; do not edit.

    optgen build schedulefreeadamw --backend triton

Defazio, Yang, Mehta, Mishchenko, Khaled & Cutkosky, The Road Less Scheduled, NeurIPS 2024,
https://arxiv.org/abs/2405.15682, Algorithm 1. Numbers as schedulefree.AdamWScheduleFree, with a count for each
parameter, which is y in training and the average x in evaluation: train(), eval().

    a[t] = lr*Piecewise((t/warmup_steps, t < warmup_steps), (1, True))
    l_max[t] = Max(l_max[t - 1], a[t])
    w[t] = t**r*l_max[t]**weight_lr_power
    W[t] = W[t - 1] + w[t]
    c[t] = Piecewise((w[t]/W[t], W[t] > 0), (0, True))
    v[t] = beta2*v[t - 1] + (1 - beta2)*g[t]**2
    n[t] = g[t]/(sqrt(v[t]/(1 - beta2**t)) + eps) + weight_decay*theta[t - 1]
    theta[t] = (theta[t - 1] + c[t]*(z[t - 1] - theta[t - 1])) + a[t]*(beta1*(1 - c[t]) - 1)*n[t]
    z[t] = z[t - 1] - a[t]*n[t]
    and by train():
    theta[t] = theta[t - 1] + (1 - beta1)*(z[t - 1] - theta[t - 1])
    and by eval():
    theta[t] = theta[t - 1] + (1 - 1/beta1)*(z[t - 1] - theta[t - 1])
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
    one_minus_power,
    power,
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
STATES: tuple[str, ...] = ("z", "exp_avg_sq")
SCALARS = (
    "beta2",
    "eps",
    "weight_decay",
    "a",
    "c",
    "one_minus_beta2",
    "inv_one_minus_beta2_t",
    "theta_scale",
)
# A clock holds the number of a row of these hyperparameters, the addresses of the count and these states, and these.
HYPERS: tuple[str, ...] = ("lr", "beta1", "beta2", "eps", "weight_decay", "warmup_steps", "r", "weight_lr_power")
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
    v_type: tl.constexpr,
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
    row = scalars + row_of(word) * 8
    start = chunk_of(word) * chunk
    left = tl.minimum(tl.load(record + 3) - start, chunk).to(tl.int32)
    if SCALED:
        left = tl.where(truth(found_inf), 0, left)
        factor = div(1.0, tl.load(grad_scale).to(COMPUTE), True)
    theta_at = stream(record + 0, theta_type, start)
    g_at = stream(gradients + tensor, g_type, start)
    z_at = stream(record + 1, z_type, start)
    v_at = stream(record + 2, v_type, start)
    beta2 = tl.load(row + 0)
    eps = tl.load(row + 1)
    weight_decay = tl.load(row + 2)
    a = tl.load(row + 3)
    c = tl.load(row + 4)
    one_minus_beta2 = tl.load(row + 5)
    inv_one_minus_beta2_t = tl.load(row + 6)
    theta_scale = tl.load(row + 7)
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
            v_prev = load(v_at, at, left, tail, BLOCK, VEC, COMPUTE)
            # v[t] = beta2*v[t - 1] + (1 - beta2)*g[t]**2
            v = beta2 * v_prev + one_minus_beta2 * (g * g)
            # n[t] = g[t]/(sqrt(v[t]/(1 - beta2**t)) + eps) + weight_decay*theta[t - 1]
            n = div(g, sqrt(v * inv_one_minus_beta2_t, STRICT) + eps, STRICT) + weight_decay * theta_prev
            # theta[t] = (theta[t - 1] + c[t]*(z[t - 1] - theta[t - 1])) + a[t]*(beta1*(1 - c[t]) - 1)*n[t]
            theta = theta_prev + c * (z_prev - theta_prev) + theta_scale * n
            # z[t] = z[t - 1] - a[t]*n[t]
            z = z_prev - a * n
            store(theta_at, theta, at, left, tail, BLOCK, VEC)
            store(z_at, z, at, left, tail, BLOCK, VEC)
            store(v_at, v, at, left, tail, BLOCK, VEC)


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
    hyper = hypers + tl.load(clock, there, 0) * 8
    row = scalars + tensor * 8
    goes = there & ~truth(found_inf) if SCALED else there
    lr = number(hyper + 0, there)
    beta1 = number(hyper + 1, there)
    beta2 = number(hyper + 2, there)
    eps = number(hyper + 3, there)
    weight_decay = number(hyper + 4, there)
    warmup_steps = number(hyper + 5, there)
    r = number(hyper + 6, there)
    weight_lr_power = number(hyper + 7, there)
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
    one_minus_beta2 = 1 - beta2
    inv_one_minus_beta2_t = 1 / one_minus_power(beta2, t)
    theta_scale = a * (beta1 * (1 - c) - 1)
    put(row + 0, beta2, there)
    put(row + 1, eps, there)
    put(row + 2, weight_decay, there)
    put(row + 3, a, there)
    put(row + 4, c, there)
    put(row + 5, one_minus_beta2, there)
    put(row + 6, inv_one_minus_beta2_t, there)
    put(row + 7, theta_scale, there)
    put(l_max_at, l_max, goes)
    put(W_at, W, goes)
    put(t_at, t, goes)


def flags() -> dict[str, bool]:
    """The variant of the kernel that a parameter group needs."""
    return {}


def launcher() -> Launcher:
    """A launcher for a set of tensors that step together."""
    return Launcher(_step, _prologue, Names(SCALARS, HYPERS, KEPT, TOLD))
