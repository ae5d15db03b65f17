"""Prodigy. Written by optgen 0.1.0 (format 1) from rules/prodigy.py; do not edit.

    optgen build prodigy --backend triton

Mishchenko & Defazio, Prodigy: An Expeditiously Adaptive Parameter-Free Learner, ICML 2024,
https://arxiv.org/abs/2306.06101, Algorithm 4. Numbers as prodigyopt.Prodigy with slice_p=1; growth_rate=0 is its
inf, beta3=0 its None.

    b3[t] = Piecewise((beta3, Ne(beta3, 0)), (sqrt(beta2), True))
    a[t] = d[t - 1]*Piecewise((lr*(sqrt(1 - beta2**t)/(1 - beta1**t)), use_bias_correction), (lr, True))
    g_wd[t] = Piecewise((g[t], decouple), (g[t] + weight_decay*theta[t - 1], True))
    p0[t] = p0[t - 1]
    r[t] = b3[t]*r[t - 1] + total(d[t - 1]/d0*a[t]*(g_wd[t]*(p0[t] - theta[t - 1])), model)
    m[t] = beta1*m[t - 1] + (1 - beta1)*d[t - 1]*g_wd[t]
    v[t] = beta2*v[t - 1] + (1 - beta2)*(d[t - 1]*g_wd[t])**2
    s[t] = b3[t]*s[t - 1] + d[t - 1]/d0*Piecewise((d[t - 1], safeguard_warmup), (a[t], True))*g_wd[t]
    den[t] = total(Abs(s[t]), model)
    d_hat[t] = Piecewise((d_coef*r[t]/den[t], den[t] > 0), (d[t - 1], True))
    d_max[t] = Max(d_max[t - 1], d_hat[t])
    d_new[t] = Piecewise((Max(d[t - 1], d_hat[t]), Eq(d[t - 1], d0)), (d[t - 1], True))
    d[t] = Piecewise((Min(d_max[t], d_new[t]*growth_rate), Ne(growth_rate, 0)), (d_max[t], True))
    theta[t] = Piecewise((theta[t - 1]*(1 - weight_decay*a[t]), decouple), (theta[t - 1], True)) -
        a[t]*m[t]/(sqrt(v[t]) + d[t]*eps)
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
from ._phases import Form, Launches
from ._reductions import inside
from ._runtime import Launcher, Names

# A record holds the addresses of the parameter and these states; a row of scalars holds these.
STATES: tuple[str, ...] = ("exp_avg", "exp_avg_sq", "d_numerator", "p0", "s", "d_max", "d")
SCALARS = (
    "lr",
    "beta1",
    "beta2",
    "eps",
    "weight_decay",
    "d0",
    "d_coef",
    "growth_rate",
    "b3",
    "a_scale",
    "inv_d0",
    "one_minus_beta1",
    "one_minus_beta2",
)
# A clock holds the number of a row of these hyperparameters, the addresses of the count and these states, and these.
HYPERS: tuple[str, ...] = ("lr", "beta1", "beta2", "eps", "weight_decay", "d0", "d_coef", "growth_rate", "beta3")
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
    m_type: tl.constexpr,
    v_type: tl.constexpr,
    r_type: tl.constexpr,
    p0_type: tl.constexpr,
    s_type: tl.constexpr,
    d_max_type: tl.constexpr,
    d_type: tl.constexpr,
    has_beta3: tl.constexpr,
    use_bias_correction: tl.constexpr,
    decouple: tl.constexpr,
    safeguard_warmup: tl.constexpr,
    has_growth_rate: tl.constexpr,
    ROUNDS: tl.constexpr,
    MAXIMIZE: tl.constexpr,
    SCALED: tl.constexpr,
    STRICT: tl.constexpr,
    COMPUTE: tl.constexpr,
    BLOCK: tl.constexpr,
    VEC: tl.constexpr,
) -> None:
    """r_sum, den, s: of one chunk of one tensor."""
    word = tl.load(words + tl.program_id(0))
    tensor = tensor_of(word)
    record = records + tensor * 16
    row = scalars + row_of(word) * 13
    start = chunk_of(word) * chunk
    elements = tl.load(record + 8)
    left = tl.minimum(elements - start, chunk).to(tl.int32)
    if SCALED:
        left = tl.where(truth(found_inf), 0, left)
    factor = div(1.0, tl.load(grad_scale).to(COMPUTE), True) if SCALED else 1.0
    mine = parts + tl.program_id(0).to(tl.int64) * 2
    theta_at = stream(record + 0, theta_type, start)
    g_at = stream(gradients + tensor, g_type, start)
    p0_at = stream(record + 4, p0_type, start)
    s_at = stream(record + 5, s_type, start)
    d_at = stream(record + 7, d_type, 0)
    d_prev = tl.load(d_at).to(COMPUTE)
    if not use_bias_correction:
        lr = tl.load(row + 0)
    if not decouple:
        weight_decay = tl.load(row + 4)
    b3 = tl.load(row + 8)
    if use_bias_correction:
        a_scale = tl.load(row + 9)
    inv_d0 = tl.load(row + 10)
    r_sum = tl.full((), 0.0, COMPUTE)
    den = tl.full((), 0.0, COMPUTE)
    # a[t] = d[t - 1]*Piecewise((lr*(sqrt(1 - beta2**t)/(1 - beta1**t)), use_bias_correction), (lr, True))
    if use_bias_correction:
        a = d_prev * a_scale
    else:
        a = d_prev * lr
    whole = whole_blocks(word, left, BLOCK)
    for tail in tl.static_range(2):
        r_sum_block = tl.full((BLOCK // 2 if tail else BLOCK,), 0.0, COMPUTE)
        den_block = tl.full((BLOCK // 2 if tail else BLOCK,), 0.0, COMPUTE)
        for at in tl.range(whole if tail else 0, left if tail else whole, BLOCK // 2 if tail else BLOCK, num_stages=1):
            theta_prev = load(theta_at, at, left, tail, BLOCK, VEC, COMPUTE)
            g = load(g_at, at, left, tail, BLOCK, VEC, COMPUTE)
            if SCALED:
                g = factor * g
            if MAXIMIZE:
                g = -g
            p0_prev = load(p0_at, at, left, tail, BLOCK, VEC, COMPUTE)
            s_prev = load(s_at, at, left, tail, BLOCK, VEC, COMPUTE)
            # g_wd[t] = Piecewise((g[t], decouple), (g[t] + weight_decay*theta[t - 1], True))
            if decouple:
                g_wd = g
            else:
                g_wd = g + weight_decay * theta_prev
            # r[t] = b3[t]*r[t - 1] + total(d[t - 1]/d0*a[t]*(g_wd[t]*(p0[t] - theta[t - 1])), model)
            r_sum_block += inside(d_prev * inv_d0 * a * (g_wd * (p0_prev - theta_prev)), 0.0, at, left, tail, BLOCK)
            # s[t] = b3[t]*s[t - 1] + d[t - 1]/d0*Piecewise((d[t - 1], safeguard_warmup), (a[t], True))*g_wd[t]
            if safeguard_warmup:
                s = b3 * s_prev + d_prev * inv_d0 * d_prev * g_wd
            else:
                s = b3 * s_prev + d_prev * inv_d0 * a * g_wd
            # den[t] = total(Abs(s[t]), model)
            den_block += inside(tl.abs(s), 0.0, at, left, tail, BLOCK)
            store(s_at, s, at, left, tail, BLOCK, VEC)
        r_sum += tl.sum(r_sum_block)
        den += tl.sum(den_block)
    tl.store(mine + 0, r_sum)
    tl.store(mine + 1, den)


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
    m_type: tl.constexpr,
    v_type: tl.constexpr,
    r_type: tl.constexpr,
    p0_type: tl.constexpr,
    s_type: tl.constexpr,
    d_max_type: tl.constexpr,
    d_type: tl.constexpr,
    has_beta3: tl.constexpr,
    use_bias_correction: tl.constexpr,
    decouple: tl.constexpr,
    safeguard_warmup: tl.constexpr,
    has_growth_rate: tl.constexpr,
    ROUNDS: tl.constexpr,
    MAXIMIZE: tl.constexpr,
    SCALED: tl.constexpr,
    STRICT: tl.constexpr,
    COMPUTE: tl.constexpr,
    BLOCK: tl.constexpr,
    VEC: tl.constexpr,
) -> None:
    """theta, m, v: of one chunk of one tensor."""
    word = tl.load(words + tl.program_id(0))
    tensor = tensor_of(word)
    record = records + tensor * 16
    row = scalars + row_of(word) * 13
    start = chunk_of(word) * chunk
    elements = tl.load(record + 8)
    left = tl.minimum(elements - start, chunk).to(tl.int32)
    if SCALED:
        left = tl.where(truth(found_inf), 0, left)
    factor = div(1.0, tl.load(grad_scale).to(COMPUTE), True) if SCALED else 1.0
    theta_at = stream(record + 0, theta_type, start)
    g_at = stream(gradients + tensor, g_type, start)
    m_at = stream(record + 1, m_type, start)
    v_at = stream(record + 2, v_type, start)
    r_at = stream(record + 3, r_type, 0)
    d_max_at = stream(record + 6, d_max_type, 0)
    d_at = stream(record + 7, d_type, 0)
    d_max_prev = tl.load(d_max_at).to(COMPUTE)
    d_prev = tl.load(d_at).to(COMPUTE)
    r_prev = tl.load(r_at).to(COMPUTE)
    if not use_bias_correction:
        lr = tl.load(row + 0)
    beta1 = tl.load(row + 1)
    beta2 = tl.load(row + 2)
    eps = tl.load(row + 3)
    weight_decay = tl.load(row + 4)
    if has_growth_rate:
        d0 = tl.load(row + 5)
    d_coef = tl.load(row + 6)
    if has_growth_rate:
        growth_rate = tl.load(row + 7)
    b3 = tl.load(row + 8)
    if use_bias_correction:
        a_scale = tl.load(row + 9)
    one_minus_beta1 = tl.load(row + 11)
    one_minus_beta2 = tl.load(row + 12)
    r_sum = tl.load(common + 0)
    den = tl.load(common + 1)
    # a[t] = d[t - 1]*Piecewise((lr*(sqrt(1 - beta2**t)/(1 - beta1**t)), use_bias_correction), (lr, True))
    if use_bias_correction:
        a = d_prev * a_scale
    else:
        a = d_prev * lr
    # r[t] = b3[t]*r[t - 1] + total(d[t - 1]/d0*a[t]*(g_wd[t]*(p0[t] - theta[t - 1])), model)
    r = b3 * r_prev + r_sum
    # d_hat[t] = Piecewise((d_coef*r[t]/den[t], den[t] > 0), (d[t - 1], True))
    d_hat = tl.where(den > 0, div(d_coef * r, den, STRICT), d_prev)
    # d_max[t] = Max(d_max[t - 1], d_hat[t])
    d_max = maximum(d_max_prev, d_hat)
    if has_growth_rate:
        # d_new[t] = Piecewise((Max(d[t - 1], d_hat[t]), Eq(d[t - 1], d0)), (d[t - 1], True))
        d_new = tl.where(d_prev == d0, maximum(d_prev, d_hat), d_prev)
    # d[t] = Piecewise((Min(d_max[t], d_new[t]*growth_rate), Ne(growth_rate, 0)), (d_max[t], True))
    if has_growth_rate:
        d = minimum(d_max, d_new * growth_rate)
    else:
        d = d_max
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
            # g_wd[t] = Piecewise((g[t], decouple), (g[t] + weight_decay*theta[t - 1], True))
            if decouple:
                g_wd = g
            else:
                g_wd = g + weight_decay * theta_prev
            # m[t] = beta1*m[t - 1] + (1 - beta1)*d[t - 1]*g_wd[t]
            m = beta1 * m_prev + one_minus_beta1 * d_prev * g_wd
            # v[t] = beta2*v[t - 1] + (1 - beta2)*(d[t - 1]*g_wd[t])**2
            v_base = d_prev * g_wd
            v = beta2 * v_prev + one_minus_beta2 * (v_base * v_base)
            # theta[t] = Piecewise((theta[t - 1]*(1 - weight_decay*a[t]), decouple), (theta[t - 1], True)) -
            #     a[t]*m[t]/(sqrt(v[t]) + d[t]*eps)
            if decouple:
                theta = theta_prev * (1 - weight_decay * a) - div(a * m, sqrt(v, STRICT) + d * eps, STRICT)
            else:
                theta = theta_prev - div(a * m, sqrt(v, STRICT) + d * eps, STRICT)
            store(theta_at, theta, at, left, tail, BLOCK, VEC)
            store(m_at, m, at, left, tail, BLOCK, VEC)
            store(v_at, v, at, left, tail, BLOCK, VEC)


@triton.jit
def _values_1(
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
    m_type: tl.constexpr,
    v_type: tl.constexpr,
    r_type: tl.constexpr,
    p0_type: tl.constexpr,
    s_type: tl.constexpr,
    d_max_type: tl.constexpr,
    d_type: tl.constexpr,
    has_beta3: tl.constexpr,
    use_bias_correction: tl.constexpr,
    decouple: tl.constexpr,
    safeguard_warmup: tl.constexpr,
    has_growth_rate: tl.constexpr,
    ROUNDS: tl.constexpr,
    MAXIMIZE: tl.constexpr,
    SCALED: tl.constexpr,
    STRICT: tl.constexpr,
    COMPUTE: tl.constexpr,
    BLOCK: tl.constexpr,
    VEC: tl.constexpr,
) -> None:
    """r, d_max, d: of one tensor."""
    word = tl.load(words + tl.program_id(0))
    record = records + tensor_of(word) * 16
    row = scalars + row_of(word) * 13
    goes = ~truth(found_inf) if SCALED else tl.full((), 1, tl.int1)
    r_at = stream(record + 3, r_type, 0)
    d_max_at = stream(record + 6, d_max_type, 0)
    d_at = stream(record + 7, d_type, 0)
    d_max_prev = tl.load(d_max_at).to(COMPUTE)
    d_prev = tl.load(d_at).to(COMPUTE)
    r_prev = tl.load(r_at).to(COMPUTE)
    if has_growth_rate:
        d0 = tl.load(row + 5)
    d_coef = tl.load(row + 6)
    if has_growth_rate:
        growth_rate = tl.load(row + 7)
    b3 = tl.load(row + 8)
    r_sum = tl.load(common + 0)
    den = tl.load(common + 1)
    # r[t] = b3[t]*r[t - 1] + total(d[t - 1]/d0*a[t]*(g_wd[t]*(p0[t] - theta[t - 1])), model)
    r = b3 * r_prev + r_sum
    # d_hat[t] = Piecewise((d_coef*r[t]/den[t], den[t] > 0), (d[t - 1], True))
    d_hat = tl.where(den > 0, div(d_coef * r, den, STRICT), d_prev)
    # d_max[t] = Max(d_max[t - 1], d_hat[t])
    d_max = maximum(d_max_prev, d_hat)
    if has_growth_rate:
        # d_new[t] = Piecewise((Max(d[t - 1], d_hat[t]), Eq(d[t - 1], d0)), (d[t - 1], True))
        d_new = tl.where(d_prev == d0, maximum(d_prev, d_hat), d_prev)
    # d[t] = Piecewise((Min(d_max[t], d_new[t]*growth_rate), Ne(growth_rate, 0)), (d_max[t], True))
    if has_growth_rate:
        d = minimum(d_max, d_new * growth_rate)
    else:
        d = d_max
    put(r_at, r, goes)
    put(d_max_at, d_max, goes)
    put(d_at, d, goes)


@triton.jit
def _prologue(
    clocks: tl.tensor,
    hypers: tl.tensor,
    scalars: tl.tensor,
    found_inf: tl.tensor,
    count: tl.tensor,
    t_type: tl.constexpr,
    has_beta3: tl.constexpr,
    use_bias_correction: tl.constexpr,
    decouple: tl.constexpr,
    safeguard_warmup: tl.constexpr,
    has_growth_rate: tl.constexpr,
    SCALED: tl.constexpr,
    TENSORS: tl.constexpr,
) -> None:
    """The rows of scalars of some tensors, in float64, where counts lie on the device; the count and states go on."""
    tensor = tl.program_id(0) * TENSORS + tl.arange(0, TENSORS)
    there = tensor < count
    clock = clocks + tensor * 2
    hyper = hypers + tl.load(clock, there, 0) * 9
    row = scalars + tensor * 13
    goes = there & ~truth(found_inf) if SCALED else there
    lr = number(hyper + 0, there)
    beta1 = number(hyper + 1, there)
    beta2 = number(hyper + 2, there)
    eps = number(hyper + 3, there)
    weight_decay = number(hyper + 4, there)
    d0 = number(hyper + 5, there)
    d_coef = number(hyper + 6, there)
    growth_rate = number(hyper + 7, there)
    beta3 = number(hyper + 8, there)
    t_at = address(clock + 1, t_type, there)
    t = number(t_at, there) + 1
    if has_beta3:
        b3 = beta3
    else:
        b3 = tl.sqrt(beta2)
    if use_bias_correction:
        a_scale = lr * (tl.sqrt(one_minus_power(beta2, t)) / one_minus_power(beta1, t))
    inv_d0 = 1 / d0
    one_minus_beta1 = 1 - beta1
    one_minus_beta2 = 1 - beta2
    if not use_bias_correction:
        put(row + 0, lr, there)
    put(row + 1, beta1, there)
    put(row + 2, beta2, there)
    put(row + 3, eps, there)
    put(row + 4, weight_decay, there)
    if has_growth_rate:
        put(row + 5, d0, there)
    put(row + 6, d_coef, there)
    if has_growth_rate:
        put(row + 7, growth_rate, there)
    put(row + 8, b3, there)
    if use_bias_correction:
        put(row + 9, a_scale, there)
    put(row + 10, inv_d0, there)
    put(row + 11, one_minus_beta1, there)
    put(row + 12, one_minus_beta2, there)
    put(t_at, t, goes)


def flags(
    *,
    beta3: float,
    decouple: bool,
    use_bias_correction: bool,
    safeguard_warmup: bool,
    growth_rate: float,
) -> dict[str, bool]:
    """The variant of the kernel that a parameter group needs."""
    return {
        "has_beta3": beta3 != 0,
        "use_bias_correction": use_bias_correction,
        "decouple": decouple,
        "safeguard_warmup": safeguard_warmup,
        "has_growth_rate": growth_rate != 0,
    }


def _launches(launches: Launches, flags: Mapping[str, bool], rounds: bool) -> None:
    """What a step launches, one after the other. rounds: whether a stored state may differ from the computed one."""
    launches.each_chunk(_phase_1)
    launches.sum_of_chunks(0, 0)
    launches.sum_of_chunks(1, 1)
    launches.each_chunk(_phase_2)
    launches.each_tensor(_values_1)


def launcher() -> Launcher:
    """A launcher for a set of tensors that step together."""
    form = Form(
        ("element", "element", "tensor", "element", "element", "tensor", "tensor"), parts=2, shares=0, common=2
    )
    return Launcher(_launches, _prologue, Names(SCALARS, HYPERS, KEPT, TOLD), form)
