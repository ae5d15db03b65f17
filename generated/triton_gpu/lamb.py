"""LAMB. Written by optgen 0.1.0 (format 1) from rules/lamb.py; do not edit.

    optgen build lamb --backend triton

You, Li, Reddi, Hseu, Kumar, Bhojanapalli, Song, Demmel, Keutzer & Hsieh, Large Batch Optimization for Deep
Learning: Training BERT in 76 minutes, ICLR 2020, https://arxiv.org/abs/1904.00962, Algorithm 2. Numbers as
timm.optim.Lamb: the norm of all gradients together is limited, and nothing is adapted where weight_decay is 0.
max_grad_norm=inf limits nothing.

    G[t] = norm(g[t], model)
    g_clip[t] = g[t]/Max(1, G[t]/max_grad_norm)
    m[t] = beta1*m[t - 1] + (1 - beta1)*g_clip[t]
    v[t] = beta2*v[t - 1] + (1 - beta2)*g_clip[t]**2
    u[t] = m[t]/(1 - beta1**t)/(sqrt(v[t])/sqrt(1 - beta2**t) + eps) + weight_decay*theta[t - 1]
    w_norm[t] = norm(theta[t - 1], elems)
    u_norm[t] = norm(u[t], elems)
    r[t] = Piecewise((w_norm[t]/u_norm[t], (u_norm[t] > 0) & (w_norm[t] > 0)), (1, True))
    theta[t] = theta[t - 1] - Piecewise((lr*r[t]*u[t], always_adapt | Ne(weight_decay, 0)), (lr*u[t], True))
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
    "beta1",
    "beta2",
    "eps",
    "weight_decay",
    "inv_max_grad_norm",
    "one_minus_beta1",
    "one_minus_beta2",
    "inv_one_minus_beta1_t",
    "inv_sqrt_one_minus_beta2_t",
)
# A clock holds the number of a row of these hyperparameters, the addresses of the count and these states, and these.
HYPERS: tuple[str, ...] = ("lr", "beta1", "beta2", "eps", "weight_decay", "max_grad_norm")
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
    has_weight_decay: tl.constexpr,
    always_adapt: tl.constexpr,
    ROUNDS: tl.constexpr,
    MAXIMIZE: tl.constexpr,
    SCALED: tl.constexpr,
    STRICT: tl.constexpr,
    COMPUTE: tl.constexpr,
    BLOCK: tl.constexpr,
    VEC: tl.constexpr,
) -> None:
    """g_sq_sum: of one chunk of one tensor."""
    word = tl.load(words + tl.program_id(0))
    tensor = tensor_of(word)
    record = records + tensor * 8
    start = chunk_of(word) * chunk
    elements = tl.load(record + 3)
    left = tl.minimum(elements - start, chunk).to(tl.int32)
    if SCALED:
        left = tl.where(truth(found_inf), 0, left)
    factor = div(1.0, tl.load(grad_scale).to(COMPUTE), True) if SCALED else 1.0
    mine = parts + tl.program_id(0).to(tl.int64) * 3
    g_at = stream(gradients + tensor, g_type, start)
    g_sq_sum = tl.full((), 0.0, COMPUTE)
    whole = whole_blocks(word, left, BLOCK)
    for tail in tl.static_range(2):
        g_sq_sum_block = tl.full((BLOCK // 2 if tail else BLOCK,), 0.0, COMPUTE)
        for at in tl.range(whole if tail else 0, left if tail else whole, BLOCK // 2 if tail else BLOCK, num_stages=1):
            g = load(g_at, at, left, tail, BLOCK, VEC, COMPUTE)
            if SCALED:
                g = factor * g
            if MAXIMIZE:
                g = -g
            # G[t] = norm(g[t], model)
            g_sq_sum_block += inside(g * g, 0.0, at, left, tail, BLOCK)
        g_sq_sum += tl.sum(g_sq_sum_block)
    tl.store(mine + 0, g_sq_sum)


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
    has_weight_decay: tl.constexpr,
    always_adapt: tl.constexpr,
    ROUNDS: tl.constexpr,
    MAXIMIZE: tl.constexpr,
    SCALED: tl.constexpr,
    STRICT: tl.constexpr,
    COMPUTE: tl.constexpr,
    BLOCK: tl.constexpr,
    VEC: tl.constexpr,
) -> None:
    """theta, m, v, theta_prev_sq_sum, u_sq_sum: of one chunk of one tensor."""
    word = tl.load(words + tl.program_id(0))
    tensor = tensor_of(word)
    record = records + tensor * 8
    row = scalars + row_of(word) * 10
    start = chunk_of(word) * chunk
    elements = tl.load(record + 3)
    left = tl.minimum(elements - start, chunk).to(tl.int32)
    if SCALED:
        left = tl.where(truth(found_inf), 0, left)
    factor = div(1.0, tl.load(grad_scale).to(COMPUTE), True) if SCALED else 1.0
    if has_weight_decay or always_adapt:
        mine = parts + tl.program_id(0).to(tl.int64) * 3
    theta_at = stream(record + 0, theta_type, start)
    g_at = stream(gradients + tensor, g_type, start)
    m_at = stream(record + 1, m_type, start)
    v_at = stream(record + 2, v_type, start)
    if not has_weight_decay and not always_adapt:
        lr = tl.load(row + 0)
    beta1 = tl.load(row + 1)
    beta2 = tl.load(row + 2)
    eps = tl.load(row + 3)
    weight_decay = tl.load(row + 4)
    inv_max_grad_norm = tl.load(row + 5)
    one_minus_beta1 = tl.load(row + 6)
    one_minus_beta2 = tl.load(row + 7)
    inv_one_minus_beta1_t = tl.load(row + 8)
    inv_sqrt_one_minus_beta2_t = tl.load(row + 9)
    g_sq_sum = tl.load(common + 0)
    if has_weight_decay or always_adapt:
        theta_prev_sq_sum = tl.full((), 0.0, COMPUTE)
        u_sq_sum = tl.full((), 0.0, COMPUTE)
    # G[t] = norm(g[t], model)
    G = sqrt(g_sq_sum, STRICT)
    whole = whole_blocks(word, left, BLOCK)
    for tail in tl.static_range(2):
        if has_weight_decay or always_adapt:
            theta_prev_sq_sum_block = tl.full((BLOCK // 2 if tail else BLOCK,), 0.0, COMPUTE)
            u_sq_sum_block = tl.full((BLOCK // 2 if tail else BLOCK,), 0.0, COMPUTE)
        for at in tl.range(whole if tail else 0, left if tail else whole, BLOCK // 2 if tail else BLOCK, num_stages=1):
            theta_prev = load(theta_at, at, left, tail, BLOCK, VEC, COMPUTE)
            g = load(g_at, at, left, tail, BLOCK, VEC, COMPUTE)
            if SCALED:
                g = factor * g
            if MAXIMIZE:
                g = -g
            m_prev = load(m_at, at, left, tail, BLOCK, VEC, COMPUTE)
            v_prev = load(v_at, at, left, tail, BLOCK, VEC, COMPUTE)
            # g_clip[t] = g[t]/Max(1, G[t]/max_grad_norm)
            g_clip = div(g, maximum(tl.full((), 1, COMPUTE), G * inv_max_grad_norm), STRICT)
            # m[t] = beta1*m[t - 1] + (1 - beta1)*g_clip[t]
            m = beta1 * m_prev + one_minus_beta1 * g_clip
            # v[t] = beta2*v[t - 1] + (1 - beta2)*g_clip[t]**2
            v = beta2 * v_prev + one_minus_beta2 * (g_clip * g_clip)
            # u[t] = m[t]/(1 - beta1**t)/(sqrt(v[t])/sqrt(1 - beta2**t) + eps) + weight_decay*theta[t - 1]
            u = (
                div(m * inv_one_minus_beta1_t, sqrt(v, STRICT) * inv_sqrt_one_minus_beta2_t + eps, STRICT)
                + weight_decay * theta_prev
            )
            if has_weight_decay or always_adapt:
                # w_norm[t] = norm(theta[t - 1], elems)
                theta_prev_sq_sum_block += inside(theta_prev * theta_prev, 0.0, at, left, tail, BLOCK)
                # u_norm[t] = norm(u[t], elems)
                u_sq_sum_block += inside(u * u, 0.0, at, left, tail, BLOCK)
            else:
                # theta[t] = theta[t - 1] - Piecewise((lr*r[t]*u[t], always_adapt | Ne(weight_decay, 0)), (lr*u[t],
                #     True))
                theta = theta_prev - lr * u
                store(theta_at, theta, at, left, tail, BLOCK, VEC)
            if (not has_weight_decay and not always_adapt) or not ROUNDS:
                store(m_at, m, at, left, tail, BLOCK, VEC)
                store(v_at, v, at, left, tail, BLOCK, VEC)
        if has_weight_decay or always_adapt:
            theta_prev_sq_sum += tl.sum(theta_prev_sq_sum_block)
            u_sq_sum += tl.sum(u_sq_sum_block)
    if has_weight_decay or always_adapt:
        tl.store(mine + 1, theta_prev_sq_sum)
        tl.store(mine + 2, u_sq_sum)


@triton.jit
def _phase_3(
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
    has_weight_decay: tl.constexpr,
    always_adapt: tl.constexpr,
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
    row = scalars + row_of(word) * 10
    start = chunk_of(word) * chunk
    elements = tl.load(record + 3)
    left = tl.minimum(elements - start, chunk).to(tl.int32)
    if SCALED:
        left = tl.where(truth(found_inf), 0, left)
    if ROUNDS:
        factor = div(1.0, tl.load(grad_scale).to(COMPUTE), True) if SCALED else 1.0
    its_parts = parts + tl.load(record + 4) * 3
    chunks = tl.cdiv(elements, chunk).to(tl.int32)
    theta_at = stream(record + 0, theta_type, start)
    if ROUNDS:
        g_at = stream(gradients + tensor, g_type, start)
    m_at = stream(record + 1, m_type, start)
    v_at = stream(record + 2, v_type, start)
    lr = tl.load(row + 0)
    if ROUNDS:
        beta1 = tl.load(row + 1)
        beta2 = tl.load(row + 2)
    eps = tl.load(row + 3)
    weight_decay = tl.load(row + 4)
    if ROUNDS:
        inv_max_grad_norm = tl.load(row + 5)
        one_minus_beta1 = tl.load(row + 6)
        one_minus_beta2 = tl.load(row + 7)
    inv_one_minus_beta1_t = tl.load(row + 8)
    inv_sqrt_one_minus_beta2_t = tl.load(row + 9)
    if ROUNDS:
        g_sq_sum = tl.load(common + 0)
    theta_prev_sq_sum = summed(its_parts + 1, chunks, 3)
    u_sq_sum = summed(its_parts + 2, chunks, 3)
    if ROUNDS:
        # G[t] = norm(g[t], model)
        G = sqrt(g_sq_sum, STRICT)
    # w_norm[t] = norm(theta[t - 1], elems)
    w_norm = sqrt(theta_prev_sq_sum, STRICT)
    # u_norm[t] = norm(u[t], elems)
    u_norm = sqrt(u_sq_sum, STRICT)
    # r[t] = Piecewise((w_norm[t]/u_norm[t], (u_norm[t] > 0) & (w_norm[t] > 0)), (1, True))
    r = tl.where((u_norm > 0) & (w_norm > 0), div(w_norm, u_norm, STRICT), tl.full((), 1, COMPUTE))
    whole = whole_blocks(word, left, BLOCK)
    for tail in tl.static_range(2):
        for at in tl.range(whole if tail else 0, left if tail else whole, BLOCK // 2 if tail else BLOCK, num_stages=1):
            theta_prev = load(theta_at, at, left, tail, BLOCK, VEC, COMPUTE)
            if ROUNDS:
                g = load(g_at, at, left, tail, BLOCK, VEC, COMPUTE)
                if SCALED:
                    g = factor * g
                if MAXIMIZE:
                    g = -g
                m_prev = load(m_at, at, left, tail, BLOCK, VEC, COMPUTE)
                v_prev = load(v_at, at, left, tail, BLOCK, VEC, COMPUTE)
                # g_clip[t] = g[t]/Max(1, G[t]/max_grad_norm)
                g_clip = div(g, maximum(tl.full((), 1, COMPUTE), G * inv_max_grad_norm), STRICT)
                # m[t] = beta1*m[t - 1] + (1 - beta1)*g_clip[t]
                m = beta1 * m_prev + one_minus_beta1 * g_clip
                # v[t] = beta2*v[t - 1] + (1 - beta2)*g_clip[t]**2
                v = beta2 * v_prev + one_minus_beta2 * (g_clip * g_clip)
            else:
                m = load(m_at, at, left, tail, BLOCK, VEC, COMPUTE)
                v = load(v_at, at, left, tail, BLOCK, VEC, COMPUTE)
            # u[t] = m[t]/(1 - beta1**t)/(sqrt(v[t])/sqrt(1 - beta2**t) + eps) + weight_decay*theta[t - 1]
            u = (
                div(m * inv_one_minus_beta1_t, sqrt(v, STRICT) * inv_sqrt_one_minus_beta2_t + eps, STRICT)
                + weight_decay * theta_prev
            )
            # theta[t] = theta[t - 1] - Piecewise((lr*r[t]*u[t], always_adapt | Ne(weight_decay, 0)), (lr*u[t],
            #     True))
            theta = theta_prev - lr * r * u
            store(theta_at, theta, at, left, tail, BLOCK, VEC)
            if ROUNDS:
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
    has_weight_decay: tl.constexpr,
    always_adapt: tl.constexpr,
    SCALED: tl.constexpr,
    TENSORS: tl.constexpr,
) -> None:
    """The rows of scalars of some tensors, in float64, where counts lie on the device; the count and states go on."""
    tensor = tl.program_id(0) * TENSORS + tl.arange(0, TENSORS)
    there = tensor < count
    clock = clocks + tensor * 2
    hyper = hypers + tl.load(clock, there, 0) * 6
    row = scalars + tensor * 10
    goes = there & ~truth(found_inf) if SCALED else there
    lr = number(hyper + 0, there)
    beta1 = number(hyper + 1, there)
    beta2 = number(hyper + 2, there)
    eps = number(hyper + 3, there)
    weight_decay = number(hyper + 4, there)
    max_grad_norm = number(hyper + 5, there)
    t_at = address(clock + 1, t_type, there)
    t = number(t_at, there) + 1
    inv_max_grad_norm = 1 / max_grad_norm
    one_minus_beta1 = 1 - beta1
    one_minus_beta2 = 1 - beta2
    inv_one_minus_beta1_t = 1 / one_minus_power(beta1, t)
    inv_sqrt_one_minus_beta2_t = 1 / tl.sqrt(one_minus_power(beta2, t))
    put(row + 0, lr, there)
    put(row + 1, beta1, there)
    put(row + 2, beta2, there)
    put(row + 3, eps, there)
    put(row + 4, weight_decay, there)
    put(row + 5, inv_max_grad_norm, there)
    put(row + 6, one_minus_beta1, there)
    put(row + 7, one_minus_beta2, there)
    put(row + 8, inv_one_minus_beta1_t, there)
    put(row + 9, inv_sqrt_one_minus_beta2_t, there)
    put(t_at, t, goes)


def flags(*, weight_decay: float, always_adapt: bool) -> dict[str, bool]:
    """The variant of the kernel that a parameter group needs."""
    return {"has_weight_decay": weight_decay != 0, "always_adapt": always_adapt}


def _launches(launches: Launches, flags: Mapping[str, bool], rounds: bool) -> None:
    """What a step launches, one after the other. rounds: whether a stored state may differ from the computed one."""
    launches.each_chunk(_phase_1)
    launches.sum_of_chunks(0, 0)
    launches.each_chunk(_phase_2)
    if flags["has_weight_decay"] or flags["always_adapt"]:
        launches.each_chunk(_phase_3)


def launcher() -> Launcher:
    """A launcher for a set of tensors that step together."""
    form = Form(("element", "element"), parts=3, shares=0, common=1)
    return Launcher(_launches, _prologue, Names(SCALARS, HYPERS, KEPT, TOLD), form)
