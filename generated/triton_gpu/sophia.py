"""Sophia. Written by optgen 0.1.0 (format 1) from rules/sophia.py; do not edit.

    optgen build sophia --backend triton

Liu, Li, Hall, Liang & Ma, Sophia: A Scalable Stochastic Second-order Optimizer for Language Model Pre-training,
ICLR 2024, https://arxiv.org/abs/2305.14342, Algorithm 3, with the estimate of Algorithm 2. Numbers as SophiaG of
github.com/Liuhong99/Sophia. `hessian` is the square of the gradient of a loss whose labels are drawn from the
model, bs the number of tokens of a batch. Give it once in k steps, 10 in the paper, where the authors call
update_hessian before the step; all other steps go without.

    h[t] = Piecewise((beta2*h[t - 1] + (1 - beta2)*H[t], given(H)), (h[t - 1], True))
    m[t] = beta1*m[t - 1] + (1 - beta1)*g[t]
    theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr*(sign(m[t])*Min(Abs(m[t])/(rho*bs*h[t] + 1.0e-15), 1))
"""

from __future__ import annotations

import triton
import triton.language as tl

from ._device import (
    address,
    chunk_of,
    div,
    load,
    minimum,
    number,
    put,
    row_of,
    sign,
    store,
    stream,
    tensor_of,
    truth,
    whole_blocks,
)
from ._runtime import Launcher, Names

# A record holds the addresses of the parameter and these states; a row of scalars holds these.
STATES: tuple[str, ...] = ("exp_avg", "hessian")
INPUTS: tuple[str, ...] = ("H",)
SCALARS = (
    "lr",
    "beta1",
    "beta2",
    "one_minus_beta2",
    "one_minus_beta1",
    "one_minus_lr_weight_decay",
    "rho_bs",
)
# A clock holds the number of a row of these hyperparameters, the addresses of the count and these states, and these.
HYPERS: tuple[str, ...] = ("lr", "beta1", "rho", "weight_decay", "bs", "beta2")
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
    h_type: tl.constexpr,
    H_type: tl.constexpr,
    has_H: tl.constexpr,
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
    row = scalars + row_of(word) * 7
    start = chunk_of(word) * chunk
    left = tl.minimum(tl.load(record + 3) - start, chunk).to(tl.int32)
    if SCALED:
        left = tl.where(truth(found_inf), 0, left)
        factor = div(1.0, tl.load(grad_scale).to(COMPUTE), True)
    theta_at = stream(record + 0, theta_type, start)
    g_at = stream(gradients + tensor * 2 + 0, g_type, start)
    m_at = stream(record + 1, m_type, start)
    h_at = stream(record + 2, h_type, start)
    H_at = stream(gradients + tensor * 2 + 1, H_type, start)
    lr = tl.load(row + 0)
    beta1 = tl.load(row + 1)
    beta2 = tl.load(row + 2)
    one_minus_beta2 = tl.load(row + 3)
    one_minus_beta1 = tl.load(row + 4)
    one_minus_lr_weight_decay = tl.load(row + 5)
    rho_bs = tl.load(row + 6)
    whole = whole_blocks(word, left, BLOCK)
    for tail in tl.static_range(2):
        for at in tl.range(whole if tail else 0, left if tail else whole, BLOCK // 2 if tail else BLOCK, num_stages=1):
            theta_prev = load(theta_at, at, left, tail, BLOCK, VEC, COMPUTE)
            g = load(g_at, at, left, tail, BLOCK, VEC, COMPUTE)
            if SCALED:
                g = factor * g
            if MAXIMIZE:
                g = -g
            if has_H:
                H = load(H_at, at, left, tail, BLOCK, VEC, COMPUTE)
            m_prev = load(m_at, at, left, tail, BLOCK, VEC, COMPUTE)
            h_prev = load(h_at, at, left, tail, BLOCK, VEC, COMPUTE)
            # h[t] = Piecewise((beta2*h[t - 1] + (1 - beta2)*H[t], given(H)), (h[t - 1], True))
            if has_H:
                h = beta2 * h_prev + one_minus_beta2 * H
            else:
                h = h_prev
            # m[t] = beta1*m[t - 1] + (1 - beta1)*g[t]
            m = beta1 * m_prev + one_minus_beta1 * g
            # theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr*(sign(m[t])*Min(Abs(m[t])/(rho*bs*h[t] + 1.0e-15),
            #     1))
            theta = (
                theta_prev * one_minus_lr_weight_decay
                - lr * (sign(m) * minimum(div(tl.abs(m), rho_bs * h + 1e-15, STRICT), tl.full((), 1, COMPUTE)))
            )
            store(theta_at, theta, at, left, tail, BLOCK, VEC)
            store(m_at, m, at, left, tail, BLOCK, VEC)
            if has_H:
                store(h_at, h, at, left, tail, BLOCK, VEC)


@triton.jit
def _prologue(
    clocks: tl.tensor,
    hypers: tl.tensor,
    scalars: tl.tensor,
    found_inf: tl.tensor,
    count: tl.tensor,
    t_type: tl.constexpr,
    has_H: tl.constexpr,
    SCALED: tl.constexpr,
    TENSORS: tl.constexpr,
) -> None:
    """The rows of scalars of some tensors, in float64, where counts lie on the device; the count and states go on."""
    tensor = tl.program_id(0) * TENSORS + tl.arange(0, TENSORS)
    there = tensor < count
    clock = clocks + tensor * 2
    hyper = hypers + tl.load(clock, there, 0) * 6
    row = scalars + tensor * 7
    goes = there & ~truth(found_inf) if SCALED else there
    lr = number(hyper + 0, there)
    beta1 = number(hyper + 1, there)
    rho = number(hyper + 2, there)
    weight_decay = number(hyper + 3, there)
    bs = number(hyper + 4, there)
    beta2 = number(hyper + 5, there)
    t_at = address(clock + 1, t_type, there)
    t = number(t_at, there) + 1
    if has_H:
        one_minus_beta2 = 1 - beta2
    one_minus_beta1 = 1 - beta1
    one_minus_lr_weight_decay = 1 - lr * weight_decay
    rho_bs = rho * bs
    put(row + 0, lr, there)
    put(row + 1, beta1, there)
    if has_H:
        put(row + 2, beta2, there)
        put(row + 3, one_minus_beta2, there)
    put(row + 4, one_minus_beta1, there)
    put(row + 5, one_minus_lr_weight_decay, there)
    put(row + 6, rho_bs, there)
    put(t_at, t, goes)


def flags(*, has_H: bool) -> dict[str, bool]:
    """The variant of the kernel that a parameter group needs."""
    return {"has_H": has_H}


def launcher() -> Launcher:
    """A launcher for a set of tensors that step together."""
    return Launcher(_step, _prologue, Names(SCALARS, HYPERS, KEPT, TOLD, INPUTS))
