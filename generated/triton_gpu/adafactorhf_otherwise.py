"""AdafactorHF. Written by optgen 0.1.0 (format 1) from rules/adafactorhf.py; do not edit.

    optgen build adafactorhf --backend triton

Shazeer & Stern, Adafactor: Adaptive Learning Rates with Sublinear Memory Cost, ICML 2018,
https://arxiv.org/abs/1804.04235, Algorithms 4 and 5. Numbers as transformers.Adafactor: what is None there is a
flag here, lr is read with relative_step=False only, and a vector has a second moment of its own.

    rho[t] = Piecewise((Min(1.0e-6*t, 1/(sqrt(t))), warmup_init), (Min(0.01, 1/(sqrt(t))), relative_step), (lr,
        True))
    eta[t] = Piecewise((Max(eps2, rms(theta[t - 1], elems))*rho[t], scale_parameter), (rho[t], True))
    beta2[t] = 1 - t**decay_rate
    q[t] = g[t]**2 + eps1
    v[t] = beta2[t]*v[t - 1] + (1 - beta2[t])*q[t]
    u[t] = g[t]/sqrt(v[t])
    s[t] = eta[t]/Max(1, rms(u[t], elems)/clip_threshold)*u[t]
    m[t] = beta1*m[t - 1] + (1 - beta1)*s[t]
    theta[t] = theta[t - 1]*(1 - weight_decay*eta[t]) - Piecewise((m[t], use_first_moment), (s[t], True))
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
    minimum,
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
STATES: tuple[str, ...] = ("exp_avg_sq", "exp_avg")
SCALARS = (
    "eps1",
    "eps2",
    "beta1",
    "weight_decay",
    "rho",
    "beta2",
    "one_minus_beta2",
    "inv_clip_threshold",
    "one_minus_beta1",
    "eta",
    "one_minus_weight_decay_eta",
)
# A clock holds the number of a row of these hyperparameters, the addresses of the count and these states, and these.
HYPERS: tuple[str, ...] = ("lr", "eps1", "clip_threshold", "decay_rate", "weight_decay", "beta1", "eps2")
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
    v_type: tl.constexpr,
    m_type: tl.constexpr,
    warmup_init: tl.constexpr,
    relative_step: tl.constexpr,
    scale_parameter: tl.constexpr,
    use_first_moment: tl.constexpr,
    ROUNDS: tl.constexpr,
    MAXIMIZE: tl.constexpr,
    SCALED: tl.constexpr,
    STRICT: tl.constexpr,
    COMPUTE: tl.constexpr,
    BLOCK: tl.constexpr,
    VEC: tl.constexpr,
) -> None:
    """u_sq_mean, theta_prev_sq_mean: of one chunk of one tensor."""
    word = tl.load(words + tl.program_id(0))
    tensor = tensor_of(word)
    record = records + tensor * 8
    row = scalars + row_of(word) * 11
    start = chunk_of(word) * chunk
    elements = tl.load(record + 3)
    left = tl.minimum(elements - start, chunk).to(tl.int32)
    if SCALED:
        left = tl.where(truth(found_inf), 0, left)
    factor = div(1.0, tl.load(grad_scale).to(COMPUTE), True) if SCALED else 1.0
    mine = parts + tl.program_id(0).to(tl.int64) * 2
    if scale_parameter:
        theta_at = stream(record + 0, theta_type, start)
    g_at = stream(gradients + tensor, g_type, start)
    v_at = stream(record + 1, v_type, start)
    eps1 = tl.load(row + 0)
    beta2 = tl.load(row + 5)
    one_minus_beta2 = tl.load(row + 6)
    if scale_parameter:
        theta_prev_sq_mean = tl.full((), 0.0, COMPUTE)
    u_sq_mean = tl.full((), 0.0, COMPUTE)
    whole = whole_blocks(word, left, BLOCK)
    for tail in tl.static_range(2):
        if scale_parameter:
            theta_prev_sq_mean_block = tl.full((BLOCK // 2 if tail else BLOCK,), 0.0, COMPUTE)
        u_sq_mean_block = tl.full((BLOCK // 2 if tail else BLOCK,), 0.0, COMPUTE)
        for at in tl.range(whole if tail else 0, left if tail else whole, BLOCK // 2 if tail else BLOCK, num_stages=1):
            if scale_parameter:
                theta_prev = load(theta_at, at, left, tail, BLOCK, VEC, COMPUTE)
            g = load(g_at, at, left, tail, BLOCK, VEC, COMPUTE)
            if SCALED:
                g = factor * g
            if MAXIMIZE:
                g = -g
            v_prev = load(v_at, at, left, tail, BLOCK, VEC, COMPUTE)
            if scale_parameter:
                # eta[t] = Piecewise((Max(eps2, rms(theta[t - 1], elems))*rho[t], scale_parameter), (rho[t], True))
                theta_prev_sq_mean_block += inside(theta_prev * theta_prev, 0.0, at, left, tail, BLOCK)
            # q[t] = g[t]**2 + eps1
            q = g * g + eps1
            # v[t] = beta2[t]*v[t - 1] + (1 - beta2[t])*q[t]
            v = beta2 * v_prev + one_minus_beta2 * q
            # u[t] = g[t]/sqrt(v[t])
            u = div(g, sqrt(v, STRICT), STRICT)
            # s[t] = eta[t]/Max(1, rms(u[t], elems)/clip_threshold)*u[t]
            u_sq_mean_block += inside(u * u, 0.0, at, left, tail, BLOCK)
        if scale_parameter:
            theta_prev_sq_mean += tl.sum(theta_prev_sq_mean_block)
        u_sq_mean += tl.sum(u_sq_mean_block)
    if scale_parameter:
        tl.store(mine + 1, theta_prev_sq_mean)
    tl.store(mine + 0, u_sq_mean)


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
    v_type: tl.constexpr,
    m_type: tl.constexpr,
    warmup_init: tl.constexpr,
    relative_step: tl.constexpr,
    scale_parameter: tl.constexpr,
    use_first_moment: tl.constexpr,
    ROUNDS: tl.constexpr,
    MAXIMIZE: tl.constexpr,
    SCALED: tl.constexpr,
    STRICT: tl.constexpr,
    COMPUTE: tl.constexpr,
    BLOCK: tl.constexpr,
    VEC: tl.constexpr,
) -> None:
    """theta, v, m: of one chunk of one tensor."""
    word = tl.load(words + tl.program_id(0))
    tensor = tensor_of(word)
    record = records + tensor * 8
    row = scalars + row_of(word) * 11
    start = chunk_of(word) * chunk
    elements = tl.load(record + 3)
    left = tl.minimum(elements - start, chunk).to(tl.int32)
    if SCALED:
        left = tl.where(truth(found_inf), 0, left)
    factor = div(1.0, tl.load(grad_scale).to(COMPUTE), True) if SCALED else 1.0
    its_parts = parts + tl.load(record + 4) * 2
    chunks = tl.cdiv(elements, chunk).to(tl.int32)
    theta_at = stream(record + 0, theta_type, start)
    g_at = stream(gradients + tensor, g_type, start)
    v_at = stream(record + 1, v_type, start)
    if use_first_moment:
        m_at = stream(record + 2, m_type, start)
    eps1 = tl.load(row + 0)
    if scale_parameter:
        eps2 = tl.load(row + 1)
    if use_first_moment:
        beta1 = tl.load(row + 2)
    if scale_parameter:
        weight_decay = tl.load(row + 3)
        rho = tl.load(row + 4)
    beta2 = tl.load(row + 5)
    one_minus_beta2 = tl.load(row + 6)
    inv_clip_threshold = tl.load(row + 7)
    if use_first_moment:
        one_minus_beta1 = tl.load(row + 8)
    if scale_parameter:
        theta_prev_sq_mean = div(summed(its_parts + 1, chunks, 2), elements.to(COMPUTE), STRICT)
    else:
        eta = tl.load(row + 9)
        one_minus_weight_decay_eta = tl.load(row + 10)
    u_sq_mean = div(summed(its_parts + 0, chunks, 2), elements.to(COMPUTE), STRICT)
    if scale_parameter:
        # eta[t] = Piecewise((Max(eps2, rms(theta[t - 1], elems))*rho[t], scale_parameter), (rho[t], True))
        eta = maximum(eps2, sqrt(theta_prev_sq_mean, STRICT)) * rho
    whole = whole_blocks(word, left, BLOCK)
    for tail in tl.static_range(2):
        for at in tl.range(whole if tail else 0, left if tail else whole, BLOCK // 2 if tail else BLOCK, num_stages=1):
            theta_prev = load(theta_at, at, left, tail, BLOCK, VEC, COMPUTE)
            g = load(g_at, at, left, tail, BLOCK, VEC, COMPUTE)
            if SCALED:
                g = factor * g
            if MAXIMIZE:
                g = -g
            if use_first_moment:
                m_prev = load(m_at, at, left, tail, BLOCK, VEC, COMPUTE)
            v_prev = load(v_at, at, left, tail, BLOCK, VEC, COMPUTE)
            # q[t] = g[t]**2 + eps1
            q = g * g + eps1
            # v[t] = beta2[t]*v[t - 1] + (1 - beta2[t])*q[t]
            v = beta2 * v_prev + one_minus_beta2 * q
            # u[t] = g[t]/sqrt(v[t])
            u = div(g, sqrt(v, STRICT), STRICT)
            # s[t] = eta[t]/Max(1, rms(u[t], elems)/clip_threshold)*u[t]
            s = div(eta, maximum(tl.full((), 1, COMPUTE), sqrt(u_sq_mean, STRICT) * inv_clip_threshold), STRICT) * u
            if use_first_moment:
                # m[t] = beta1*m[t - 1] + (1 - beta1)*s[t]
                m = beta1 * m_prev + one_minus_beta1 * s
            # theta[t] = theta[t - 1]*(1 - weight_decay*eta[t]) - Piecewise((m[t], use_first_moment), (s[t], True))
            if use_first_moment:
                if scale_parameter:
                    theta = theta_prev * (1 - weight_decay * eta) - m
                else:
                    theta = theta_prev * one_minus_weight_decay_eta - m
            else:
                if scale_parameter:
                    theta = theta_prev * (1 - weight_decay * eta) - s
                else:
                    theta = theta_prev * one_minus_weight_decay_eta - s
            store(theta_at, theta, at, left, tail, BLOCK, VEC)
            if use_first_moment:
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
    warmup_init: tl.constexpr,
    relative_step: tl.constexpr,
    scale_parameter: tl.constexpr,
    use_first_moment: tl.constexpr,
    SCALED: tl.constexpr,
    TENSORS: tl.constexpr,
) -> None:
    """The rows of scalars of some tensors, in float64, where counts lie on the device; the count and states go on."""
    tensor = tl.program_id(0) * TENSORS + tl.arange(0, TENSORS)
    there = tensor < count
    clock = clocks + tensor * 2
    hyper = hypers + tl.load(clock, there, 0) * 7
    row = scalars + tensor * 11
    goes = there & ~truth(found_inf) if SCALED else there
    lr = number(hyper + 0, there)
    eps1 = number(hyper + 1, there)
    clip_threshold = number(hyper + 2, there)
    decay_rate = number(hyper + 3, there)
    weight_decay = number(hyper + 4, there)
    beta1 = number(hyper + 5, there)
    eps2 = number(hyper + 6, there)
    t_at = address(clock + 1, t_type, there)
    t = number(t_at, there) + 1
    if warmup_init:
        rho = minimum(1e-06 * t, 1 / tl.sqrt(t))
    elif relative_step:
        rho = minimum(fp64(0.01), 1 / tl.sqrt(t))
    else:
        rho = lr
    if not scale_parameter:
        eta = rho
    beta2 = one_minus_power(t, decay_rate)
    one_minus_beta2 = 1 - beta2
    inv_clip_threshold = 1 / clip_threshold
    if use_first_moment:
        one_minus_beta1 = 1 - beta1
    if not scale_parameter:
        one_minus_weight_decay_eta = 1 - weight_decay * eta
    put(row + 0, eps1, there)
    if scale_parameter:
        put(row + 1, eps2, there)
    if use_first_moment:
        put(row + 2, beta1, there)
    if scale_parameter:
        put(row + 3, weight_decay, there)
        put(row + 4, rho, there)
    put(row + 5, beta2, there)
    put(row + 6, one_minus_beta2, there)
    put(row + 7, inv_clip_threshold, there)
    if use_first_moment:
        put(row + 8, one_minus_beta1, there)
    if not scale_parameter:
        put(row + 9, eta, there)
        put(row + 10, one_minus_weight_decay_eta, there)
    put(t_at, t, goes)


def flags(
    *,
    scale_parameter: bool,
    relative_step: bool,
    warmup_init: bool,
    use_first_moment: bool,
) -> dict[str, bool]:
    """The variant of the kernel that a parameter group needs."""
    return {
        "warmup_init": warmup_init,
        "relative_step": relative_step,
        "scale_parameter": scale_parameter,
        "use_first_moment": use_first_moment,
    }


def _launches(launches: Launches, flags: Mapping[str, bool], rounds: bool) -> None:
    """What a step launches, one after the other. rounds: whether a stored state may differ from the computed one."""
    launches.each_chunk(_phase_1)
    launches.each_chunk(_phase_2)


def launcher() -> Launcher:
    """A launcher for a set of tensors that step together."""
    form = Form(("element", "element"), parts=2, shares=0, common=0)
    return Launcher(_launches, _prologue, Names(SCALARS, HYPERS, KEPT, TOLD), form)
