"""Prodigy. Written by optgen 0.1.0 (format 1) from rules/prodigy.py; do not edit.

    optgen build prodigy --backend numpy

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

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ._checks import check_state, counts, number, numbers, to_step

Array = np.ndarray[Any, np.dtype[np.floating[Any]]]  # float32 or float64; states have their parameter's dtype
State = dict[str, Any]


def init(
    params: Sequence[Array],
    *,
    lr: float = 1.0,
    betas: tuple[float, float] = (0.9, 0.999),
    beta3: float = 0,
    eps: float = 1e-08,
    weight_decay: float = 0,
    decouple: bool = True,
    use_bias_correction: bool = False,
    safeguard_warmup: bool = False,
    d0: float = 1e-06,
    d_coef: float = 1.0,
    growth_rate: float = 0,
) -> list[State]:
    """The states before the first step, one dict for each parameter."""
    d0 = number("d0", d0, above=0)
    return [_start(theta_prev, d0) for theta_prev in params]


def step(
    params: Sequence[Array],
    grads: Sequence[Array | None],
    state: Sequence[State],
    t: int | Sequence[int],
    *,
    lr: float = 1.0,
    betas: tuple[float, float] = (0.9, 0.999),
    beta3: float = 0,
    eps: float = 1e-08,
    weight_decay: float = 0,
    decouple: bool = True,
    use_bias_correction: bool = False,
    safeguard_warmup: bool = False,
    d0: float = 1e-06,
    d_coef: float = 1.0,
    growth_rate: float = 0,
    out: bool = False,
) -> tuple[list[Array], list[State]]:
    """New parameters and states after step t: 1 for the first, one count for all parameters or one for each.

    A parameter whose gradient is None stays as it is. With out=True the arrays and dicts given are overwritten.
    Let all parameters step from the start on, and in every step: what is common to them (d_numerator, d_max, d)
    each keeps as of its own last step, from its first value on.
    Raises ValueError, before anything changes, for what cannot be stepped.
    """
    lr = number("lr", lr, at_least=0)
    beta1, beta2 = numbers("betas", betas, 2, at_least=0, below=1)
    beta3 = number("beta3", beta3, at_least=0, below=1)
    eps = number("eps", eps, above=0)
    weight_decay = number("weight_decay", weight_decay, at_least=0)
    d0 = number("d0", d0, above=0)
    d_coef = number("d_coef", d_coef)
    growth_rate = number("growth_rate", growth_rate, at_least=0)
    steps = counts(t, params)
    new_params, new_state = list(params), [dict(kept) for kept in state]
    work = to_step(params, grads, state, out)
    den_parts = []
    r_sum_parts = []
    for i in work:
        theta_prev = params[i]
        g = np.asarray(grads[i], theta_prev.dtype)
        kept = _start(theta_prev, d0)
        check_state(i, state[i], kept, ("exp_avg", "exp_avg_sq", "d_numerator", "p0", "s", "d_max", "d"))
        kept |= state[i]
        t = steps[i]
        m_prev = kept["exp_avg"]
        v_prev = kept["exp_avg_sq"]
        p0_prev = kept["p0"]
        s_prev = kept["s"]
        d_prev = kept["d"]
        if beta3 != 0:
            b3 = beta3
        else:
            b3 = math.sqrt(beta2)
        if use_bias_correction:
            a_scale = lr * (math.sqrt(1 - beta2**t) / (1 - beta1**t))
        inv_d0 = 1 / d0
        one_minus_beta1 = 1 - beta1
        one_minus_beta2 = 1 - beta2
        # a[t] = d[t - 1]*Piecewise((lr*(sqrt(1 - beta2**t)/(1 - beta1**t)), use_bias_correction), (lr, True))
        if use_bias_correction:
            a = d_prev * a_scale
        else:
            a = d_prev * lr
        # g_wd[t] = Piecewise((g[t], decouple), (g[t] + weight_decay*theta[t - 1], True))
        if decouple:
            g_wd = g
        else:
            g_wd = g + weight_decay * theta_prev
        # p0[t] = p0[t - 1]
        p0 = p0_prev
        # r[t] = b3[t]*r[t - 1] + total(d[t - 1]/d0*a[t]*(g_wd[t]*(p0[t] - theta[t - 1])), model)
        r_sum_parts.append(np.sum(d_prev * inv_d0 * a * (g_wd * (p0 - theta_prev))))
        # m[t] = beta1*m[t - 1] + (1 - beta1)*d[t - 1]*g_wd[t]
        m = beta1 * m_prev + one_minus_beta1 * d_prev * g_wd
        # v[t] = beta2*v[t - 1] + (1 - beta2)*(d[t - 1]*g_wd[t])**2
        v_base = d_prev * g_wd
        v = beta2 * v_prev + one_minus_beta2 * (v_base * v_base)
        # s[t] = b3[t]*s[t - 1] + d[t - 1]/d0*Piecewise((d[t - 1], safeguard_warmup), (a[t], True))*g_wd[t]
        if safeguard_warmup:
            s = b3 * s_prev + d_prev * inv_d0 * d_prev * g_wd
        else:
            s = b3 * s_prev + d_prev * inv_d0 * a * g_wd
        # den[t] = total(Abs(s[t]), model)
        den_parts.append(np.sum(np.abs(s)))
        kept["exp_avg"] = np.asarray(m, theta_prev.dtype)
        kept["exp_avg_sq"] = np.asarray(v, theta_prev.dtype)
        kept["p0"] = np.array(p0, theta_prev.dtype)
        kept["s"] = np.asarray(s, theta_prev.dtype)
        new_state[i] = kept
    den = sum(den_parts)
    r_sum = sum(r_sum_parts)
    for i in work:
        theta_prev = params[i]
        g = np.asarray(grads[i], theta_prev.dtype)
        kept = new_state[i]
        t = steps[i]
        r_prev = kept["d_numerator"]
        d_max_prev = kept["d_max"]
        d_prev = kept["d"]
        m = kept["exp_avg"]
        v = kept["exp_avg_sq"]
        if beta3 != 0:
            b3 = beta3
        else:
            b3 = math.sqrt(beta2)
        if use_bias_correction:
            a_scale = lr * (math.sqrt(1 - beta2**t) / (1 - beta1**t))
        # a[t] = d[t - 1]*Piecewise((lr*(sqrt(1 - beta2**t)/(1 - beta1**t)), use_bias_correction), (lr, True))
        if use_bias_correction:
            a = d_prev * a_scale
        else:
            a = d_prev * lr
        # r[t] = b3[t]*r[t - 1] + total(d[t - 1]/d0*a[t]*(g_wd[t]*(p0[t] - theta[t - 1])), model)
        r = b3 * r_prev + r_sum
        # d_hat[t] = Piecewise((d_coef*r[t]/den[t], den[t] > 0), (d[t - 1], True))
        d_hat = np.where(den > 0, d_coef * r / den, d_prev)
        # d_max[t] = Max(d_max[t - 1], d_hat[t])
        d_max = np.maximum(d_max_prev, d_hat)
        if growth_rate != 0:
            # d_new[t] = Piecewise((Max(d[t - 1], d_hat[t]), Eq(d[t - 1], d0)), (d[t - 1], True))
            d_new = np.where(d_prev == d0, np.maximum(d_prev, d_hat), d_prev)
        # d[t] = Piecewise((Min(d_max[t], d_new[t]*growth_rate), Ne(growth_rate, 0)), (d_max[t], True))
        if growth_rate != 0:
            d = np.minimum(d_max, d_new * growth_rate)
        else:
            d = d_max
        # theta[t] = Piecewise((theta[t - 1]*(1 - weight_decay*a[t]), decouple), (theta[t - 1], True)) -
        #     a[t]*m[t]/(sqrt(v[t]) + d[t]*eps)
        if decouple:
            theta = theta_prev * (1 - weight_decay * a) - a * m / (np.sqrt(v) + d * eps)
        else:
            theta = theta_prev - a * m / (np.sqrt(v) + d * eps)
        new_params[i] = np.asarray(theta, theta_prev.dtype)
        kept["d_numerator"] = np.asarray(r, theta_prev.dtype)
        kept["d_max"] = np.asarray(d_max, theta_prev.dtype)
        kept["d"] = np.asarray(d, theta_prev.dtype)
        new_state[i] = kept
    if out:
        for i in work:
            params[i][...] = new_params[i]
            state[i].update(new_state[i])
    return (list(params), list(state)) if out else (new_params, new_state)


def _start(theta_prev: Array, d0: float) -> State:
    """The states that this variant of the rule reads, at their first values."""
    kept: State = {}
    kept["exp_avg"] = np.zeros_like(theta_prev)
    kept["exp_avg_sq"] = np.zeros_like(theta_prev)
    kept["d_numerator"] = np.zeros_like(theta_prev.sum())
    kept["p0"] = theta_prev.copy()
    kept["s"] = np.zeros_like(theta_prev)
    kept["d_max"] = np.full_like(theta_prev.sum(), d0)
    kept["d"] = np.full_like(theta_prev.sum(), d0)
    return kept
