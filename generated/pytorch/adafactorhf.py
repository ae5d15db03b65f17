"""AdafactorHF. Written by optgen 0.1.0 (format 1) from rules/adafactorhf.py; do not edit.

    optgen build adafactorhf --backend torch

Shazeer & Stern, Adafactor: Adaptive Learning Rates with Sublinear Memory Cost, ICML 2018,
https://arxiv.org/abs/1804.04235, Algorithms 4 and 5. Numbers as transformers.Adafactor: what is None there is a
flag here, lr is read with relative_step=False only, and a vector has a second moment of its own.

    rho[t] = Piecewise((Min(1.0e-6*t, 1/(sqrt(t))), warmup_init), (Min(0.01, 1/(sqrt(t))), relative_step), (lr,
        True))
    eta[t] = Piecewise((Max(eps2, rms(theta[t - 1], elems))*rho[t], scale_parameter), (rho[t], True))
    beta2[t] = 1 - t**decay_rate
    q[t] = g[t]**2 + eps1
    r[t] = beta2[t]*r[t - 1] + (1 - beta2[t])*mean(q[t], cols)
    c[t] = beta2[t]*c[t - 1] + (1 - beta2[t])*mean(q[t], rows)
    u[t] = g[t]/(sqrt(r[t]/mean(r[t], rows))*sqrt(c[t]))
    s[t] = eta[t]/Max(1, rms(u[t], elems)/clip_threshold)*u[t]
    m[t] = beta1*m[t - 1] + (1 - beta1)*s[t]
    theta[t] = theta[t - 1]*(1 - weight_decay*eta[t]) - Piecewise((m[t], use_first_moment), (s[t], True))
    and for parameters of other shapes, as another rule:
    rho[t] = Piecewise((Min(1.0e-6*t, 1/(sqrt(t))), warmup_init), (Min(0.01, 1/(sqrt(t))), relative_step), (lr,
        True))
    eta[t] = Piecewise((Max(eps2, rms(theta[t - 1], elems))*rho[t], scale_parameter), (rho[t], True))
    beta2[t] = 1 - t**decay_rate
    q[t] = g[t]**2 + eps1
    v[t] = beta2[t]*v[t - 1] + (1 - beta2[t])*q[t]
    u[t] = g[t]/sqrt(v[t])
    s[t] = eta[t]/Max(1, rms(u[t], elems)/clip_threshold)*u[t]
    m[t] = beta1*m[t - 1] + (1 - beta1)*s[t]
    theta[t] = theta[t - 1]*(1 - weight_decay*eta[t]) - Piecewise((m[t], use_first_moment), (s[t], True))
"""

from __future__ import annotations

from types import ModuleType

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from ._runtime import Hyper, RuleOptimizer, Scalar, State, UpdateRule, minimum, per_col, per_row, sqrt


def states(*, use_first_moment: bool) -> dict[str, State]:
    """What is kept from step to step, by its key in a checkpoint."""
    kept: dict[str, State] = {}
    if use_first_moment:
        kept["exp_avg"] = State("m")
    kept["exp_avg_sq_row"] = State("r", shape=per_row)
    kept["exp_avg_sq_col"] = State("c", shape=per_col)
    return kept


def host(
    t: int,
    *,
    lr: Scalar,
    clip_threshold: Scalar,
    decay_rate: Scalar,
    beta1: Scalar,
    weight_decay: Scalar,
    scale_parameter: bool,
    relative_step: bool,
    warmup_init: bool,
    use_first_moment: bool,
) -> dict[str, Scalar]:
    """Scalars of one step, computed once for all parameters that share them."""
    scalars: dict[str, Scalar] = {}
    if not scale_parameter:
        if warmup_init:
            rho = minimum(1e-06 * t, 1 / sqrt(t))
        elif relative_step:
            rho = minimum(0.01, 1 / sqrt(t))
        else:
            rho = lr
        eta = rho
        scalars["eta"] = eta
    else:
        if warmup_init:
            scalars["rho"] = minimum(1e-06 * t, 1 / sqrt(t))
        elif relative_step:
            scalars["rho"] = minimum(0.01, 1 / sqrt(t))
        else:
            scalars["rho"] = lr
    beta2 = 1 - t**decay_rate
    scalars["beta2"] = beta2
    scalars["one_minus_beta2"] = 1 - beta2
    scalars["inv_clip_threshold"] = 1 / clip_threshold
    if use_first_moment:
        scalars["one_minus_beta1"] = 1 - beta1
    if not scale_parameter:
        scalars["one_minus_weight_decay_eta"] = 1 - weight_decay * eta
    return scalars


