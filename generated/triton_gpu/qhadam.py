"""QHAdam. Written by optgen 0.1.0 (format 1) from rules/qhadam.py; do not edit.

    optgen build qhadam --backend triton

Ma & Yarats, Quasi-hyperbolic momentum and Adam for deep learning, ICLR 2019, https://arxiv.org/abs/1810.06801,
equations 17 to 20. Numbers as pytorch_optimizer.QHAdam with weight_decouple=True.

    w1[t] = beta1*w1[t - 1] + 1
    w2[t] = beta2*w2[t - 1] + 1
    m[t] = m[t - 1] + (g[t] - m[t - 1])/w1[t]
    v[t] = v[t - 1] + (g[t]**2 - v[t - 1])/w2[t]
    u[t] = nu1*m[t] + (1 - nu1)*g[t]
    s[t] = nu2*v[t] + (1 - nu2)*g[t]**2
    theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr*(u[t]/(sqrt(s[t]) + eps))
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
STATES: tuple[str, ...] = ("exp_avg", "exp_avg_sq")
SCALARS = (
    "lr",
    "nu1",
    "nu2",
    "eps",
    "inv_w1",
    "inv_w2",
    "one_minus_nu1",
    "one_minus_nu2",
    "one_minus_lr_weight_decay",
)
# A clock holds the number of a row of these hyperparameters, the addresses of the count and these states, and these.
HYPERS: tuple[str, ...] = ("lr", "beta1", "beta2", "nu1", "nu2", "weight_decay", "eps")
KEPT: tuple[str, ...] = ("beta1_weight", "beta2_weight")
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
    row = scalars + row_of(word) * 9
    start = chunk_of(word) * chunk
    left = tl.minimum(tl.load(record + 3) - start, chunk).to(tl.int32)
    if SCALED:
        left = tl.where(truth(found_inf), 0, left)
        factor = div(1.0, tl.load(grad_scale).to(COMPUTE), True)
    theta_at = stream(record + 0, theta_type, start)
    g_at = stream(gradients + tensor, g_type, start)
    m_at = stream(record + 1, m_type, start)
    v_at = stream(record + 2, v_type, start)
    lr = tl.load(row + 0)
    nu1 = tl.load(row + 1)
    nu2 = tl.load(row + 2)
    eps = tl.load(row + 3)
    inv_w1 = tl.load(row + 4)
    inv_w2 = tl.load(row + 5)
    one_minus_nu1 = tl.load(row + 6)
    one_minus_nu2 = tl.load(row + 7)
    one_minus_lr_weight_decay = tl.load(row + 8)
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
            v_prev = load(v_at, at, left, tail, BLOCK, VEC, COMPUTE)
            # m[t] = m[t - 1] + (g[t] - m[t - 1])/w1[t]
            m = m_prev + (g - m_prev) * inv_w1
            # v[t] = v[t - 1] + (g[t]**2 - v[t - 1])/w2[t]
            v = v_prev + (g * g - v_prev) * inv_w2
            # u[t] = nu1*m[t] + (1 - nu1)*g[t]
            u = nu1 * m + one_minus_nu1 * g
            # s[t] = nu2*v[t] + (1 - nu2)*g[t]**2
            s = nu2 * v + one_minus_nu2 * (g * g)
            # theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr*(u[t]/(sqrt(s[t]) + eps))
            theta = theta_prev * one_minus_lr_weight_decay - lr * div(u, sqrt(s, STRICT) + eps, STRICT)
            store(theta_at, theta, at, left, tail, BLOCK, VEC)
            store(m_at, m, at, left, tail, BLOCK, VEC)
            store(v_at, v, at, left, tail, BLOCK, VEC)


@triton.jit
def _prologue(
    clocks: tl.tensor,
    hypers: tl.tensor,
    scalars: tl.tensor,
    found_inf: tl.tensor,
    count: tl.tensor,
    w1_type: tl.constexpr,
    w2_type: tl.constexpr,
    SCALED: tl.constexpr,
    TENSORS: tl.constexpr,
) -> None:
    """The rows of scalars of some tensors, in float64, where counts lie on the device; the count and states go on."""
    tensor = tl.program_id(0) * TENSORS + tl.arange(0, TENSORS)
    there = tensor < count
    clock = clocks + tensor * 4
    hyper = hypers + tl.load(clock, there, 0) * 7
    row = scalars + tensor * 9
    goes = there & ~truth(found_inf) if SCALED else there
    lr = number(hyper + 0, there)
    beta1 = number(hyper + 1, there)
    beta2 = number(hyper + 2, there)
    nu1 = number(hyper + 3, there)
    nu2 = number(hyper + 4, there)
    weight_decay = number(hyper + 5, there)
    eps = number(hyper + 6, there)
    w1_at = address(clock + 2, w1_type, there)
    w1_prev = number(w1_at, there)
    w2_at = address(clock + 3, w2_type, there)
    w2_prev = number(w2_at, there)
    w1 = beta1 * w1_prev + 1
    w2 = beta2 * w2_prev + 1
    inv_w1 = 1 / w1
    inv_w2 = 1 / w2
    one_minus_nu1 = 1 - nu1
    one_minus_nu2 = 1 - nu2
    one_minus_lr_weight_decay = 1 - lr * weight_decay
    put(row + 0, lr, there)
    put(row + 1, nu1, there)
    put(row + 2, nu2, there)
    put(row + 3, eps, there)
    put(row + 4, inv_w1, there)
    put(row + 5, inv_w2, there)
    put(row + 6, one_minus_nu1, there)
    put(row + 7, one_minus_nu2, there)
    put(row + 8, one_minus_lr_weight_decay, there)
    put(w1_at, w1, goes)
    put(w2_at, w2, goes)


def flags() -> dict[str, bool]:
    """The variant of the kernel that a parameter group needs."""
    return {}


def launcher() -> Launcher:
    """A launcher for a set of tensors that step together."""
    return Launcher(_step, _prologue, Names(SCALARS, HYPERS, KEPT, TOLD))
