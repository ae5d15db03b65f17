"""NAdamW. Written by optgen 0.1.0 (format 1) from rules/nadamw.py; do not edit.

    optgen build nadamw --backend triton

Dozat, Incorporating Nesterov Momentum into Adam, ICLR Workshop 2016,
https://openreview.net/forum?id=OM0jvwB8jIp57ZJjtNEZ, with decoupled weight decay as in Dahl et al., Benchmarking
Neural Network Training Algorithms, 2023, https://arxiv.org/abs/2306.07179. Numbers as timm.optim.NAdamW.

    m[t] = beta1*m[t - 1] + (1 - beta1)*g[t]
    v[t] = beta2*v[t - 1] + (1 - beta2)*g[t]**2
    m_ahead[t] = beta1*m[t] + (1 - beta1)*g[t]
    theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr/(1 - beta1**t)*(m_ahead[t]/(sqrt(v[t])/sqrt(1 - beta2**t) +
        eps))
"""

from __future__ import annotations

import triton
import triton.language as tl

from ._device import chunk_of, div, load, row_of, sqrt, store, stream, tensor_of, whole_blocks
from ._runtime import Launcher

# A record holds the addresses of the parameter, the gradient and these states; a row of scalars holds these.
STATES: tuple[str, ...] = ("exp_avg", "exp_avg_sq")
SCALARS = (
    "beta1",
    "beta2",
    "eps",
    "one_minus_beta1",
    "one_minus_beta2",
    "one_minus_lr_weight_decay",
    "lr_over_one_minus_beta1_t",
    "inv_sqrt_one_minus_beta2_t",
)


@triton.jit
def _step(
    words: tl.tensor,
    records: tl.tensor,
    scalars: tl.tensor,
    chunk: tl.tensor,
    theta_type: tl.constexpr,
    g_type: tl.constexpr,
    m_type: tl.constexpr,
    v_type: tl.constexpr,
    MAXIMIZE: tl.constexpr,
    STRICT: tl.constexpr,
    COMPUTE: tl.constexpr,
    BLOCK: tl.constexpr,
    VEC: tl.constexpr,
) -> None:
    """One chunk of one tensor: whole blocks without a mask, then the rest, or all of a slow chunk, under one."""
    word = tl.load(words + tl.program_id(0))
    record = records + tensor_of(word) * 8
    row = scalars + row_of(word) * 8
    start = chunk_of(word) * chunk
    theta_at = stream(record, 0, theta_type, start)
    g_at = stream(record, 1, g_type, start)
    m_at = stream(record, 2, m_type, start)
    v_at = stream(record, 3, v_type, start)
    left = tl.minimum(tl.load(record + 4) - start, chunk).to(tl.int32)
    beta1 = tl.load(row + 0)
    beta2 = tl.load(row + 1)
    eps = tl.load(row + 2)
    one_minus_beta1 = tl.load(row + 3)
    one_minus_beta2 = tl.load(row + 4)
    one_minus_lr_weight_decay = tl.load(row + 5)
    lr_over_one_minus_beta1_t = tl.load(row + 6)
    inv_sqrt_one_minus_beta2_t = tl.load(row + 7)
    whole = whole_blocks(word, left, BLOCK)
    for tail in tl.static_range(2):
        for at in tl.range(whole if tail else 0, left if tail else whole, BLOCK // 2 if tail else BLOCK, num_stages=1):
            theta_prev = load(theta_at, at, left, tail, BLOCK, VEC, COMPUTE)
            g = load(g_at, at, left, tail, BLOCK, VEC, COMPUTE)
            if MAXIMIZE:
                g = -g
            m_prev = load(m_at, at, left, tail, BLOCK, VEC, COMPUTE)
            v_prev = load(v_at, at, left, tail, BLOCK, VEC, COMPUTE)
            # m[t] = beta1*m[t - 1] + (1 - beta1)*g[t]
            m = beta1 * m_prev + one_minus_beta1 * g
            # v[t] = beta2*v[t - 1] + (1 - beta2)*g[t]**2
            v = beta2 * v_prev + one_minus_beta2 * (g * g)
            # m_ahead[t] = beta1*m[t] + (1 - beta1)*g[t]
            m_ahead = beta1 * m + one_minus_beta1 * g
            # theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr/(1 - beta1**t)*(m_ahead[t]/(sqrt(v[t])/sqrt(1 -
            #     beta2**t) + eps))
            theta = (
                theta_prev * one_minus_lr_weight_decay
                - lr_over_one_minus_beta1_t * div(m_ahead, sqrt(v, STRICT) * inv_sqrt_one_minus_beta2_t + eps, STRICT)
            )
            store(theta_at, theta, at, left, tail, BLOCK, VEC)
            store(m_at, m, at, left, tail, BLOCK, VEC)
            store(v_at, v, at, left, tail, BLOCK, VEC)


def flags() -> dict[str, bool]:
    """The variant of the kernel that a parameter group needs."""
    return {}


def launcher() -> Launcher:
    """A launcher for a set of tensors that step together."""
    return Launcher(_step, SCALARS)
