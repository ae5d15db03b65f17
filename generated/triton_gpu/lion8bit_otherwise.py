"""Lion8bit. Written by optgen 0.1.0 (format 1) from rules/lion8bit.py; do not edit.

    optgen build lion8bit --backend triton

Lion with an 8-bit state. Dettmers, Lewis, Shleifer & Zettlemoyer, 8-bit Optimizers via Block-wise Quantization,
ICLR 2022. https://arxiv.org/abs/2110.02861. Formats as bitsandbytes.optim.Lion8bit.

    u[t] = sign(beta1*m[t - 1] + (1 - beta1)*g[t])
    m[t] = beta2*m[t - 1] + (1 - beta2)*g[t]
    theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr*u[t]
"""

from __future__ import annotations

import triton
import triton.language as tl

from ._device import chunk_of, div, load, number, put, row_of, sign, store, stream, tensor_of, truth, whole_blocks
from ._runtime import Launcher, Names

# A record holds the addresses of the parameter and these states; a row of scalars holds these.
STATES: tuple[str, ...] = ("exp_avg",)
SCALARS = (
    "lr",
    "beta1",
    "beta2",
    "one_minus_beta1",
    "one_minus_beta2",
    "one_minus_lr_weight_decay",
)
# A clock holds the number of a row of these hyperparameters, the addresses of the count and these states, and these.
HYPERS: tuple[str, ...] = ("lr", "beta1", "beta2", "weight_decay")
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
    row = scalars + row_of(word) * 6
    start = chunk_of(word) * chunk
    left = tl.minimum(tl.load(record + 2) - start, chunk).to(tl.int32)
    if SCALED:
        left = tl.where(truth(found_inf), 0, left)
        factor = div(1.0, tl.load(grad_scale).to(COMPUTE), True)
    theta_at = stream(record + 0, theta_type, start)
    g_at = stream(gradients + tensor, g_type, start)
    m_at = stream(record + 1, m_type, start)
    lr = tl.load(row + 0)
    beta1 = tl.load(row + 1)
    beta2 = tl.load(row + 2)
    one_minus_beta1 = tl.load(row + 3)
    one_minus_beta2 = tl.load(row + 4)
    one_minus_lr_weight_decay = tl.load(row + 5)
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
            # u[t] = sign(beta1*m[t - 1] + (1 - beta1)*g[t])
            u = sign(beta1 * m_prev + one_minus_beta1 * g)
            # m[t] = beta2*m[t - 1] + (1 - beta2)*g[t]
            m = beta2 * m_prev + one_minus_beta2 * g
            # theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr*u[t]
            theta = theta_prev * one_minus_lr_weight_decay - lr * u
            store(theta_at, theta, at, left, tail, BLOCK, VEC)
            store(m_at, m, at, left, tail, BLOCK, VEC)


@triton.jit
def _prologue(
    clocks: tl.tensor,
    hypers: tl.tensor,
    scalars: tl.tensor,
    found_inf: tl.tensor,
    count: tl.tensor,
    SCALED: tl.constexpr,
    TENSORS: tl.constexpr,
) -> None:
    """The rows of scalars of some tensors, in float64, where counts lie on the device; the count and states go on."""
    tensor = tl.program_id(0) * TENSORS + tl.arange(0, TENSORS)
    there = tensor < count
    clock = clocks + tensor * 2
    hyper = hypers + tl.load(clock, there, 0) * 4
    row = scalars + tensor * 6
    lr = number(hyper + 0, there)
    beta1 = number(hyper + 1, there)
    beta2 = number(hyper + 2, there)
    weight_decay = number(hyper + 3, there)
    one_minus_beta1 = 1 - beta1
    one_minus_beta2 = 1 - beta2
    one_minus_lr_weight_decay = 1 - lr * weight_decay
    put(row + 0, lr, there)
    put(row + 1, beta1, there)
    put(row + 2, beta2, there)
    put(row + 3, one_minus_beta1, there)
    put(row + 4, one_minus_beta2, there)
    put(row + 5, one_minus_lr_weight_decay, there)


def flags() -> dict[str, bool]:
    """The variant of the kernel that a parameter group needs."""
    return {}


def launcher() -> Launcher:
    """A launcher for a set of tensors that step together."""
    return Launcher(_step, _prologue, Names(SCALARS, HYPERS, KEPT, TOLD))
