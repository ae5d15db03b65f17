"""Adafactor. Written by optgen 0.1.0 (format 1) from rules/adafactor.py; do not edit.

    optgen build adafactor --backend triton

Shazeer & Stern, Adafactor: Adaptive Learning Rates with Sublinear Memory Cost, ICML 2018,
https://arxiv.org/abs/1804.04235, Algorithms 4 and 5. Numbers as torch.optim.Adafactor: lr bounds the relative step,
and scales the weight decay.

    rho[t] = Min(lr, 1/(sqrt(t)))
    alpha[t] = Max(eps2, rms(theta[t - 1], elems))*rho[t]
    w[t] = t**beta2_decay
    V[t] = V[t - 1] + w[t]*(g[t]**2 - V[t - 1])
    U[t] = g[t]/sqrt(Max(V[t], eps1**2))
    theta[t] = theta[t - 1]*(1 - lr*weight_decay) - alpha[t]/Max(1, rms(U[t], elems)/d)*U[t]
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
    minimum,
    number,
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
from ._phases import Form, Launches
from ._reductions import inside, summed
from ._runtime import Launcher, Names

# A record holds the addresses of the parameter and these states; a row of scalars holds these.
STATES: tuple[str, ...] = ("variance",)
SCALARS = (
    "eps2",
    "rho",
    "w",
    "U_scale",
    "one_minus_lr_weight_decay",
    "inv_d",
)
# A clock holds the number of a row of these hyperparameters, the addresses of the count and these states, and these.
HYPERS: tuple[str, ...] = ("lr", "beta2_decay", "eps1", "eps2", "d", "weight_decay")
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
    V_type: tl.constexpr,
    ROUNDS: tl.constexpr,
    MAXIMIZE: tl.constexpr,
    SCALED: tl.constexpr,
    STRICT: tl.constexpr,
    COMPUTE: tl.constexpr,
    BLOCK: tl.constexpr,
    VEC: tl.constexpr,
) -> None:
    """theta_prev_sq_mean, U_sq_mean: of one chunk of one tensor."""
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
    mine = parts + tl.program_id(0).to(tl.int64) * 2
    theta_at = stream(record + 0, theta_type, start)
    g_at = stream(gradients + tensor, g_type, start)
    V_at = stream(record + 1, V_type, start)
    w = tl.load(row + 2)
    U_scale = tl.load(row + 3)
    theta_prev_sq_mean = tl.full((), 0.0, COMPUTE)
    U_sq_mean = tl.full((), 0.0, COMPUTE)
    whole = whole_blocks(word, left, BLOCK)
    for tail in tl.static_range(2):
        theta_prev_sq_mean_block = tl.full((BLOCK // 2 if tail else BLOCK,), 0.0, COMPUTE)
        U_sq_mean_block = tl.full((BLOCK // 2 if tail else BLOCK,), 0.0, COMPUTE)
        for at in tl.range(whole if tail else 0, left if tail else whole, BLOCK // 2 if tail else BLOCK, num_stages=1):
            theta_prev = load(theta_at, at, left, tail, BLOCK, VEC, COMPUTE)
            g = load(g_at, at, left, tail, BLOCK, VEC, COMPUTE)
            if SCALED:
                g = factor * g
            if MAXIMIZE:
                g = -g
            V_prev = load(V_at, at, left, tail, BLOCK, VEC, COMPUTE)
            # alpha[t] = Max(eps2, rms(theta[t - 1], elems))*rho[t]
            theta_prev_sq_mean_block += inside(theta_prev * theta_prev, 0.0, at, left, tail, BLOCK)
            # V[t] = V[t - 1] + w[t]*(g[t]**2 - V[t - 1])
            V = V_prev + w * (g * g - V_prev)
            # U[t] = g[t]/sqrt(Max(V[t], eps1**2))
            U = div(g, sqrt(maximum(V, U_scale), STRICT), STRICT)
            # theta[t] = theta[t - 1]*(1 - lr*weight_decay) - alpha[t]/Max(1, rms(U[t], elems)/d)*U[t]
            U_sq_mean_block += inside(U * U, 0.0, at, left, tail, BLOCK)
        theta_prev_sq_mean += tl.sum(theta_prev_sq_mean_block)
        U_sq_mean += tl.sum(U_sq_mean_block)
    tl.store(mine + 0, theta_prev_sq_mean)
    tl.store(mine + 1, U_sq_mean)


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
    V_type: tl.constexpr,
    ROUNDS: tl.constexpr,
    MAXIMIZE: tl.constexpr,
    SCALED: tl.constexpr,
    STRICT: tl.constexpr,
    COMPUTE: tl.constexpr,
    BLOCK: tl.constexpr,
    VEC: tl.constexpr,
) -> None:
    """theta, V: of one chunk of one tensor."""
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
    V_at = stream(record + 1, V_type, start)
    eps2 = tl.load(row + 0)
    rho = tl.load(row + 1)
    w = tl.load(row + 2)
    U_scale = tl.load(row + 3)
    one_minus_lr_weight_decay = tl.load(row + 4)
    inv_d = tl.load(row + 5)
    theta_prev_sq_mean = div(summed(its_parts + 0, chunks, 2), elements.to(COMPUTE), STRICT)
    U_sq_mean = div(summed(its_parts + 1, chunks, 2), elements.to(COMPUTE), STRICT)
    # alpha[t] = Max(eps2, rms(theta[t - 1], elems))*rho[t]
    alpha = maximum(eps2, sqrt(theta_prev_sq_mean, STRICT)) * rho
    whole = whole_blocks(word, left, BLOCK)
    for tail in tl.static_range(2):
        for at in tl.range(whole if tail else 0, left if tail else whole, BLOCK // 2 if tail else BLOCK, num_stages=1):
            theta_prev = load(theta_at, at, left, tail, BLOCK, VEC, COMPUTE)
            g = load(g_at, at, left, tail, BLOCK, VEC, COMPUTE)
            if SCALED:
                g = factor * g
            if MAXIMIZE:
                g = -g
            V_prev = load(V_at, at, left, tail, BLOCK, VEC, COMPUTE)
            # V[t] = V[t - 1] + w[t]*(g[t]**2 - V[t - 1])
            V = V_prev + w * (g * g - V_prev)
            # U[t] = g[t]/sqrt(Max(V[t], eps1**2))
            U = div(g, sqrt(maximum(V, U_scale), STRICT), STRICT)
            # theta[t] = theta[t - 1]*(1 - lr*weight_decay) - alpha[t]/Max(1, rms(U[t], elems)/d)*U[t]
            theta = (
                theta_prev * one_minus_lr_weight_decay
                - div(alpha, maximum(tl.full((), 1, COMPUTE), sqrt(U_sq_mean, STRICT) * inv_d), STRICT) * U
            )
            store(theta_at, theta, at, left, tail, BLOCK, VEC)
            store(V_at, V, at, left, tail, BLOCK, VEC)


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
    row = scalars + tensor * 6
    goes = there & ~truth(found_inf) if SCALED else there
    lr = number(hyper + 0, there)
    beta2_decay = number(hyper + 1, there)
    eps1 = number(hyper + 2, there)
    eps2 = number(hyper + 3, there)
    d = number(hyper + 4, there)
    weight_decay = number(hyper + 5, there)
    t_at = address(clock + 1, t_type, there)
    t = number(t_at, there) + 1
    rho = minimum(lr, 1 / tl.sqrt(t))
    w = power(t, beta2_decay)
    U_scale = eps1 * eps1
    one_minus_lr_weight_decay = 1 - lr * weight_decay
    inv_d = 1 / d
    put(row + 0, eps2, there)
    put(row + 1, rho, there)
    put(row + 2, w, there)
    put(row + 3, U_scale, there)
    put(row + 4, one_minus_lr_weight_decay, there)
    put(row + 5, inv_d, there)
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
    form = Form(("element",), parts=2, shares=0, common=0)
    return Launcher(_launches, _prologue, Names(SCALARS, HYPERS, KEPT, TOLD), form)
