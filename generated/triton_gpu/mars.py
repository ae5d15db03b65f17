"""MARS. Written by optgen 0.1.0 (format 1) from rules/mars.py; do not edit.

    optgen build mars --backend triton

Yuan, Liu, Wu, Zhou & Gu, MARS: Unleashing the Power of Variance Reduction for Training Large Models, ICML 2025,
https://arxiv.org/abs/2411.10438, Algorithm 2: MARS-AdamW with the gradient of the last step. Numbers as
timm.optim.Mars with optimize_1d=True; the first step has no last gradient.

    c[t] = Piecewise((g[t], Eq(t, 1)), (g[t] + gamma*(beta1/(1 - beta1))*(g[t] - g_old[t - 1]), True))
    c_clip[t] = c[t]/Max(norm(c[t], elems), 1)
    m[t] = beta1*m[t - 1] + (1 - beta1)*c_clip[t]
    v[t] = beta2*v[t - 1] + (1 - beta2)*c_clip[t]**2
    g_old[t] = g[t]
    theta[t] = theta[t - 1] - lr*(m[t]/(1 - beta1**t)/(sqrt(v[t])/sqrt(1 - beta2**t) + eps) + weight_decay*theta[t -
        1])
"""

from __future__ import annotations

from collections.abc import Mapping

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
    put,
    row_of,
    sqrt,
    store,
    stream,
    tensor_of,
    truth,
    whole_blocks,
)
from ._phases import Form, Launches
from ._reductions import inside, summed
from ._runtime import Launcher, Names

# A record holds the addresses of the parameter and these states; a row of scalars holds these.
STATES: tuple[str, ...] = ("exp_avg", "exp_avg_sq", "last_grad")
SCALARS = (
    "lr",
    "beta1",
    "beta2",
    "eps",
    "weight_decay",
    "t_eq_one",
    "gamma_beta1_over_one_minus_beta1",
    "one_minus_beta1",
    "one_minus_beta2",
    "inv_one_minus_beta1_t",
    "inv_sqrt_one_minus_beta2_t",
)
# A clock holds the number of a row of these hyperparameters, the addresses of the count and these states, and these.
HYPERS: tuple[str, ...] = ("lr", "beta1", "beta2", "eps", "weight_decay", "gamma")
KEPT: tuple[str, ...] = ()
TOLD: tuple[str, ...] = ()


