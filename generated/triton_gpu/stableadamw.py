"""StableAdamW. Written by optgen 0.1.0 (format 1) from rules/stableadamw.py; do not edit.

    optgen build stableadamw --backend triton

Wortsman, Dettmers, Zettlemoyer, Morcos, Farhadi & Schmidt, Stable and low-precision training for large-scale
vision-language models, NeurIPS 2023, https://arxiv.org/abs/2304.13013, Algorithm 2. Numbers as
pytorch_optimizer.StableAdamW.

    h1[t] = beta1*(1 - beta1**(t - 1))/(1 - beta1**t)
    h2[t] = beta2*(1 - beta2**(t - 1))/(1 - beta2**t)
    m[t] = h1[t]*m[t - 1] + (1 - h1[t])*g[t]
    v[t] = h2[t]*v[t - 1] + (1 - h2[t])*g[t]**2
    rms_t[t] = sqrt(mean(g[t]**2/Max(v[t], eps**2), elems))
    eta[t] = lr/Max(1, rms_t[t])
    theta[t] = theta[t - 1]*(1 - eta[t]*weight_decay) - eta[t]*(m[t]/(sqrt(v[t]) + eps))
"""

from __future__ import annotations

from collections.abc import Mapping

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
STATES: tuple[str, ...] = ("exp_avg", "exp_avg_sq")
SCALARS = (
    "lr",
    "eps",
    "weight_decay",
    "h1",
    "h2",
    "one_minus_h1",
    "one_minus_h2",
    "rms_t_mean_scale",
)
# A clock holds the number of a row of these hyperparameters, the addresses of the count and these states, and these.
HYPERS: tuple[str, ...] = ("lr", "beta1", "beta2", "eps", "weight_decay")
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
    ROUNDS: tl.constexpr,
    MAXIMIZE: tl.constexpr,
    SCALED: tl.constexpr,
    STRICT: tl.constexpr,
    COMPUTE: tl.constexpr,
    BLOCK: tl.constexpr,
    VEC: tl.constexpr,
) -> None:
    """rms_t_mean: of one chunk of one tensor."""
    word = tl.load(words + tl.program_id(0))
    tensor = tensor_of(word)
    record = records + tensor * 8
    row = scalars + row_of(word) * 8
    start = chunk_of(word) * chunk
    elements = tl.load(record + 3)
    left = tl.minimum(elements - start, chunk).to(tl.int32)
    if SCALED:
        left = tl.where(truth(found_inf), 0, left)
    factor = div(1.0, tl.load(grad_scale).to(COMPUTE), True) if SCALED else 1.0
    mine = parts + tl.program_id(0).to(tl.int64)
    g_at = stream(gradients + tensor, g_type, start)
    v_at = stream(record + 2, v_type, start)
    h2 = tl.load(row + 4)
    one_minus_h2 = tl.load(row + 6)
    rms_t_mean_scale = tl.load(row + 7)
    rms_t_mean = tl.full((), 0.0, COMPUTE)
    whole = whole_blocks(word, left, BLOCK)
    for tail in tl.static_range(2):
        rms_t_mean_block = tl.full((BLOCK // 2 if tail else BLOCK,), 0.0, COMPUTE)
        for at in tl.range(whole if tail else 0, left if tail else whole, BLOCK // 2 if tail else BLOCK, num_stages=1):
            g = load(g_at, at, left, tail, BLOCK, VEC, COMPUTE)
            if SCALED:
                g = factor * g
            if MAXIMIZE:
                g = -g
            v_prev = load(v_at, at, left, tail, BLOCK, VEC, COMPUTE)
            # v[t] = h2[t]*v[t - 1] + (1 - h2[t])*g[t]**2
            v = h2 * v_prev + one_minus_h2 * (g * g)
            # rms_t[t] = sqrt(mean(g[t]**2/Max(v[t], eps**2), elems))
            rms_t_mean_block += inside(div(g * g, maximum(v, rms_t_mean_scale), STRICT), 0.0, at, left, tail, BLOCK)
        rms_t_mean += tl.sum(rms_t_mean_block)
    tl.store(mine + 0, rms_t_mean)


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
    ROUNDS: tl.constexpr,
    MAXIMIZE: tl.constexpr,
    SCALED: tl.constexpr,
    STRICT: tl.constexpr,
    COMPUTE: tl.constexpr,
    BLOCK: tl.constexpr,
    VEC: tl.constexpr,
) -> None:
    """theta, m, v: of one chunk of one tensor."""
    word = tl.load(words + tl.program_id(0))
    tensor = tensor_of(word)
    record = records + tensor * 8
    row = scalars + row_of(word) * 8
    start = chunk_of(word) * chunk
    elements = tl.load(record + 3)
    left = tl.minimum(elements - start, chunk).to(tl.int32)
    if SCALED:
        left = tl.where(truth(found_inf), 0, left)
    factor = div(1.0, tl.load(grad_scale).to(COMPUTE), True) if SCALED else 1.0
    its_parts = parts + tl.load(record + 4)
    chunks = tl.cdiv(elements, chunk).to(tl.int32)
    theta_at = stream(record + 0, theta_type, start)
    g_at = stream(gradients + tensor, g_type, start)
    m_at = stream(record + 1, m_type, start)
    v_at = stream(record + 2, v_type, start)
    lr = tl.load(row + 0)
    eps = tl.load(row + 1)
    weight_decay = tl.load(row + 2)
    h1 = tl.load(row + 3)
    h2 = tl.load(row + 4)
    one_minus_h1 = tl.load(row + 5)
    one_minus_h2 = tl.load(row + 6)
    rms_t_mean = div(summed(its_parts + 0, chunks, 1), elements.to(COMPUTE), STRICT)
    # rms_t[t] = sqrt(mean(g[t]**2/Max(v[t], eps**2), elems))
    rms_t = sqrt(rms_t_mean, STRICT)
    # eta[t] = lr/Max(1, rms_t[t])
    eta = div(lr, maximum(tl.full((), 1, COMPUTE), rms_t), STRICT)
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
            # m[t] = h1[t]*m[t - 1] + (1 - h1[t])*g[t]
            m = h1 * m_prev + one_minus_h1 * g
            # v[t] = h2[t]*v[t - 1] + (1 - h2[t])*g[t]**2
            v = h2 * v_prev + one_minus_h2 * (g * g)
            # theta[t] = theta[t - 1]*(1 - eta[t]*weight_decay) - eta[t]*(m[t]/(sqrt(v[t]) + eps))
            theta = theta_prev * (1 - eta * weight_decay) - eta * div(m, sqrt(v, STRICT) + eps, STRICT)
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
    t_type: tl.constexpr,
    SCALED: tl.constexpr,
    TENSORS: tl.constexpr,
) -> None:
    """The rows of scalars of some tensors, in float64, where counts lie on the device; the count and states go on."""
    tensor = tl.program_id(0) * TENSORS + tl.arange(0, TENSORS)
    there = tensor < count
    clock = clocks + tensor * 2
    hyper = hypers + tl.load(clock, there, 0) * 5
    row = scalars + tensor * 8
    goes = there & ~truth(found_inf) if SCALED else there
    lr = number(hyper + 0, there)
    beta1 = number(hyper + 1, there)
    beta2 = number(hyper + 2, there)
    eps = number(hyper + 3, there)
    weight_decay = number(hyper + 4, there)
    t_at = address(clock + 1, t_type, there)
    t = number(t_at, there) + 1
    h1 = beta1 * one_minus_power(beta1, t - 1) / one_minus_power(beta1, t)
    h2 = beta2 * one_minus_power(beta2, t - 1) / one_minus_power(beta2, t)
    one_minus_h1 = 1 - h1
    one_minus_h2 = 1 - h2
    rms_t_mean_scale = eps * eps
    put(row + 0, lr, there)
    put(row + 1, eps, there)
    put(row + 2, weight_decay, there)
    put(row + 3, h1, there)
    put(row + 4, h2, there)
    put(row + 5, one_minus_h1, there)
    put(row + 6, one_minus_h2, there)
    put(row + 7, rms_t_mean_scale, there)
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
    form = Form(("element", "element"), parts=1, shares=0, common=0)
    return Launcher(_launches, _prologue, Names(SCALARS, HYPERS, KEPT, TOLD), form)
