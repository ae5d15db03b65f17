"""LARS. Written by optgen 0.1.0 (format 1) from rules/lars.py; do not edit.

    optgen build lars --backend triton

You, Gitman & Ginsburg, Large Batch Training of Convolutional Networks, 2017, https://arxiv.org/abs/1708.03888,
Algorithm 1; trust_clip: LARC. Numbers as timm.optim.Lars with dampening=0, which adapts nothing where weight_decay
is 0.

    w_norm[t] = norm(theta[t - 1], elems)
    g_norm[t] = norm(g[t], elems)
    r[t] = Piecewise((trust_coeff*w_norm[t]/((g_norm[t] + weight_decay*w_norm[t]) + eps), (g_norm[t] > 0) &
        (w_norm[t] > 0)), (1, True))
    trust[t] = Piecewise((Min(r[t]/Max(lr, 1.0e-30), 1), trust_clip), (r[t], True))
    g_used[t] = Piecewise((trust[t]*(g[t] + weight_decay*theta[t - 1]), Ne(weight_decay, 0)), (g[t], True))
    b[t] = momentum*b[t - 1] + g_used[t]
    d[t] = Piecewise((g_used[t] + momentum*b[t], nesterov), (b[t], True))
    theta[t] = theta[t - 1] - lr*d[t]
"""

from __future__ import annotations

from collections.abc import Mapping

import triton
import triton.language as tl