@triton.jit
def _phase_1(
    words: tl.tensor,
    records: tl.tensor,
    gradients: tl.tensor,
    scalars: tl.tensor,
    grad_scale: tl.tensor,
    found_inf: tl.tensor,
    parts: tl.tensor,
    shares: tl.tensor,
    common: tl.tensor,
    chunk: tl.tensor,
    theta_type: tl.constexpr,
    g_type: tl.constexpr,
    m_type: tl.constexpr,
    v_type: tl.constexpr,
    g_old_type: tl.constexpr,
    ROUNDS: tl.constexpr,
    MAXIMIZE: tl.constexpr,
    SCALED: tl.constexpr,
    STRICT: tl.constexpr,
    COMPUTE: tl.constexpr,
    BLOCK: tl.constexpr,
    VEC: tl.constexpr,
) -> None:
    """c_sq_sum: of one chunk of one tensor."""
    word = tl.load(words + tl.program_id(0))
    tensor = tensor_of(word)
    record = records + tensor * 8
    row = scalars + row_of(word) * 11
    start = chunk_of(word) * chunk
    elements = tl.load(record + 4)
    left = tl.minimum(elements - start, chunk).to(tl.int32)
    if SCALED:
        left = tl.where(truth(found_inf), 0, left)
    factor = div(1.0, tl.load(grad_scale).to(COMPUTE), True) if SCALED else 1.0
    mine = parts + tl.program_id(0).to(tl.int64)
    g_at = stream(gradients + tensor, g_type, start)
    g_old_at = stream(record + 3, g_old_type, start)
    t_eq_one = truth(row + 5)
    gamma_beta1_over_one_minus_beta1 = tl.load(row + 6)
    c_sq_sum = tl.full((), 0.0, COMPUTE)
    whole = whole_blocks(word, left, BLOCK)
    for tail in tl.static_range(2):
        c_sq_sum_block = tl.full((BLOCK // 2 if tail else BLOCK,), 0.0, COMPUTE)
        for at in tl.range(whole if tail else 0, left if tail else whole, BLOCK // 2 if tail else BLOCK, num_stages=1):
            g = load(g_at, at, left, tail, BLOCK, VEC, COMPUTE)
            if SCALED:
                g = factor * g
            if MAXIMIZE:
                g = -g
            g_old_prev = load(g_old_at, at, left, tail, BLOCK, VEC, COMPUTE)
            # c[t] = Piecewise((g[t], Eq(t, 1)), (g[t] + gamma*(beta1/(1 - beta1))*(g[t] - g_old[t - 1]), True))
            c = tl.where(t_eq_one, g, g + gamma_beta1_over_one_minus_beta1 * (g - g_old_prev))
            # c_clip[t] = c[t]/Max(norm(c[t], elems), 1)
            c_sq_sum_block += inside(c * c, 0.0, at, left, tail, BLOCK)
        c_sq_sum += tl.sum(c_sq_sum_block)
    tl.store(mine + 0, c_sq_sum)


@triton.jit
def _phase_2(
    words: tl.tensor,
    records: tl.tensor,
    gradients: tl.tensor,
    scalars: tl.tensor,
    grad_scale: tl.tensor,
    found_inf: tl.tensor,
    parts: tl.tensor,
    shares: tl.tensor,
    common: tl.tensor,
    chunk: tl.tensor,
    theta_type: tl.constexpr,
    g_type: tl.constexpr,
    m_type: tl.constexpr,
    v_type: tl.constexpr,
    g_old_type: tl.constexpr,
    ROUNDS: tl.constexpr,
    MAXIMIZE: tl.constexpr,
    SCALED: tl.constexpr,
    STRICT: tl.constexpr,
    COMPUTE: tl.constexpr,
    BLOCK: tl.constexpr,
    VEC: tl.constexpr,
) -> None:
    """theta, m, v, g_old: of one chunk of one tensor."""
    word = tl.load(words + tl.program_id(0))
    tensor = tensor_of(word)
    record = records + tensor * 8
    row = scalars + row_of(word) * 11
    start = chunk_of(word) * chunk
    elements = tl.load(record + 4)
    left = tl.minimum(elements - start, chunk).to(tl.int32)
    if SCALED:
        left = tl.where(truth(found_inf), 0, left)
    factor = div(1.0, tl.load(grad_scale).to(COMPUTE), True) if SCALED else 1.0
    its_parts = parts + tl.load(record + 5)
    chunks = tl.cdiv(elements, chunk).to(tl.int32)
    theta_at = stream(record + 0, theta_type, start)
    g_at = stream(gradients + tensor, g_type, start)
    m_at = stream(record + 1, m_type, start)
    v_at = stream(record + 2, v_type, start)
    g_old_at = stream(record + 3, g_old_type, start)
    lr = tl.load(row + 0)
    beta1 = tl.load(row + 1)
    beta2 = tl.load(row + 2)
    eps = tl.load(row + 3)
    weight_decay = tl.load(row + 4)
    t_eq_one = truth(row + 5)
    gamma_beta1_over_one_minus_beta1 = tl.load(row + 6)
    one_minus_beta1 = tl.load(row + 7)
    one_minus_beta2 = tl.load(row + 8)
    inv_one_minus_beta1_t = tl.load(row + 9)
    inv_sqrt_one_minus_beta2_t = tl.load(row + 10)
    c_sq_sum = summed(its_parts + 0, chunks, 1)
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
            g_old_prev = load(g_old_at, at, left, tail, BLOCK, VEC, COMPUTE)
            # c[t] = Piecewise((g[t], Eq(t, 1)), (g[t] + gamma*(beta1/(1 - beta1))*(g[t] - g_old[t - 1]), True))
            c = tl.where(t_eq_one, g, g + gamma_beta1_over_one_minus_beta1 * (g - g_old_prev))
            # c_clip[t] = c[t]/Max(norm(c[t], elems), 1)
            c_clip = div(c, maximum(sqrt(c_sq_sum, STRICT), tl.full((), 1, COMPUTE)), STRICT)
            # m[t] = beta1*m[t - 1] + (1 - beta1)*c_clip[t]
            m = beta1 * m_prev + one_minus_beta1 * c_clip
            # v[t] = beta2*v[t - 1] + (1 - beta2)*c_clip[t]**2
            v = beta2 * v_prev + one_minus_beta2 * (c_clip * c_clip)
            # g_old[t] = g[t]
            g_old = g
            # theta[t] = theta[t - 1] - lr*(m[t]/(1 - beta1**t)/(sqrt(v[t])/sqrt(1 - beta2**t) + eps) +
            #     weight_decay*theta[t - 1])
            theta = theta_prev - lr * (
                div(m * inv_one_minus_beta1_t, sqrt(v, STRICT) * inv_sqrt_one_minus_beta2_t + eps, STRICT)
                + weight_decay * theta_prev
            )
            store(theta_at, theta, at, left, tail, BLOCK, VEC)
            store(m_at, m, at, left, tail, BLOCK, VEC)
            store(v_at, v, at, left, tail, BLOCK, VEC)
            store(g_old_at, g_old, at, left, tail, BLOCK, VEC)


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
    hyper = hypers + tl.load(clock, there, 0) * 6
    row = scalars + tensor * 11
    goes = there & ~truth(found_inf) if SCALED else there
    lr = number(hyper + 0, there)
    beta1 = number(hyper + 1, there)
    beta2 = number(hyper + 2, there)
    eps = number(hyper + 3, there)
    weight_decay = number(hyper + 4, there)
    gamma = number(hyper + 5, there)
    t_at = address(clock + 1, t_type, there)
    t = number(t_at, there) + 1
    t_eq_one = t == 1
    gamma_beta1_over_one_minus_beta1 = tl.where(~t_eq_one, gamma * (beta1 / (1 - beta1)), fp64(0))
    one_minus_beta1 = 1 - beta1
    one_minus_beta2 = 1 - beta2
    inv_one_minus_beta1_t = 1 / one_minus_power(beta1, t)
    inv_sqrt_one_minus_beta2_t = 1 / tl.sqrt(one_minus_power(beta2, t))
    put(row + 0, lr, there)
    put(row + 1, beta1, there)
    put(row + 2, beta2, there)
    put(row + 3, eps, there)
    put(row + 4, weight_decay, there)
    put(row + 5, t_eq_one, there)
    put(row + 6, gamma_beta1_over_one_minus_beta1, there)
    put(row + 7, one_minus_beta1, there)
    put(row + 8, one_minus_beta2, there)
    put(row + 9, inv_one_minus_beta1_t, there)
    put(row + 10, inv_sqrt_one_minus_beta2_t, there)
    put(t_at, t, goes)


def flags() -> dict[str, bool]:
    """The variant of the kernel that a parameter group needs."""
    return {}


def _launches(launches: Launches, flags: Mapping[str, bool], rounds: bool) -> None:
    """What a step launches, one after the other. rounds: whether a stored state may differ from the computed one."""
    launches.each_chunk(_phase_1)
    launches.each_chunk(_phase_2)


def launcher() -> Launcher:
    """A launcher for a set of tensors that step together."""
    form = Form(("element", "element", "element"), parts=1, shares=0, common=0)
    return Launcher(_launches, _prologue, Names(SCALARS, HYPERS, KEPT, TOLD), form)
