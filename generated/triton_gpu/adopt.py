"""ADOPT. Written by optgen 0.1.0 (format 1) from rules/adopt.py; do not edit.

    optgen build adopt --backend triton

Taniguchi, Harada, Minegishi, Oshima, Jeong, Nagahara, Iiyama, Suzuki, Iwasawa & Matsuo, ADOPT: Modified Adam Can
Converge with Any beta2 with the Optimal Rate, NeurIPS 2024, https://arxiv.org/abs/2411.02853, Algorithm 2. Numbers
as timm.optim.Adopt(clip_exp=0.25).

    theta_wd[t] = Piecewise((theta[t - 1]*(1 - lr*weight_decay), decoupled & Ne(weight_decay, 0)), (theta[t - 1],
        True))
    g_wd[t] = Piecewise((g[t] + weight_decay*theta[t - 1], ~decoupled & Ne(weight_decay, 0)), (g[t], True))
    c[t] = (t - 1)**0.25
    n[t] = Min(Max(g_wd[t]/Max(sqrt(v[t - 1]), eps), -c[t]), c[t])
    m[t] = Piecewise((m[t - 1], Eq(t, 1)), (beta1*m[t - 1] + (1 - beta1)*n[t], True))
    v[t] = Piecewise((g_wd[t]**2, Eq(t, 1)), (beta2*v[t - 1] + (1 - beta2)*g_wd[t]**2, True))
    theta[t] = Piecewise((theta[t - 1], Eq(t, 1)), (theta_wd[t] - lr*m[t], True))
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
from ._runtime import Launcher, Names

# A record holds the addresses of the parameter and these states; a row of scalars holds these.
STATES: tuple[str, ...] = ("exp_avg", "exp_avg_sq")
SCALARS = (
    "lr",
    "beta1",
    "beta2",
    "eps",
    "weight_decay",
    "c",
    "one_minus_lr_weight_decay",
    "n_scale",
    "t_eq_one",
    "one_minus_beta1",
    "one_minus_beta2",
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
    v_type: tl.constexpr,
    has_weight_decay: tl.constexpr,
    decoupled: tl.constexpr,
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
    row = scalars + row_of(word) * 11
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
    beta1 = tl.load(row + 1)
    beta2 = tl.load(row + 2)
    eps = tl.load(row + 3)
    weight_decay = tl.load(row + 4)
    c = tl.load(row + 5)
    one_minus_lr_weight_decay = tl.load(row + 6)
    n_scale = tl.load(row + 7)
    t_eq_one = truth(row + 8)
    one_minus_beta1 = tl.load(row + 9)
    one_minus_beta2 = tl.load(row + 10)
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
            # theta_wd[t] = Piecewise((theta[t - 1]*(1 - lr*weight_decay), decoupled & Ne(weight_decay, 0)),
            #     (theta[t - 1], True))
            if has_weight_decay and decoupled:
                theta_wd = theta_prev * one_minus_lr_weight_decay
            else:
                theta_wd = theta_prev
            # g_wd[t] = Piecewise((g[t] + weight_decay*theta[t - 1], ~decoupled & Ne(weight_decay, 0)), (g[t],
            #     True))
            if decoupled or not has_weight_decay:
                g_wd = g
            else:
                g_wd = g + weight_decay * theta_prev
            # n[t] = Min(Max(g_wd[t]/Max(sqrt(v[t - 1]), eps), -c[t]), c[t])
            n = minimum(maximum(div(g_wd, maximum(sqrt(v_prev, STRICT), eps), STRICT), n_scale), c)
            # m[t] = Piecewise((m[t - 1], Eq(t, 1)), (beta1*m[t - 1] + (1 - beta1)*n[t], True))
            m = tl.where(t_eq_one, m_prev, beta1 * m_prev + one_minus_beta1 * n)
            # v[t] = Piecewise((g_wd[t]**2, Eq(t, 1)), (beta2*v[t - 1] + (1 - beta2)*g_wd[t]**2, True))
            v = tl.where(t_eq_one, g_wd * g_wd, beta2 * v_prev + one_minus_beta2 * (g_wd * g_wd))
            # theta[t] = Piecewise((theta[t - 1], Eq(t, 1)), (theta_wd[t] - lr*m[t], True))
            theta = tl.where(t_eq_one, theta_prev, theta_wd - lr * m)
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
    has_weight_decay: tl.constexpr,
    decoupled: tl.constexpr,
    SCALED: tl.constexpr,
    TENSORS: tl.constexpr,
) -> None:
    """The rows of scalars of some tensors, in float64, where counts lie on the device; the count and states go on."""
    tensor = tl.program_id(0) * TENSORS + tl.arange(0, TENSORS)
    there = tensor < count
    clock = clocks + tensor * 2
    hyper = hypers + tl.load(clock, there, 0) * 5
    row = scalars + tensor * 11
    goes = there & ~truth(found_inf) if SCALED else there
    lr = number(hyper + 0, there)
    beta1 = number(hyper + 1, there)
    beta2 = number(hyper + 2, there)
    eps = number(hyper + 3, there)
    weight_decay = number(hyper + 4, there)
    t_at = address(clock + 1, t_type, there)
    t = number(t_at, there) + 1
    if has_weight_decay and decoupled:
        one_minus_lr_weight_decay = 1 - lr * weight_decay
    c = power(t - 1, 0.25)
    n_scale = -c
    t_eq_one = t == 1
    one_minus_beta1 = 1 - beta1
    one_minus_beta2 = 1 - beta2
    put(row + 0, lr, there)
    put(row + 1, beta1, there)
    put(row + 2, beta2, there)
    put(row + 3, eps, there)
    if has_weight_decay and not decoupled:
        put(row + 4, weight_decay, there)
    put(row + 5, c, there)
    if has_weight_decay and decoupled:
        put(row + 6, one_minus_lr_weight_decay, there)
    put(row + 7, n_scale, there)
    put(row + 8, t_eq_one, there)
    put(row + 9, one_minus_beta1, there)
    put(row + 10, one_minus_beta2, there)
    put(t_at, t, goes)


def flags(*, weight_decay: float, decoupled: bool) -> dict[str, bool]:
    """The variant of the kernel that a parameter group needs."""
    return {"has_weight_decay": weight_decay != 0, "decoupled": decoupled}


def launcher() -> Launcher:
    """A launcher for a set of tensors that step together."""
    return Launcher(_step, _prologue, Names(SCALARS, HYPERS, KEPT, TOLD))