from ._device import (
    chunk_of,
    div,
    fp64,
    load,
    maximum,
    minimum,
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
from ._phases import Form, Launches
from ._reductions import inside, summed
from ._runtime import Launcher, Names

# A record holds the addresses of the parameter and these states; a row of scalars holds these.
STATES: tuple[str, ...] = ("momentum_buffer",)
SCALARS = (
    "lr",
    "momentum",
    "weight_decay",
    "trust_coeff",
    "eps",
    "trust_scale",
)
# A clock holds the number of a row of these hyperparameters, the addresses of the count and these states, and these.
HYPERS: tuple[str, ...] = ("lr", "momentum", "weight_decay", "trust_coeff", "eps")
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
    b_type: tl.constexpr,
    trust_clip: tl.constexpr,
    has_weight_decay: tl.constexpr,
    nesterov: tl.constexpr,
    ROUNDS: tl.constexpr,
    MAXIMIZE: tl.constexpr,
    SCALED: tl.constexpr,
    STRICT: tl.constexpr,
    COMPUTE: tl.constexpr,
    BLOCK: tl.constexpr,
    VEC: tl.constexpr,
) -> None:
    """theta, b, theta_prev_sq_sum, g_sq_sum: of one chunk of one tensor."""
    word = tl.load(words + tl.program_id(0))
    tensor = tensor_of(word)
    record = records + tensor * 8
    if not has_weight_decay:
        row = scalars + row_of(word) * 6
    start = chunk_of(word) * chunk
    elements = tl.load(record + 2)
    left = tl.minimum(elements - start, chunk).to(tl.int32)
    if SCALED:
        left = tl.where(truth(found_inf), 0, left)
    factor = div(1.0, tl.load(grad_scale).to(COMPUTE), True) if SCALED else 1.0
    if has_weight_decay:
        mine = parts + tl.program_id(0).to(tl.int64) * 2
    theta_at = stream(record + 0, theta_type, start)
    g_at = stream(gradients + tensor, g_type, start)
    if not has_weight_decay:
        b_at = stream(record + 1, b_type, start)
        lr = tl.load(row + 0)
        momentum = tl.load(row + 1)
    else:
        theta_prev_sq_sum = tl.full((), 0.0, COMPUTE)
        g_sq_sum = tl.full((), 0.0, COMPUTE)
    whole = whole_blocks(word, left, BLOCK)
    for tail in tl.static_range(2):
        if has_weight_decay:
            theta_prev_sq_sum_block = tl.full((BLOCK // 2 if tail else BLOCK,), 0.0, COMPUTE)
            g_sq_sum_block = tl.full((BLOCK // 2 if tail else BLOCK,), 0.0, COMPUTE)
        for at in tl.range(whole if tail else 0, left if tail else whole, BLOCK // 2 if tail else BLOCK, num_stages=1):
            theta_prev = load(theta_at, at, left, tail, BLOCK, VEC, COMPUTE)
            g = load(g_at, at, left, tail, BLOCK, VEC, COMPUTE)
            if SCALED:
                g = factor * g
            if MAXIMIZE:
                g = -g
            if not has_weight_decay:
                b_prev = load(b_at, at, left, tail, BLOCK, VEC, COMPUTE)
                # g_used[t] = Piecewise((trust[t]*(g[t] + weight_decay*theta[t - 1]), Ne(weight_decay, 0)), (g[t],
                #     True))
                g_used = g
                # b[t] = momentum*b[t - 1] + g_used[t]
                b = momentum * b_prev + g_used
                # d[t] = Piecewise((g_used[t] + momentum*b[t], nesterov), (b[t], True))
                if nesterov:
                    d = g_used + momentum * b
                else:
                    d = b
                # theta[t] = theta[t - 1] - lr*d[t]
                theta = theta_prev - lr * d
                store(theta_at, theta, at, left, tail, BLOCK, VEC)
                store(b_at, b, at, left, tail, BLOCK, VEC)
            else:
                # w_norm[t] = norm(theta[t - 1], elems)
                theta_prev_sq_sum_block += inside(theta_prev * theta_prev, 0.0, at, left, tail, BLOCK)
                # g_norm[t] = norm(g[t], elems)
                g_sq_sum_block += inside(g * g, 0.0, at, left, tail, BLOCK)
        if has_weight_decay:
            theta_prev_sq_sum += tl.sum(theta_prev_sq_sum_block)
            g_sq_sum += tl.sum(g_sq_sum_block)
    if has_weight_decay:
        tl.store(mine + 0, theta_prev_sq_sum)
        tl.store(mine + 1, g_sq_sum)


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
    b_type: tl.constexpr,
    trust_clip: tl.constexpr,
    has_weight_decay: tl.constexpr,
    nesterov: tl.constexpr,
    ROUNDS: tl.constexpr,
    MAXIMIZE: tl.constexpr,
    SCALED: tl.constexpr,
    STRICT: tl.constexpr,
    COMPUTE: tl.constexpr,
    BLOCK: tl.constexpr,
    VEC: tl.constexpr,
) -> None:
    """theta, b: of one chunk of one tensor."""
    word = tl.load(words + tl.program_id(0))
    tensor = tensor_of(word)
    record = records + tensor * 8
    row = scalars + row_of(word) * 6
    start = chunk_of(word) * chunk
    elements = tl.load(record + 2)
    left = tl.minimum(elements - start, chunk).to(tl.int32)
    if SCALED:
        left = tl.where(truth(found_inf), 0, left)
    factor = div(1.0, tl.load(grad_scale).to(COMPUTE), True) if SCALED else 1.0
    its_parts = parts + tl.load(record + 3) * 2
    chunks = tl.cdiv(elements, chunk).to(tl.int32)
    theta_at = stream(record + 0, theta_type, start)
    g_at = stream(gradients + tensor, g_type, start)
    b_at = stream(record + 1, b_type, start)
    lr = tl.load(row + 0)
    momentum = tl.load(row + 1)
    weight_decay = tl.load(row + 2)
    trust_coeff = tl.load(row + 3)
    eps = tl.load(row + 4)
    if trust_clip:
        trust_scale = tl.load(row + 5)
    theta_prev_sq_sum = summed(its_parts + 0, chunks, 2)
    g_sq_sum = summed(its_parts + 1, chunks, 2)
    # w_norm[t] = norm(theta[t - 1], elems)
    w_norm = sqrt(theta_prev_sq_sum, STRICT)
    # g_norm[t] = norm(g[t], elems)
    g_norm = sqrt(g_sq_sum, STRICT)
    # r[t] = Piecewise((trust_coeff*w_norm[t]/((g_norm[t] + weight_decay*w_norm[t]) + eps), (g_norm[t] > 0)
    #     & (w_norm[t] > 0)), (1, True))
    r = tl.where(
        (g_norm > 0) & (w_norm > 0), div(trust_coeff * w_norm, g_norm + weight_decay * w_norm + eps, STRICT),
        tl.full((), 1, COMPUTE)
    )
    # trust[t] = Piecewise((Min(r[t]/Max(lr, 1.0e-30), 1), trust_clip), (r[t], True))
    if trust_clip:
        trust = minimum(r * trust_scale, tl.full((), 1, COMPUTE))
    else:
        trust = r
    whole = whole_blocks(word, left, BLOCK)
    for tail in tl.static_range(2):
        for at in tl.range(whole if tail else 0, left if tail else whole, BLOCK // 2 if tail else BLOCK, num_stages=1):
            theta_prev = load(theta_at, at, left, tail, BLOCK, VEC, COMPUTE)
            g = load(g_at, at, left, tail, BLOCK, VEC, COMPUTE)
            if SCALED:
                g = factor * g
            if MAXIMIZE:
                g = -g
            b_prev = load(b_at, at, left, tail, BLOCK, VEC, COMPUTE)
            # g_used[t] = Piecewise((trust[t]*(g[t] + weight_decay*theta[t - 1]), Ne(weight_decay, 0)), (g[t],
            #     True))
            g_used = trust * (g + weight_decay * theta_prev)
            # b[t] = momentum*b[t - 1] + g_used[t]
            b = momentum * b_prev + g_used
            # d[t] = Piecewise((g_used[t] + momentum*b[t], nesterov), (b[t], True))
            if nesterov:
                d = g_used + momentum * b
            else:
                d = b
            # theta[t] = theta[t - 1] - lr*d[t]
            theta = theta_prev - lr * d
            store(theta_at, theta, at, left, tail, BLOCK, VEC)
            store(b_at, b, at, left, tail, BLOCK, VEC)


@triton.jit
def _prologue(
    clocks: tl.tensor,
    hypers: tl.tensor,
    scalars: tl.tensor,
    found_inf: tl.tensor,
    count: tl.tensor,
    trust_clip: tl.constexpr,
    has_weight_decay: tl.constexpr,
    nesterov: tl.constexpr,
    SCALED: tl.constexpr,
    TENSORS: tl.constexpr,
) -> None:
    """The rows of scalars of some tensors, in float64, where counts lie on the device; the count and states go on."""
    tensor = tl.program_id(0) * TENSORS + tl.arange(0, TENSORS)
    there = tensor < count
    clock = clocks + tensor * 2
    hyper = hypers + tl.load(clock, there, 0) * 5
    row = scalars + tensor * 6
    lr = number(hyper + 0, there)
    momentum = number(hyper + 1, there)
    weight_decay = number(hyper + 2, there)
    trust_coeff = number(hyper + 3, there)
    eps = number(hyper + 4, there)
    if trust_clip and has_weight_decay:
        trust_scale = 1 / maximum(lr, fp64(1e-30))
    put(row + 0, lr, there)
    put(row + 1, momentum, there)
    if has_weight_decay:
        put(row + 2, weight_decay, there)
        put(row + 3, trust_coeff, there)
        put(row + 4, eps, there)
        if trust_clip:
            put(row + 5, trust_scale, there)


def flags(*, weight_decay: float, nesterov: bool, trust_clip: bool) -> dict[str, bool]:
    """The variant of the kernel that a parameter group needs."""
    return {"trust_clip": trust_clip, "has_weight_decay": weight_decay != 0, "nesterov": nesterov}


def _launches(launches: Launches, flags: Mapping[str, bool], rounds: bool) -> None:
    """What a step launches, one after the other. rounds: whether a stored state may differ from the computed one."""
    launches.each_chunk(_phase_1)
    if flags["has_weight_decay"]:
        launches.each_chunk(_phase_2)


def launcher() -> Launcher:
    """A launcher for a set of tensors that step together."""
    form = Form(("element",), parts=2, shares=0, common=0)
    return Launcher(_launches, _prologue, Names(SCALARS, HYPERS, KEPT, TOLD), form)
