"""Adam8bit. Written by optgen 0.1.0 (format 1) from rules/adam8bit.py; do not edit.

    optgen build adam8bit --backend triton

Adam with 8-bit states. Dettmers, Lewis, Shleifer & Zettlemoyer, 8-bit Optimizers via Block-wise Quantization, ICLR
2022. https://arxiv.org/abs/2110.02861. Formats as bitsandbytes.optim.Adam8bit, whose weight decay is decoupled.

    g_wd[t] = Piecewise((g[t] + weight_decay*theta[t - 1], ~decoupled_weight_decay & Ne(weight_decay, 0)), (g[t],
        True))
    theta_wd[t] = Piecewise((theta[t - 1]*(1 - lr*weight_decay), decoupled_weight_decay), (theta[t - 1], True))
    m[t] = beta1*m[t - 1] + (1 - beta1)*g_wd[t]
    v[t] = beta2*v[t - 1] + (1 - beta2)*g_wd[t]**2
    v_max[t] = Max(v_max[t - 1], v[t])
    m_hat[t] = m[t]/(1 - beta1**t)
    v_hat[t] = Piecewise((v_max[t], amsgrad), (v[t], True))/(1 - beta2**t)
    theta[t] = theta_wd[t] - lr*m_hat[t]/(sqrt(v_hat[t]) + eps)
    with every state as int8, of parameters with at least 4096 elements
"""

from __future__ import annotations

import triton
import triton.language as tl

from ._codes import load, store
from ._device import (
    address,
    chunk_of,
    div,
    maximum,
    number,
    one_minus_power,
    put,
    row_of,
    sqrt,
    stream,
    tensor_of,
    truth,
    whole_blocks,
)
from ._int8 import NUMBERS_INT8_SIGNED, NUMBERS_INT8_UNSIGNED, load_int8, store_int8_signed, store_int8_unsigned
from ._phases import Form
from ._runtime import Launcher, Names

