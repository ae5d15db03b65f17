"""AdamWBF16. Written by optgen 0.1.0 (format 1) from rules/adamwbf16.py; do not edit.

    optgen build adamwbf16 --backend triton

AdamW for bfloat16 parameters, rounded stochastically. Zamirai, Zhang, Aberger & De Sa, Revisiting BFloat16
Training, 2020. https://arxiv.org/abs/2010.06192. States have the parameter's dtype.

    m[t] = beta1*m[t - 1] + (1 - beta1)*g[t]
    v[t] = beta2*v[t - 1] + (1 - beta2)*g[t]**2
    v_max[t] = Max(v_max[t - 1], v[t])
    m_hat[t] = m[t]/(1 - beta1**t)
    v_hat[t] = Piecewise((v_max[t], amsgrad), (v[t], True))/(1 - beta2**t)
    theta[t] = theta[t - 1] - lr*(m_hat[t]/(sqrt(v_hat[t]) + eps) + weight_decay*theta[t - 1])
    with theta as bf16_sr
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
    sqrt,
    store,
    stream,
    tensor_of,
    truth,
    whole_blocks,
)
from ._parameters import by_chance, put_halves, whole_at
from ._phases import Form
from ._runtime import Launcher, Names

# A record holds the addresses of the parameter and these states; a row of scalars holds these.
STATES: tuple[str, ...] = ("exp_avg", "exp_avg_sq", "max_exp_avg_sq")
SCALARS = (
    "lr",
    "beta1",
    "beta2",
    "eps",
    "weight_decay",
    "one_minus_beta1",
    "one_minus_beta2",
    "inv_one_minus_beta1_t",
    "inv_one_minus_beta2_t",
)
# A clock holds the number of a row of these hyperparameters, the addresses of the count and these states, and these.
HYPERS: tuple[str, ...] = ("lr", "beta1", "beta2", "eps", "weight_decay", "seed")
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
    v_max_type: tl.constexpr,
    amsgrad: tl.constexpr,
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
    row = scalars + row_of(word) * 13
    start = chunk_of(word) * chunk
    left = tl.minimum(tl.load(record + 4) - start, chunk).to(tl.int32)
    if SCALED:
        left = tl.where(truth(found_inf), 0, left)
        factor = div(1.0, tl.load(grad_scale).to(COMPUTE), True)
    theta_at = stream(record + 0, theta_type, start)
    g_at = stream(gradients + tensor, g_type, start)
    m_at = stream(record + 1, m_type, start)
    v_at = stream(record + 2, v_type, start)
    v_max_at = stream(record + 3, v_max_type, start)
    lr = tl.load(row + 0)
    beta1 = tl.load(row + 1)
    beta2 = tl.load(row + 2)
    eps = tl.load(row + 3)
    weight_decay = tl.load(row + 4)
    one_minus_beta1 = tl.load(row + 5)
    one_minus_beta2 = tl.load(row + 6)
    inv_one_minus_beta1_t = tl.load(row + 7)
    inv_one_minus_beta2_t = tl.load(row + 8)
    if theta_type == tl.bfloat16:
        seed = whole_at(row + 9)
        count = whole_at(row + 11)
        place = tl.load(record + 5).to(tl.uint32)
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
            if amsgrad:
                v_max_prev = load(v_max_at, at, left, tail, BLOCK, VEC, COMPUTE)
            # m[t] = beta1*m[t - 1] + (1 - beta1)*g[t]
            m = beta1 * m_prev + one_minus_beta1 * g
            # v[t] = beta2*v[t - 1] + (1 - beta2)*g[t]**2
            v = beta2 * v_prev + one_minus_beta2 * (g * g)
            if amsgrad:
                # v_max[t] = Max(v_max[t - 1], v[t])
                v_max = maximum(v_max_prev, v)
            # m_hat[t] = m[t]/(1 - beta1**t)
            m_hat = m * inv_one_minus_beta1_t
            # v_hat[t] = Piecewise((v_max[t], amsgrad), (v[t], True))/(1 - beta2**t)
            if amsgrad:
                v_hat = v_max * inv_one_minus_beta2_t
            else:
                v_hat = v * inv_one_minus_beta2_t
            # theta[t] = theta[t - 1] - lr*(m_hat[t]/(sqrt(v_hat[t]) + eps) + weight_decay*theta[t - 1])
            theta = theta_prev - lr * (div(m_hat, sqrt(v_hat, STRICT) + eps, STRICT) + weight_decay * theta_prev)
            if theta_type == tl.bfloat16:
                rounded = by_chance(theta, seed, count, place, start + at)
                store(theta_at, rounded, at, left, tail, BLOCK, VEC)
            else:
                store(theta_at, theta, at, left, tail, BLOCK, VEC)
            store(m_at, m, at, left, tail, BLOCK, VEC)
            store(v_at, v, at, left, tail, BLOCK, VEC)
            if amsgrad:
                store(v_max_at, v_max, at, left, tail, BLOCK, VEC)


@triton.jit
def _prologue(
    clocks: tl.tensor,
    hypers: tl.tensor,
    scalars: tl.tensor,
    found_inf: tl.tensor,
    count: tl.tensor,
    t_type: tl.constexpr,
    amsgrad: tl.constexpr,
    SCALED: tl.constexpr,
    TENSORS: tl.constexpr,
) -> None:
    """The rows of scalars of some tensors, in float64, where counts lie on the device; the count and states go on."""
    tensor = tl.program_id(0) * TENSORS + tl.arange(0, TENSORS)
    there = tensor < count
    clock = clocks + tensor * 2
    hyper = hypers + tl.load(clock, there, 0) * 6
    row = scalars + tensor * 13
    goes = there & ~truth(found_inf) if SCALED else there
    lr = number(hyper + 0, there)
    beta1 = number(hyper + 1, there)
    beta2 = number(hyper + 2, there)
    eps = number(hyper + 3, there)
    weight_decay = number(hyper + 4, there)
    seed = number(hyper + 5, there)
    t_at = address(clock + 1, t_type, there)
    t = number(t_at, there) + 1
    one_minus_beta1 = 1 - beta1
    one_minus_beta2 = 1 - beta2
    inv_one_minus_beta1_t = 1 / one_minus_power(beta1, t)
    inv_one_minus_beta2_t = 1 / one_minus_power(beta2, t)
    put(row + 0, lr, there)
    put(row + 1, beta1, there)
    put(row + 2, beta2, there)
    put(row + 3, eps, there)
    put(row + 4, weight_decay, there)
    put(row + 5, one_minus_beta1, there)
    put(row + 6, one_minus_beta2, there)
    put(row + 7, inv_one_minus_beta1_t, there)
    put(row + 8, inv_one_minus_beta2_t, there)
    put_halves(row + 9, seed, there)
    put_halves(row + 11, t, there)
    put(t_at, t, goes)


def flags(*, amsgrad: bool) -> dict[str, bool]:
    """The variant of the kernel that a parameter group needs."""
    return {"amsgrad": amsgrad}


def launcher() -> Launcher:
    """A launcher for a set of tensors that step together."""
    form = Form(("element", "element", "element"), draws=True, one_pass=True)
    return Launcher(_step, _prologue, Names(SCALARS, HYPERS, KEPT, TOLD), form)
