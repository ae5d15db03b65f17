"""ASGD. Written by optgen 0.1.0 (format 1) from rules/asgd.py; do not edit.

    optgen build asgd --backend triton

Polyak & Juditsky, Acceleration of Stochastic Approximation by Averaging, SIAM J. Control Optim. 30(4), 1992,
https://doi.org/10.1137/0330046. Numbers as torch.optim.ASGD; the average is the state `ax`.

    g_wd[t] = Piecewise((g[t] + weight_decay*theta[t - 1], Ne(weight_decay, 0)), (g[t], True))
    theta[t] = theta[t - 1]*(1 - lambd*eta[t - 1]) - eta[t - 1]*g_wd[t]
    ax[t] = Piecewise((theta[t], Eq(mu[t - 1], 1)), (ax[t - 1] + mu[t - 1]*(theta[t] - ax[t - 1]), True))
    eta[t] = lr/(1 + lambd*lr*t)**alpha
    mu[t] = 1/Max(1, t - t0)
"""

from __future__ import annotations

import triton
import triton.language as tl

from ._device import (
    address,
    chunk_of,
    div,
    fp64,
    load,
    maximum,
    number,
    power,
    put,
    row_of,
    store,
    stream,
    tensor_of,
    truth,
    whole_blocks,
)
from ._runtime import Launcher, Names

# A record holds the addresses of the parameter and these states; a row of scalars holds these.
STATES: tuple[str, ...] = ("ax",)
SCALARS = (
    "weight_decay",
    "eta_prev",
    "mu_prev",
    "one_minus_lambd_eta_prev",
    "mu_prev_eq_one",
)
# A clock holds the number of a row of these hyperparameters, the addresses of the count and these states, and these.
HYPERS: tuple[str, ...] = ("lr", "lambd", "alpha", "t0", "weight_decay")
KEPT: tuple[str, ...] = ("eta", "mu")
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
    ax_type: tl.constexpr,
    has_weight_decay: tl.constexpr,
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
    row = scalars + row_of(word) * 5
    start = chunk_of(word) * chunk
    left = tl.minimum(tl.load(record + 2) - start, chunk).to(tl.int32)
    if SCALED:
        left = tl.where(truth(found_inf), 0, left)
        factor = div(1.0, tl.load(grad_scale).to(COMPUTE), True)
    theta_at = stream(record + 0, theta_type, start)
    g_at = stream(gradients + tensor, g_type, start)
    ax_at = stream(record + 1, ax_type, start)
    weight_decay = tl.load(row + 0)
    eta_prev = tl.load(row + 1)
    mu_prev = tl.load(row + 2)
    one_minus_lambd_eta_prev = tl.load(row + 3)
    mu_prev_eq_one = truth(row + 4)
    whole = whole_blocks(word, left, BLOCK)
    for tail in tl.static_range(2):
        for at in tl.range(whole if tail else 0, left if tail else whole, BLOCK // 2 if tail else BLOCK, num_stages=1):
            theta_prev = load(theta_at, at, left, tail, BLOCK, VEC, COMPUTE)
            g = load(g_at, at, left, tail, BLOCK, VEC, COMPUTE)
            if SCALED:
                g = factor * g
            if MAXIMIZE:
                g = -g
            ax_prev = load(ax_at, at, left, tail, BLOCK, VEC, COMPUTE)
            # g_wd[t] = Piecewise((g[t] + weight_decay*theta[t - 1], Ne(weight_decay, 0)), (g[t], True))
            if has_weight_decay:
                g_wd = g + weight_decay * theta_prev
            else:
                g_wd = g
            # theta[t] = theta[t - 1]*(1 - lambd*eta[t - 1]) - eta[t - 1]*g_wd[t]
            theta = theta_prev * one_minus_lambd_eta_prev - eta_prev * g_wd
            # ax[t] = Piecewise((theta[t], Eq(mu[t - 1], 1)), (ax[t - 1] + mu[t - 1]*(theta[t] - ax[t - 1]), True))
            ax = tl.where(mu_prev_eq_one, theta, ax_prev + mu_prev * (theta - ax_prev))
            store(theta_at, theta, at, left, tail, BLOCK, VEC)
            store(ax_at, ax, at, left, tail, BLOCK, VEC)


@triton.jit
def _prologue(
    clocks: tl.tensor,
    hypers: tl.tensor,
    scalars: tl.tensor,
    found_inf: tl.tensor,
    count: tl.tensor,
    t_type: tl.constexpr,
    eta_type: tl.constexpr,
    mu_type: tl.constexpr,
    has_weight_decay: tl.constexpr,
    SCALED: tl.constexpr,
    TENSORS: tl.constexpr,
) -> None:
    """The rows of scalars of some tensors, in float64, where counts lie on the device; the count and states go on."""
    tensor = tl.program_id(0) * TENSORS + tl.arange(0, TENSORS)
    there = tensor < count
    clock = clocks + tensor * 4
    hyper = hypers + tl.load(clock, there, 0) * 5
    row = scalars + tensor * 5
    goes = there & ~truth(found_inf) if SCALED else there
    lr = number(hyper + 0, there)
    lambd = number(hyper + 1, there)
    alpha = number(hyper + 2, there)
    t0 = number(hyper + 3, there)
    weight_decay = number(hyper + 4, there)
    t_at = address(clock + 1, t_type, there)
    t = number(t_at, there) + 1
    eta_at = address(clock + 2, eta_type, there)
    eta_prev = number(eta_at, there)
    mu_at = address(clock + 3, mu_type, there)
    mu_prev = number(mu_at, there)
    one_minus_lambd_eta_prev = 1 - lambd * eta_prev
    mu_prev_eq_one = mu_prev == 1
    eta = lr / power(1 + lambd * lr * t, alpha)
    mu = 1 / maximum(fp64(1), t - t0)
    if has_weight_decay:
        put(row + 0, weight_decay, there)
    put(row + 1, eta_prev, there)
    put(row + 2, mu_prev, there)
    put(row + 3, one_minus_lambd_eta_prev, there)
    put(row + 4, mu_prev_eq_one, there)
    put(eta_at, eta, goes)
    put(mu_at, mu, goes)
    put(t_at, t, goes)


def flags(*, weight_decay: float) -> dict[str, bool]:
    """The variant of the kernel that a parameter group needs."""
    return {"has_weight_decay": weight_decay != 0}


def launcher() -> Launcher:
    """A launcher for a set of tensors that step together."""
    return Launcher(_step, _prologue, Names(SCALARS, HYPERS, KEPT, TOLD))