def update(
    theta_prev: Tensor,
    g: Tensor,
    *,
    r_prev: Tensor,
    c_prev: Tensor,
    m_prev: Tensor | None = None,
    eps1: Scalar,
    beta1: Scalar,
    eps2: Scalar,
    weight_decay: Scalar,
    scale_parameter: bool,
    use_first_moment: bool,
    beta2: Scalar,
    one_minus_beta2: Scalar,
    eta: Scalar = 0.0,
    inv_clip_threshold: Scalar,
    one_minus_weight_decay_eta: Scalar = 0.0,
    one_minus_beta1: Scalar = 0.0,
    rho: Scalar = 0.0,
) -> dict[str, Tensor]:
    """One step of one parameter, without side effects. All tensors have the compute dtype."""
    if scale_parameter:
        # eta[t] = Piecewise((Max(eps2, rms(theta[t - 1], elems))*rho[t], scale_parameter), (rho[t], True))
        theta_prev_sq_mean = torch.mean(theta_prev * theta_prev)
        eta = torch.clamp(torch.sqrt(theta_prev_sq_mean), min=eps2) * rho
    # q[t] = g[t]**2 + eps1
    q = g * g + eps1
    # r[t] = beta2[t]*r[t - 1] + (1 - beta2[t])*mean(q[t], cols)
    q_mean = torch.mean(q, dim=-1, keepdim=True)
    r = beta2 * r_prev + one_minus_beta2 * q_mean
    # c[t] = beta2[t]*c[t - 1] + (1 - beta2[t])*mean(q[t], rows)
    q_mean_2 = torch.mean(q, dim=-2, keepdim=True)
    c = beta2 * c_prev + one_minus_beta2 * q_mean_2
    # u[t] = g[t]/(sqrt(r[t]/mean(r[t], rows))*sqrt(c[t]))
    r_mean = torch.mean(r, dim=-2, keepdim=True)
    u = g / (torch.sqrt(r / r_mean) * torch.sqrt(c))
    # s[t] = eta[t]/Max(1, rms(u[t], elems)/clip_threshold)*u[t]
    u_sq_mean = torch.mean(u * u)
    s = torch.div(eta, torch.clamp(torch.sqrt(u_sq_mean) * inv_clip_threshold, min=1)) * u
    if use_first_moment:
        # m[t] = beta1*m[t - 1] + (1 - beta1)*s[t]
        m = beta1 * m_prev + one_minus_beta1 * s
    # theta[t] = theta[t - 1]*(1 - weight_decay*eta[t]) - Piecewise((m[t], use_first_moment), (s[t], True))
    if scale_parameter:
        if use_first_moment:
            theta = theta_prev * (1 - weight_decay * eta) - m
        else:
            theta = theta_prev * (1 - weight_decay * eta) - s
    else:
        if use_first_moment:
            theta = theta_prev * one_minus_weight_decay_eta - m
        else:
            theta = theta_prev * one_minus_weight_decay_eta - s
    new = {"param": theta, "exp_avg_sq_row": r, "exp_avg_sq_col": c}
    if use_first_moment:
        new["exp_avg"] = m
    return new


def states_otherwise(*, use_first_moment: bool) -> dict[str, State]:
    """What is kept from step to step, by its key in a checkpoint."""
    kept: dict[str, State] = {}
    if use_first_moment:
        kept["exp_avg"] = State("m")
    kept["exp_avg_sq"] = State("v")
    return kept


