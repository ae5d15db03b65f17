"""NAdam. Written by optgen 0.1.0 (format 1) from rules/nadam.py; do not edit.

    optgen build nadam --backend triton

Dozat, Incorporating Nesterov Momentum into Adam, ICLR Workshop 2016,
https://openreview.net/forum?id=OM0jvwB8jIp57ZJjtNEZ. Numbers as torch.optim.NAdam.

    theta_wd[t] = Piecewise((theta[t - 1]*(1 - lr*weight_decay), decoupled_weight_decay & Ne(weight_decay, 0)),
        (theta[t - 1], True))
    g_wd[t] = Piecewise((g[t] + weight_decay*theta[t - 1], ~decoupled_weight_decay & Ne(weight_decay, 0)), (g[t],
        True))
    mu[t] = beta1*(1 + (-0.5)*0.96**(t*momentum_decay))
    mu_next[t] = beta1*(1 + (-0.5)*0.96**((t + 1)*momentum_decay))
    P[t] = P[t - 1]*mu[t]
    m[t] = beta1*m[t - 1] + (1 - beta1)*g_wd[t]
    v[t] = beta2*v[t - 1] + (1 - beta2)*g_wd[t]**2
    D[t] = sqrt(v[t]/(1 - beta2**t)) + eps
    theta[t] = (theta_wd[t] - lr*(1 - mu[t])/(1 - P[t])*(g_wd[t]/D[t])) - lr*mu_next[t]/(1 -
        P[t]*mu_next[t])*(m[t]/D[t])
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
    "weight_decay",
    "one_minus_lr_weight_decay",
    "one_minus_beta1",
    "one_minus_beta2",
    "inv_one_minus_beta2_t",
    "lr_one_minus_mu_over_one_minus_P",
    "theta_scale",
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
    has_weight_decay: tl.constexpr,
    decoupled_weight_decay: tl.constexpr,
    MAXIMIZE: tl.constexpr,
    STRICT: tl.constexpr,
    COMPUTE: tl.constexpr,
    BLOCK: tl.constexpr,
    VEC: tl.constexpr,
) -> None:
    """One chunk of one tensor: whole blocks without a mask, then the rest, or all of a slow chunk, under one."""
    word = tl.load(words + tl.program_id(0))
    record = records + tensor_of(word) * 8
    row = scalars + row_of(word) * 10
    start = chunk_of(word) * chunk
    theta_at = stream(record, 0, theta_type, start)
    g_at = stream(record, 1, g_type, start)
    m_at = stream(record, 2, m_type, start)
    v_at = stream(record, 3, v_type, start)
    left = tl.minimum(tl.load(record + 4) - start, chunk).to(tl.int32)
    beta1 = tl.load(row + 0)
    beta2 = tl.load(row + 1)
    eps = tl.load(row + 2)
    weight_decay = tl.load(row + 3)
    one_minus_lr_weight_decay = tl.load(row + 4)
    one_minus_beta1 = tl.load(row + 5)
    one_minus_beta2 = tl.load(row + 6)
    inv_one_minus_beta2_t = tl.load(row + 7)
    lr_one_minus_mu_over_one_minus_P = tl.load(row + 8)
    theta_scale = tl.load(row + 9)
    whole = whole_blocks(word, left, BLOCK)
    for tail in tl.static_range(2):
        for at in tl.range(whole if tail else 0, left if tail else whole, BLOCK // 2 if tail else BLOCK, num_stages=1):
            theta_prev = load(theta_at, at, left, tail, BLOCK, VEC, COMPUTE)
            g = load(g_at, at, left, tail, BLOCK, VEC, COMPUTE)
            if MAXIMIZE:
                g = -g
            m_prev = load(m_at, at, left, tail, BLOCK, VEC, COMPUTE)
            v_prev = load(v_at, at, left, tail, BLOCK, VEC, COMPUTE)
            # theta_wd[t] = Piecewise((theta[t - 1]*(1 - lr*weight_decay), decoupled_weight_decay & Ne(weight_decay,
            #     0)), (theta[t - 1], True))
            if has_weight_decay and decoupled_weight_decay:
                theta_wd = theta_prev * one_minus_lr_weight_decay
            else:
                theta_wd = theta_prev
            # g_wd[t] = Piecewise((g[t] + weight_decay*theta[t - 1], ~decoupled_weight_decay & Ne(weight_decay, 0)),
            #     (g[t], True))
            if decoupled_weight_decay or not has_weight_decay:
                g_wd = g
            else:
                g_wd = g + weight_decay * theta_prev
            # m[t] = beta1*m[t - 1] + (1 - beta1)*g_wd[t]
            m = beta1 * m_prev + one_minus_beta1 * g_wd
            # v[t] = beta2*v[t - 1] + (1 - beta2)*g_wd[t]**2
            v = beta2 * v_prev + one_minus_beta2 * (g_wd * g_wd)
            # D[t] = sqrt(v[t]/(1 - beta2**t)) + eps
            D = sqrt(v * inv_one_minus_beta2_t, STRICT) + eps
            # theta[t] = (theta_wd[t] - lr*(1 - mu[t])/(1 - P[t])*(g_wd[t]/D[t])) - lr*mu_next[t]/(1 -
            #     P[t]*mu_next[t])*(m[t]/D[t])
            theta = theta_wd - lr_one_minus_mu_over_one_minus_P * div(g_wd, D, STRICT) - theta_scale * div(m, D, STRICT)
            store(theta_at, theta, at, left, tail, BLOCK, VEC)
            store(m_at, m, at, left, tail, BLOCK, VEC)
            store(v_at, v, at, left, tail, BLOCK, VEC)


def flags(*, weight_decay: float, decoupled_weight_decay: bool) -> dict[str, bool]:
    """The variant of the kernel that a parameter group needs."""
    return {"has_weight_decay": weight_decay != 0, "decoupled_weight_decay": decoupled_weight_decay}


def launcher() -> Launcher:
    """A launcher for a set of tensors that step together."""
    return Launcher(_step, SCALARS)
