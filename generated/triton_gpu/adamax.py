"""Adamax. Written by optgen 0.1.0 (format 1) from rules/adamax.py; do not edit.

    optgen build adamax --backend triton

Kingma & Ba, Adam: A Method for Stochastic Optimization, ICLR 2015, https://arxiv.org/abs/1412.6980, Algorithm 2.
Numbers as torch.optim.Adamax.

    g_wd[t] = Piecewise((g[t] + weight_decay*theta[t - 1], Ne(weight_decay, 0)), (g[t], True))
    m[t] = beta1*m[t - 1] + (1 - beta1)*g_wd[t]
    u[t] = Max(beta2*u[t - 1], Abs(g_wd[t]) + eps)
    theta[t] = theta[t - 1] - lr/(1 - beta1**t)*(m[t]/u[t])
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
    number,
    one_minus_power,
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
STATES: tuple[str, ...] = ("exp_avg", "exp_inf")
SCALARS = (
    "beta1",
    "beta2",
    "eps",
    "weight_decay",
    "one_minus_beta1",
    "lr_over_one_minus_beta1_t",
)
# A clock holds the number of a row of these hyperparameters, the addresses of the count and these states, and these.
HYPERS: tuple[str, ...] = ("lr", "beta1", "beta2", "eps", "weight_decay")
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
    u_type: tl.constexpr,
    has_weight_decay: tl.constexpr,
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
    row = scalars + row_of(word) * 6
    start = chunk_of(word) * chunk
    left = tl.minimum(tl.load(record + 3) - start, chunk).to(tl.int32)
    if SCALED:
        left = tl.where(truth(found_inf), 0, left)
        factor = div(1.0, tl.load(grad_scale).to(COMPUTE), True)
    theta_at = stream(record + 0, theta_type, start)
    g_at = stream(gradients + tensor, g_type, start)
    m_at = stream(record + 1, m_type, start)
    u_at = stream(record + 2, u_type, start)
    beta1 = tl.load(row + 0)
    beta2 = tl.load(row + 1)
    eps = tl.load(row + 2)
    weight_decay = tl.load(row + 3)
    one_minus_beta1 = tl.load(row + 4)
    lr_over_one_minus_beta1_t = tl.load(row + 5)
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
            u_prev = load(u_at, at, left, tail, BLOCK, VEC, COMPUTE)
            # g_wd[t] = Piecewise((g[t] + weight_decay*theta[t - 1], Ne(weight_decay, 0)), (g[t], True))
            if has_weight_decay:
                g_wd = g + weight_decay * theta_prev
            else:
                g_wd = g
            # m[t] = beta1*m[t - 1] + (1 - beta1)*g_wd[t]
            m = beta1 * m_prev + one_minus_beta1 * g_wd
            # u[t] = Max(beta2*u[t - 1], Abs(g_wd[t]) + eps)
            u = maximum(beta2 * u_prev, tl.abs(g_wd) + eps)
            # theta[t] = theta[t - 1] - lr/(1 - beta1**t)*(m[t]/u[t])
            theta = theta_prev - lr_over_one_minus_beta1_t * div(m, u, STRICT)
            store(theta_at, theta, at, left, tail, BLOCK, VEC)
            store(m_at, m, at, left, tail, BLOCK, VEC)
            store(u_at, u, at, left, tail, BLOCK, VEC)


@triton.jit
def _prologue(
    clocks: tl.tensor,
    hypers: tl.tensor,
    scalars: tl.tensor,
    found_inf: tl.tensor,
    count: tl.tensor,
    t_type: tl.constexpr,
    has_weight_decay: tl.constexpr,
    SCALED: tl.constexpr,
    TENSORS: tl.constexpr,
) -> None:
    """The rows of scalars of some tensors, in float64, where counts lie on the device; the count and states go on."""
    tensor = tl.program_id(0) * TENSORS + tl.arange(0, TENSORS)
    there = tensor < count
    clock = clocks + tensor * 2
    hyper = hypers + tl.load(clock, there, 0) * 5
    row = scalars + tensor * 6
    goes = there & ~truth(found_inf) if SCALED else there
    lr = number(hyper + 0, there)
    beta1 = number(hyper + 1, there)
    beta2 = number(hyper + 2, there)
    eps = number(hyper + 3, there)
    weight_decay = number(hyper + 4, there)
    t_at = address(clock + 1, t_type, there)
    t = number(t_at, there) + 1
    one_minus_beta1 = 1 - beta1
    lr_over_one_minus_beta1_t = lr / one_minus_power(beta1, t)
    put(row + 0, beta1, there)
    put(row + 1, beta2, there)
    put(row + 2, eps, there)
    if has_weight_decay:
        put(row + 3, weight_decay, there)
    put(row + 4, one_minus_beta1, there)
    put(row + 5, lr_over_one_minus_beta1_t, there)
    put(t_at, t, goes)


def flags(*, weight_decay: float) -> dict[str, bool]:
    """The variant of the kernel that a parameter group needs."""
    return {"has_weight_decay": weight_decay != 0}


def launcher() -> Launcher:
    """A launcher for a set of tensors that step together."""
    return Launcher(_step, _prologue, Names(SCALARS, HYPERS, KEPT, TOLD))
