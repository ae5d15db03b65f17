"""Adan. Written by optgen 0.1.0 (format 1) from rules/adan.py; do not edit.

    optgen build adan --backend triton

Xie, Zhou, Li, Lin & Yan, Adan: Adaptive Nesterov Momentum Algorithm for Faster Optimizing Deep Models, TPAMI 2024,
https://arxiv.org/abs/2208.06677, Algorithm 1. Numbers as timm.optim.Adan.

    change[t] = g[t] - g[t - 1]
    m[t] = beta1*m[t - 1] + (1 - beta1)*g[t]
    d[t] = beta2*d[t - 1] + (1 - beta2)*change[t]
    n[t] = beta3*n[t - 1] + (1 - beta3)*(g[t] + beta2*change[t])**2
    D[t] = sqrt(n[t])/sqrt(1 - beta3**t) + eps
    u[t] = lr/(1 - beta1**t)*(m[t]/D[t]) + lr*beta2/(1 - beta2**t)*(d[t]/D[t])
    theta[t] = Piecewise((theta[t - 1]*(1 - lr*weight_decay) - u[t], no_prox), ((theta[t - 1] - u[t])/(1 +
        lr*weight_decay), True))
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
    one_minus_power,
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
STATES: tuple[str, ...] = ("exp_avg", "exp_avg_diff", "exp_avg_sq", "previous_grad")
SCALARS = (
    "beta1",
    "beta2",
    "beta3",
    "eps",
    "one_minus_beta1",
    "one_minus_beta2",
    "one_minus_beta3",
    "inv_sqrt_one_minus_beta3_t",
    "lr_over_one_minus_beta1_t",
    "lr_beta2_over_one_minus_beta2_t",
    "inv_one_plus_lr_weight_decay",
    "one_minus_lr_weight_decay",
)
# A clock holds the number of a row of these hyperparameters, the addresses of the count and these states, and these.
HYPERS: tuple[str, ...] = ("lr", "beta1", "beta2", "beta3", "eps", "weight_decay")
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
    m_type: tl.constexpr,
    d_type: tl.constexpr,
    n_type: tl.constexpr,
    g_prev_type: tl.constexpr,
    no_prox: tl.constexpr,
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
    row = scalars + row_of(word) * 12
    start = chunk_of(word) * chunk
    left = tl.minimum(tl.load(record + 5) - start, chunk).to(tl.int32)
    if SCALED:
        left = tl.where(truth(found_inf), 0, left)
        factor = div(1.0, tl.load(grad_scale).to(COMPUTE), True)
    theta_at = stream(record + 0, theta_type, start)
    g_at = stream(gradients + tensor, g_type, start)
    m_at = stream(record + 1, m_type, start)
    d_at = stream(record + 2, d_type, start)
    n_at = stream(record + 3, n_type, start)
    g_prev_at = stream(record + 4, g_prev_type, start)
    beta1 = tl.load(row + 0)
    beta2 = tl.load(row + 1)
    beta3 = tl.load(row + 2)
    eps = tl.load(row + 3)
    one_minus_beta1 = tl.load(row + 4)
    one_minus_beta2 = tl.load(row + 5)
    one_minus_beta3 = tl.load(row + 6)
    inv_sqrt_one_minus_beta3_t = tl.load(row + 7)
    lr_over_one_minus_beta1_t = tl.load(row + 8)
    lr_beta2_over_one_minus_beta2_t = tl.load(row + 9)
    inv_one_plus_lr_weight_decay = tl.load(row + 10)
    one_minus_lr_weight_decay = tl.load(row + 11)
    whole = whole_blocks(word, left, BLOCK)
    for tail in tl.static_range(2):
        for at in tl.range(whole if tail else 0, left if tail else whole, BLOCK // 2 if tail else BLOCK, num_stages=1):
            theta_prev = load(theta_at, at, left, tail, BLOCK, VEC, COMPUTE)
            g = load(g_at, at, left, tail, BLOCK, VEC, COMPUTE)
            if SCALED:
                g = factor * g
            if MAXIMIZE:
                g = -g
            m_prev = load(m_at, at, left, tail, BLOCK, VEC, COMPUTE)
            d_prev = load(d_at, at, left, tail, BLOCK, VEC, COMPUTE)
            n_prev = load(n_at, at, left, tail, BLOCK, VEC, COMPUTE)
            g_prev = load(g_prev_at, at, left, tail, BLOCK, VEC, COMPUTE)
            # change[t] = g[t] - g[t - 1]
            change = g - g_prev
            # m[t] = beta1*m[t - 1] + (1 - beta1)*g[t]
            m = beta1 * m_prev + one_minus_beta1 * g
            # d[t] = beta2*d[t - 1] + (1 - beta2)*change[t]
            d = beta2 * d_prev + one_minus_beta2 * change
            # n[t] = beta3*n[t - 1] + (1 - beta3)*(g[t] + beta2*change[t])**2
            n_base = g + beta2 * change
            n = beta3 * n_prev + one_minus_beta3 * (n_base * n_base)
            # D[t] = sqrt(n[t])/sqrt(1 - beta3**t) + eps
            D = sqrt(n, STRICT) * inv_sqrt_one_minus_beta3_t + eps
            # u[t] = lr/(1 - beta1**t)*(m[t]/D[t]) + lr*beta2/(1 - beta2**t)*(d[t]/D[t])
            u = lr_over_one_minus_beta1_t * div(m, D, STRICT) + lr_beta2_over_one_minus_beta2_t * div(d, D, STRICT)
            # theta[t] = Piecewise((theta[t - 1]*(1 - lr*weight_decay) - u[t], no_prox), ((theta[t - 1] - u[t])/(1 +
            #     lr*weight_decay), True))
            if no_prox:
                theta = theta_prev * one_minus_lr_weight_decay - u
            else:
                theta = (theta_prev - u) * inv_one_plus_lr_weight_decay
            store(theta_at, theta, at, left, tail, BLOCK, VEC)
            store(m_at, m, at, left, tail, BLOCK, VEC)
            store(d_at, d, at, left, tail, BLOCK, VEC)
            store(n_at, n, at, left, tail, BLOCK, VEC)
            store(g_prev_at, g, at, left, tail, BLOCK, VEC)


@triton.jit
def _prologue(
    clocks: tl.tensor,
    hypers: tl.tensor,
    scalars: tl.tensor,
    found_inf: tl.tensor,
    count: tl.tensor,
    t_type: tl.constexpr,
    no_prox: tl.constexpr,
    SCALED: tl.constexpr,
    TENSORS: tl.constexpr,
) -> None:
    """The rows of scalars of some tensors, in float64, where counts lie on the device; the count and states go on."""
    tensor = tl.program_id(0) * TENSORS + tl.arange(0, TENSORS)
    there = tensor < count
    clock = clocks + tensor * 2
    hyper = hypers + tl.load(clock, there, 0) * 6
    row = scalars + tensor * 12
    goes = there & ~truth(found_inf) if SCALED else there
    lr = number(hyper + 0, there)
    beta1 = number(hyper + 1, there)
    beta2 = number(hyper + 2, there)
    beta3 = number(hyper + 3, there)
    eps = number(hyper + 4, there)
    weight_decay = number(hyper + 5, there)
    t_at = address(clock + 1, t_type, there)
    t = number(t_at, there) + 1
    one_minus_beta1 = 1 - beta1
    one_minus_beta2 = 1 - beta2
    one_minus_beta3 = 1 - beta3
    inv_sqrt_one_minus_beta3_t = 1 / tl.sqrt(one_minus_power(beta3, t))
    lr_over_one_minus_beta1_t = lr / one_minus_power(beta1, t)
    lr_beta2_over_one_minus_beta2_t = lr * beta2 / one_minus_power(beta2, t)
    if no_prox:
        one_minus_lr_weight_decay = 1 - lr * weight_decay
    else:
        inv_one_plus_lr_weight_decay = 1 / (1 + lr * weight_decay)
    put(row + 0, beta1, there)
    put(row + 1, beta2, there)
    put(row + 2, beta3, there)
    put(row + 3, eps, there)
    put(row + 4, one_minus_beta1, there)
    put(row + 5, one_minus_beta2, there)
    put(row + 6, one_minus_beta3, there)
    put(row + 7, inv_sqrt_one_minus_beta3_t, there)
    put(row + 8, lr_over_one_minus_beta1_t, there)
    put(row + 9, lr_beta2_over_one_minus_beta2_t, there)
    if no_prox:
        put(row + 11, one_minus_lr_weight_decay, there)
    else:
        put(row + 10, inv_one_plus_lr_weight_decay, there)
    put(t_at, t, goes)


def flags(*, no_prox: bool) -> dict[str, bool]:
    """The variant of the kernel that a parameter group needs."""
    return {"no_prox": no_prox}


def launcher() -> Launcher:
    """A launcher for a set of tensors that step together."""
    return Launcher(_step, _prologue, Names(SCALARS, HYPERS, KEPT, TOLD))