def update_otherwise(
    theta_prev: Tensor,
    g: Tensor,
    *,
    v_prev: Tensor,
    m_prev: Tensor | None = None,
    eps1: Scalar,
    beta1: Scalar,
    eps2: Scalar,
    weight_decay: Scalar,
    scale_parameter: bool,
    use_first_moment: bool,
    beta2: Scalar,
    one_minus_beta2: Scalar,
    eta: Scalar = 0.0,
    inv_clip_threshold: Scalar,
    one_minus_weight_decay_eta: Scalar = 0.0,
    one_minus_beta1: Scalar = 0.0,
    rho: Scalar = 0.0,
) -> dict[str, Tensor]:
    """One step of one parameter, without side effects. All tensors have the compute dtype."""
    if scale_parameter:
        # eta[t] = Piecewise((Max(eps2, rms(theta[t - 1], elems))*rho[t], scale_parameter), (rho[t], True))
        theta_prev_sq_mean = torch.mean(theta_prev * theta_prev)
        eta = torch.clamp(torch.sqrt(theta_prev_sq_mean), min=eps2) * rho
    # q[t] = g[t]**2 + eps1
    q = g * g + eps1
    # v[t] = beta2[t]*v[t - 1] + (1 - beta2[t])*q[t]
    v = beta2 * v_prev + one_minus_beta2 * q
    # u[t] = g[t]/sqrt(v[t])
    u = g / torch.sqrt(v)
    # s[t] = eta[t]/Max(1, rms(u[t], elems)/clip_threshold)*u[t]
    u_sq_mean = torch.mean(u * u)
    s = torch.div(eta, torch.clamp(torch.sqrt(u_sq_mean) * inv_clip_threshold, min=1)) * u
    if use_first_moment:
        # m[t] = beta1*m[t - 1] + (1 - beta1)*s[t]
        m = beta1 * m_prev + one_minus_beta1 * s
    # theta[t] = theta[t - 1]*(1 - weight_decay*eta[t]) - Piecewise((m[t], use_first_moment), (s[t], True))
    if scale_parameter:
        if use_first_moment:
            theta = theta_prev * (1 - weight_decay * eta) - m
        else:
            theta = theta_prev * (1 - weight_decay * eta) - s
    else:
        if use_first_moment:
            theta = theta_prev * one_minus_weight_decay_eta - m
        else:
            theta = theta_prev * one_minus_weight_decay_eta - s
    new = {"param": theta, "exp_avg_sq": v}
    if use_first_moment:
        new["exp_avg"] = m
    return new


def requires(*, relative_step: bool, warmup_init: bool) -> str:
    """What is wrong with hyperparameters that do not go together; empty if nothing is."""
    if not (relative_step or not warmup_init):
        return "`warmup_init=True` requires `relative_step=True`"
    return ""


def on_gpu() -> ModuleType:
    """The fused kernel. Raises ImportError without Triton, or where this folder was copied without its sibling."""
    from ..triton_gpu import adafactorhf
    return adafactorhf


def on_gpu_otherwise() -> ModuleType:
    """The fused kernel. Raises ImportError without Triton, or where this folder was copied without its sibling."""
    from ..triton_gpu import adafactorhf_otherwise
    return adafactorhf_otherwise


def on_cpu() -> ModuleType:
    """The fused step in C. Raises ImportError where this folder was copied without its sibling."""
    from ..c_cpu import adafactorhf
    return adafactorhf


def on_cpu_otherwise() -> ModuleType:
    """The fused step in C. Raises ImportError where this folder was copied without its sibling."""
    from ..c_cpu import adafactorhf_otherwise
    return adafactorhf_otherwise


class AdafactorHF(RuleOptimizer):
    """AdafactorHF: LLM training with little memory."""

    rule = UpdateRule(
        hypers=(
            Hyper("lr", at_least=0),
            Hyper("eps", ("eps1", "eps2"), at_least=0),
            Hyper("clip_threshold", above=0),
            Hyper("decay_rate", at_most=0),
            Hyper("beta1", at_least=0, below=1),
            Hyper("weight_decay", at_least=0),
            Hyper("scale_parameter", flag=True),
            Hyper("relative_step", flag=True),
            Hyper("warmup_init", flag=True),
            Hyper("use_first_moment", flag=True),
        ),
        keys=("step", "exp_avg", "exp_avg_sq_row", "exp_avg_sq_col"),
        states=states,
        host=host,
        updates=(update,),
        requires=requires,
        fused={"cuda": on_gpu, "cpu": on_cpu},
        elementwise=False,
        min_ndim=2,
        otherwise=UpdateRule(
            hypers=(),
            keys=("step", "exp_avg", "exp_avg_sq"),
            states=states_otherwise,
            host=host,
            updates=(update_otherwise,),
            fused={"cuda": on_gpu_otherwise, "cpu": on_cpu_otherwise},
            elementwise=False,
        ),
    )

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 0.001,
        eps: tuple[float | Tensor, float | Tensor] = (1e-30, 0.001),
        clip_threshold: float = 1.0,
        decay_rate: float = -0.8,
        beta1: float = 0.9,
        weight_decay: float = 0.0,
        scale_parameter: bool = True,
        relative_step: bool = True,
        warmup_init: bool = False,
        use_first_moment: bool = False,
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
            "eps": eps,
            "clip_threshold": clip_threshold,
            "decay_rate": decay_rate,
            "beta1": beta1,
            "weight_decay": weight_decay,
            "scale_parameter": scale_parameter,
            "relative_step": relative_step,
            "warmup_init": warmup_init,
            "use_first_moment": use_first_moment,
            "foreach": foreach,
            "maximize": maximize,
            "capturable": capturable,
            "differentiable": differentiable,
            "fused": fused,
            "state_dtype": state_dtype,
        }
        super().__init__(params, defaults)
