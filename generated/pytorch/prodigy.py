"""Prodigy. Written by optgen 0.1.0 (format 1) from rules/prodigy.py; do not edit.

    optgen build prodigy --backend torch

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

from types import ModuleType

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from ._runtime import Hyper, RuleOptimizer, Scalar, State, UpdateRule, from_param, per_tensor, sqrt, total


def states(*, d0: Scalar) -> dict[str, State]:
    """What is kept from step to step, by its key in a checkpoint."""
    kept: dict[str, State] = {}
    kept["exp_avg"] = State("m")
    kept["exp_avg_sq"] = State("v")
    kept["d_numerator"] = State("r", shape=per_tensor)
    kept["p0"] = State("p0", from_param)
    kept["s"] = State("s")
    kept["d_max"] = State("d_max", d0, shape=per_tensor)
    kept["d"] = State("d", d0, shape=per_tensor)
    return kept


def host(
    t: int,
    *,
    lr: Scalar,
    beta1: Scalar,
    beta2: Scalar,
    beta3: Scalar,
    use_bias_correction: bool,
    d0: Scalar,
) -> dict[str, Scalar]:
    """Scalars of one step, computed once for all parameters that share them."""
    scalars: dict[str, Scalar] = {}
    if beta3 != 0:
        scalars["b3"] = beta3
    else:
        scalars["b3"] = sqrt(beta2)
    if use_bias_correction:
        scalars["a_scale"] = lr * (sqrt(1 - beta2**t) / (1 - beta1**t))
    scalars["inv_d0"] = 1 / d0
    scalars["one_minus_beta1"] = 1 - beta1
    scalars["one_minus_beta2"] = 1 - beta2
    return scalars


def update_1(
    theta_prev: Tensor,
    g: Tensor,
    *,
    m_prev: Tensor,
    v_prev: Tensor,
    p0_prev: Tensor,
    s_prev: Tensor,
    d_prev: Tensor,
    lr: Scalar,
    weight_decay: Scalar,
    beta1: Scalar,
    beta2: Scalar,
    decouple: bool,
    use_bias_correction: bool,
    safeguard_warmup: bool,
    inv_d0: Scalar,
    one_minus_beta1: Scalar,
    one_minus_beta2: Scalar,
    b3: Scalar,
    a_scale: Scalar = 0.0,
) -> dict[str, Tensor]:
    """What one parameter gives to the values common to all. All tensors have the compute dtype."""
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
    # r[t] = b3[t]*r[t - 1] + total(d[t - 1]/d0*a[t]*(g_wd[t]*(p0[t] - theta[t - 1])), model)
    r_sum = torch.sum(d_prev * inv_d0 * a * (g_wd * (p0_prev - theta_prev)))
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
    den = torch.sum(torch.abs(s))
    return {"exp_avg": m, "exp_avg_sq": v, "s": s, "r_sum": r_sum, "den": den, "m": m, "v": v}


def update_2(
    theta_prev: Tensor,
    g: Tensor,
    *,
    r_prev: Tensor,
    d_max_prev: Tensor,
    d_prev: Tensor,
    m: Tensor,
    v: Tensor,
    r_sum: Tensor,
    den: Tensor,
    lr: Scalar,
    d_coef: Scalar,
    eps: Scalar,
    d0: Scalar,
    growth_rate: Scalar,
    weight_decay: Scalar,
    decouple: bool,
    use_bias_correction: bool,
    b3: Scalar,
    a_scale: Scalar = 0.0,
) -> dict[str, Tensor]:
    """One step of one parameter, without side effects. All tensors have the compute dtype."""
    # a[t] = d[t - 1]*Piecewise((lr*(sqrt(1 - beta2**t)/(1 - beta1**t)), use_bias_correction), (lr, True))
    if use_bias_correction:
        a = d_prev * a_scale
    else:
        a = d_prev * lr
    # r[t] = b3[t]*r[t - 1] + total(d[t - 1]/d0*a[t]*(g_wd[t]*(p0[t] - theta[t - 1])), model)
    r = b3 * r_prev + r_sum
    # d_hat[t] = Piecewise((d_coef*r[t]/den[t], den[t] > 0), (d[t - 1], True))
    d_hat = torch.where(den > 0, d_coef * r / den, d_prev)
    # d_max[t] = Max(d_max[t - 1], d_hat[t])
    d_max = torch.maximum(d_max_prev, d_hat)
    if growth_rate != 0:
        # d_new[t] = Piecewise((Max(d[t - 1], d_hat[t]), Eq(d[t - 1], d0)), (d[t - 1], True))
        d_new = torch.where(d_prev == d0, torch.maximum(d_prev, d_hat), d_prev)
    # d[t] = Piecewise((Min(d_max[t], d_new[t]*growth_rate), Ne(growth_rate, 0)), (d_max[t], True))
    if growth_rate != 0:
        d = torch.minimum(d_max, d_new * growth_rate)
    else:
        d = d_max
    # theta[t] = Piecewise((theta[t - 1]*(1 - weight_decay*a[t]), decouple), (theta[t - 1], True)) -
    #     a[t]*m[t]/(sqrt(v[t]) + d[t]*eps)
    if decouple:
        theta = theta_prev * (1 - weight_decay * a) - a * m / (torch.sqrt(v) + d * eps)
    else:
        theta = theta_prev - a * m / (torch.sqrt(v) + d * eps)
    return {"param": theta, "d_numerator": r, "d_max": d_max, "d": d}


def on_gpu() -> ModuleType:
    """The fused kernel. Raises ImportError without Triton, or where this folder was copied without its sibling."""
    from ..triton_gpu import prodigy
    return prodigy


def on_cpu() -> ModuleType:
    """The fused step in C. Raises ImportError where this folder was copied without its sibling."""
    from ..c_cpu import prodigy
    return prodigy


class Prodigy(RuleOptimizer):
    """Prodigy: training without choosing a learning rate."""

    rule = UpdateRule(
        hypers=(
            Hyper("lr", at_least=0),
            Hyper("betas", ("beta1", "beta2"), at_least=0, below=1),
            Hyper("beta3", at_least=0, below=1),
            Hyper("eps", above=0),
            Hyper("weight_decay", at_least=0),
            Hyper("decouple", flag=True),
            Hyper("use_bias_correction", flag=True),
            Hyper("safeguard_warmup", flag=True),
            Hyper("d0", above=0),
            Hyper("d_coef"),
            Hyper("growth_rate", at_least=0),
        ),
        keys=("step", "exp_avg", "exp_avg_sq", "d_numerator", "p0", "s", "d_max", "d"),
        states=states,
        host=host,
        updates=(update_1, update_2),
        combine={"den": total, "r_sum": total},
        common=("d_numerator", "d_max", "d"),
        fused={"cuda": on_gpu, "cpu": on_cpu},
        elementwise=False,
    )

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1.0,
        betas: tuple[float | Tensor, float | Tensor] = (0.9, 0.999),
        beta3: float = 0,
        eps: float = 1e-08,
        weight_decay: float = 0,
        decouple: bool = True,
        use_bias_correction: bool = False,
        safeguard_warmup: bool = False,
        d0: float = 1e-06,
        d_coef: float = 1.0,
        growth_rate: float = 0,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        state_dtype: torch.dtype | None = None,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "beta3": beta3,
            "eps": eps,
            "weight_decay": weight_decay,
            "decouple": decouple,
            "use_bias_correction": use_bias_correction,
            "safeguard_warmup": safeguard_warmup,
            "d0": d0,
            "d_coef": d_coef,
            "growth_rate": growth_rate,
            "foreach": foreach,
            "maximize": maximize,
            "capturable": capturable,
            "differentiable": differentiable,
            "fused": fused,
            "state_dtype": state_dtype,
        }
        super().__init__(params, defaults)
