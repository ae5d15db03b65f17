"""ADOPT. Written by optgen 0.1.0 (format 1) from rules/adopt.py; do not edit.

    optgen build adopt --backend torch

Taniguchi, Harada, Minegishi, Oshima, Jeong, Nagahara, Iiyama, Suzuki, Iwasawa & Matsuo, ADOPT: Modified Adam Can
Converge with Any beta2 with the Optimal Rate, NeurIPS 2024, https://arxiv.org/abs/2411.02853, Algorithm 2. Numbers
as timm.optim.Adopt(clip_exp=0.25).

    theta_wd[t] = Piecewise((theta[t - 1]*(1 - lr*weight_decay), decoupled & Ne(weight_decay, 0)), (theta[t - 1],
        True))
    g_wd[t] = Piecewise((g[t] + weight_decay*theta[t - 1], ~decoupled & Ne(weight_decay, 0)), (g[t], True))
    c[t] = (t - 1)**0.25
    n[t] = Min(Max(g_wd[t]/Max(sqrt(v[t - 1]), eps), -c[t]), c[t])
    m[t] = Piecewise((m[t - 1], Eq(t, 1)), (beta1*m[t - 1] + (1 - beta1)*n[t], True))
    v[t] = Piecewise((g_wd[t]**2, Eq(t, 1)), (beta2*v[t - 1] + (1 - beta2)*g_wd[t]**2, True))
    theta[t] = Piecewise((theta[t - 1], Eq(t, 1)), (theta_wd[t] - lr*m[t], True))
"""

from __future__ import annotations

from types import ModuleType

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from ._runtime import Hyper, RuleOptimizer, Scalar, State, UpdateRule, choose


def states() -> dict[str, State]:
    """What is kept from step to step, by its key in a checkpoint."""
    kept: dict[str, State] = {}
    kept["exp_avg"] = State("m")
    kept["exp_avg_sq"] = State("v")
    return kept


def host(
    t: int,
    *,
    lr: Scalar,
    beta1: Scalar,
    beta2: Scalar,
    weight_decay: Scalar,
    decoupled: bool,
) -> dict[str, Scalar]:
    """Scalars of one step, computed once for all parameters that share them."""
    scalars: dict[str, Scalar] = {}
    if weight_decay != 0 and decoupled:
        scalars["one_minus_lr_weight_decay"] = 1 - lr * weight_decay
    c = (t - 1)**0.25
    scalars["c"] = c
    scalars["n_scale"] = -c
    scalars["t_eq_one"] = t == 1
    scalars["one_minus_beta1"] = 1 - beta1
    scalars["one_minus_beta2"] = 1 - beta2
    return scalars


def update(
    theta_prev: Tensor,
    g: Tensor,
    *,
    m_prev: Tensor,
    v_prev: Tensor,
    eps: Scalar,
    beta1: Scalar,
    beta2: Scalar,
    lr: Scalar,
    weight_decay: Scalar,
    decoupled: bool,
    c: Scalar,
    n_scale: Scalar,
    one_minus_beta1: Scalar,
    t_eq_one: bool,
    one_minus_beta2: Scalar,
    one_minus_lr_weight_decay: Scalar = 0.0,
) -> dict[str, Tensor]:
    """One step of one parameter, without side effects. All tensors have the compute dtype."""
    # theta_wd[t] = Piecewise((theta[t - 1]*(1 - lr*weight_decay), decoupled & Ne(weight_decay, 0)),
    #     (theta[t - 1], True))
    if weight_decay != 0 and decoupled:
        theta_wd = theta_prev * one_minus_lr_weight_decay
    else:
        theta_wd = theta_prev
    # g_wd[t] = Piecewise((g[t] + weight_decay*theta[t - 1], ~decoupled & Ne(weight_decay, 0)), (g[t],
    #     True))
    if decoupled or weight_decay == 0:
        g_wd = g
    else:
        g_wd = g + weight_decay * theta_prev
    # n[t] = Min(Max(g_wd[t]/Max(sqrt(v[t - 1]), eps), -c[t]), c[t])
    n = torch.clamp(torch.clamp(g_wd / torch.clamp(torch.sqrt(v_prev), min=eps), min=n_scale), max=c)
    # m[t] = Piecewise((m[t - 1], Eq(t, 1)), (beta1*m[t - 1] + (1 - beta1)*n[t], True))
    m = choose(t_eq_one, lambda: m_prev, lambda: beta1 * m_prev + one_minus_beta1 * n)
    # v[t] = Piecewise((g_wd[t]**2, Eq(t, 1)), (beta2*v[t - 1] + (1 - beta2)*g_wd[t]**2, True))
    v = choose(t_eq_one, lambda: g_wd * g_wd, lambda: beta2 * v_prev + one_minus_beta2 * (g_wd * g_wd))
    # theta[t] = Piecewise((theta[t - 1], Eq(t, 1)), (theta_wd[t] - lr*m[t], True))
    theta = choose(t_eq_one, lambda: theta_prev, lambda: theta_wd - lr * m)
    return {"param": theta, "exp_avg": m, "exp_avg_sq": v}


def on_gpu() -> ModuleType:
    """The fused kernel. Raises ImportError without Triton, or where this folder was copied without its sibling."""
    from ..triton_gpu import adopt
    return adopt


def on_cpu() -> ModuleType:
    """The fused step in C. Raises ImportError where this folder was copied without its sibling."""
    from ..c_cpu import adopt
    return adopt


class ADOPT(RuleOptimizer):
    """ADOPT: where Adam's beta2 must be tuned."""

    rule = UpdateRule(
        hypers=(
            Hyper("lr", at_least=0),
            Hyper("betas", ("beta1", "beta2"), at_least=0, below=1),
            Hyper("eps", at_least=0),
            Hyper("weight_decay", at_least=0),
            Hyper("decoupled", flag=True),
        ),
        keys=("step", "exp_avg", "exp_avg_sq"),
        states=states,
        host=host,
        updates=(update,),
        fused={"cuda": on_gpu, "cpu": on_cpu},
    )

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 0.001,
        betas: tuple[float | Tensor, float | Tensor] = (0.9, 0.9999),
        eps: float = 1e-06,
        weight_decay: float = 0,
        decoupled: bool = False,
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
            "eps": eps,
            "weight_decay": weight_decay,
            "decoupled": decoupled,
            "foreach": foreach,
            "maximize": maximize,
            "capturable": capturable,
            "differentiable": differentiable,
            "fused": fused,
            "state_dtype": state_dtype,
        }
        super().__init__(params, defaults)