# A record holds the addresses of the parameter and these states; a row of scalars holds these.
STATES: tuple[str, ...] = (
    "exp_avg", "exp_avg_absmax", "exp_avg_sq", "exp_avg_sq_absmax", "max_exp_avg_sq",
    "max_exp_avg_sq_absmax"
)
SCALARS = (
    "lr",
    "beta1",
    "beta2",
    "eps",
    "weight_decay",
    "one_minus_lr_weight_decay",
    "one_minus_beta1",
    "one_minus_beta2",
    "inv_one_minus_beta1_t",
    "inv_one_minus_beta2_t",
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
    numbers: tl.tensor,
    chunk: tl.tensor,
    theta_type: tl.constexpr,
    g_type: tl.constexpr,
    has_weight_decay: tl.constexpr,
    decoupled_weight_decay: tl.constexpr,
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
    row = scalars + row_of(word) * 10
    start = chunk_of(word) * chunk
    left = tl.minimum(tl.load(record + 7) - start, chunk).to(tl.int32)
    if SCALED:
        left = tl.where(truth(found_inf), 0, left)
        factor = div(1.0, tl.load(grad_scale).to(COMPUTE), True)
    theta_at = stream(record + 0, theta_type, start)
    g_at = stream(gradients + tensor, g_type, start)
    m_at = stream(record + 1, tl.uint8, start)
    m_absmax_at = stream(record + 2, tl.float32, start // 256)
    v_at = stream(record + 3, tl.uint8, start)
    v_absmax_at = stream(record + 4, tl.float32, start // 256)
    v_max_at = stream(record + 5, tl.uint8, start)
    v_max_absmax_at = stream(record + 6, tl.float32, start // 256)
    lr = tl.load(row + 0)
    beta1 = tl.load(row + 1)
    beta2 = tl.load(row + 2)
    eps = tl.load(row + 3)
    weight_decay = tl.load(row + 4)
    one_minus_lr_weight_decay = tl.load(row + 5)
    one_minus_beta1 = tl.load(row + 6)
    one_minus_beta2 = tl.load(row + 7)
    inv_one_minus_beta1_t = tl.load(row + 8)
    inv_one_minus_beta2_t = tl.load(row + 9)
    whole = whole_blocks(word, left, BLOCK)
    for tail in tl.static_range(2):
        for at in tl.range(whole if tail else 0, left if tail else whole, BLOCK, num_stages=1):
            theta_prev = load(theta_at, at, left, tail, BLOCK, VEC, COMPUTE)
            g = load(g_at, at, left, tail, BLOCK, VEC, COMPUTE)
            if SCALED:
                g = factor * g
            if MAXIMIZE:
                g = -g
            m_prev = load_int8(m_at, m_absmax_at, numbers, at, left, tail, BLOCK, VEC, COMPUTE)
            v_prev = load_int8(v_at, v_absmax_at, numbers + 256, at, left, tail, BLOCK, VEC, COMPUTE)
            if amsgrad:
                v_max_prev = load_int8(v_max_at, v_max_absmax_at, numbers + 256, at, left, tail, BLOCK, VEC, COMPUTE)
            # g_wd[t] = Piecewise((g[t] + weight_decay*theta[t - 1], ~decoupled_weight_decay & Ne(weight_decay, 0)),
            #     (g[t], True))
            if decoupled_weight_decay or not has_weight_decay:
                g_wd = g
            else:
                g_wd = g + weight_decay * theta_prev
            # theta_wd[t] = Piecewise((theta[t - 1]*(1 - lr*weight_decay), decoupled_weight_decay), (theta[t - 1],
            #     True))
            if decoupled_weight_decay:
                theta_wd = theta_prev * one_minus_lr_weight_decay
            else:
                theta_wd = theta_prev
            # m[t] = beta1*m[t - 1] + (1 - beta1)*g_wd[t]
            m = beta1 * m_prev + one_minus_beta1 * g_wd
            # v[t] = beta2*v[t - 1] + (1 - beta2)*g_wd[t]**2
            v = beta2 * v_prev + one_minus_beta2 * (g_wd * g_wd)
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
            # theta[t] = theta_wd[t] - lr*m_hat[t]/(sqrt(v_hat[t]) + eps)
            theta = theta_wd - div(lr * m_hat, sqrt(v_hat, STRICT) + eps, STRICT)
            store(theta_at, theta, at, left, tail, BLOCK, VEC)
            store_int8_signed(m_at, m_absmax_at, m, at, left, tail, BLOCK, VEC, STRICT)
            store_int8_unsigned(v_at, v_absmax_at, v, at, left, tail, BLOCK, VEC, STRICT)
            if amsgrad:
                store_int8_unsigned(v_max_at, v_max_absmax_at, v_max, at, left, tail, BLOCK, VEC, STRICT)


@triton.jit
def _prologue(
    clocks: tl.tensor,
    hypers: tl.tensor,
    scalars: tl.tensor,
    found_inf: tl.tensor,
    count: tl.tensor,
    t_type: tl.constexpr,
    has_weight_decay: tl.constexpr,
    decoupled_weight_decay: tl.constexpr,
    amsgrad: tl.constexpr,
    SCALED: tl.constexpr,
    TENSORS: tl.constexpr,
) -> None:
    """The rows of scalars of some tensors, in float64, where counts lie on the device; the count and states go on."""
    tensor = tl.program_id(0) * TENSORS + tl.arange(0, TENSORS)
    there = tensor < count
    clock = clocks + tensor * 2
    hyper = hypers + tl.load(clock, there, 0) * 5
    row = scalars + tensor * 10
    goes = there & ~truth(found_inf) if SCALED else there
    lr = number(hyper + 0, there)
    beta1 = number(hyper + 1, there)
    beta2 = number(hyper + 2, there)
    eps = number(hyper + 3, there)
    weight_decay = number(hyper + 4, there)
    t_at = address(clock + 1, t_type, there)
    t = number(t_at, there) + 1
    if decoupled_weight_decay:
        one_minus_lr_weight_decay = 1 - lr * weight_decay
    one_minus_beta1 = 1 - beta1
    one_minus_beta2 = 1 - beta2
    inv_one_minus_beta1_t = 1 / one_minus_power(beta1, t)
    inv_one_minus_beta2_t = 1 / one_minus_power(beta2, t)
    put(row + 0, lr, there)
    put(row + 1, beta1, there)
    put(row + 2, beta2, there)
    put(row + 3, eps, there)
    if decoupled_weight_decay:
        put(row + 5, one_minus_lr_weight_decay, there)
    elif has_weight_decay:
        put(row + 4, weight_decay, there)
    put(row + 6, one_minus_beta1, there)
    put(row + 7, one_minus_beta2, there)
    put(row + 8, inv_one_minus_beta1_t, there)
    put(row + 9, inv_one_minus_beta2_t, there)
    put(t_at, t, goes)


def flags(*, weight_decay: float, amsgrad: bool, decoupled_weight_decay: bool) -> dict[str, bool]:
    """The variant of the kernel that a parameter group needs."""
    return {"has_weight_decay": weight_decay != 0, "decoupled_weight_decay": decoupled_weight_decay, "amsgrad": amsgrad}


def launcher() -> Launcher:
    """A launcher for a set of tensors that step together."""
    form = Form(
        ("uint8", "fp32/256", "uint8", "fp32/256", "uint8", "fp32/256"),
        numbers=(NUMBERS_INT8_SIGNED, NUMBERS_INT8_UNSIGNED,), one_pass=True
    )
    return Launcher(_step, _prologue, Names(SCALARS, HYPERS, KEPT, TOLD), form)
