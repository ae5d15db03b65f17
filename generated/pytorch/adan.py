"""Adan. Written by optgen 0.1.0 (format 1) from rules/adan.py; do not edit.

    optgen build adan --backend torch

Xie, Zhou, Li, Lin & Yan, Adan: Adaptive Nesterov Momentum Algorithm for Faster Optimizing Deep Models, TPAMI 2024,
https://arxiv.org/abs/2208.06677, Algorithm 1. Numbers as timm.optim.Adan.

    change[t] = g[t] - g[t - 1]
    m[t] = beta1*m[t - 1] + (1 - beta1)*g[t]
    d[t] = beta2*d[t - 1] + (1 - beta2)*change[t]
    n[t] = beta3*n[t - 1] + (1 - beta3)*(g[t] + beta2*change[t])**2
    D[t] = sqrt(n[t])/sqrt(1 - beta3**t) + eps
    u[t] = lr/(1 - beta1**t)*(m[t]/D[t]) + lr*beta2/(1 - beta2**t)*(d[t]/D[t])
    theta[t] = Piecewise((theta[t - 1]*(1 - lr*weight_decay) - u[t], no_prox), ((theta[t - 1] - u[t])/(1 +
        lr*weight_decay), True))
"""

from __future__ import annotations

from types import ModuleType

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from ._runtime import Hyper, RuleOptimizer, Scalar, State, UpdateRule, from_grad, sqrt


def states() -> dict[str, State]:
    """What is kept from step to step, by its key in a checkpoint."""
    kept: dict[str, State] = {}
    kept["exp_avg"] = State("m")
    kept["exp_avg_diff"] = State("d")
    kept["exp_avg_sq"] = State("n")
    kept["previous_grad"] = State("g", from_grad)
    return kept


def host(
    t: int,
    *,
    lr: Scalar,
    beta1: Scalar,
    beta2: Scalar,
    beta3: Scalar,
    weight_decay: Scalar,
    no_prox: bool,
) -> dict[str, Scalar]:
    """Scalars of one step, computed once for all parameters that share them."""
    scalars: dict[str, Scalar] = {}
    scalars["one_minus_beta1"] = 1 - beta1
    scalars["one_minus_beta2"] = 1 - beta2
    scalars["one_minus_beta3"] = 1 - beta3
    scalars["inv_sqrt_one_minus_beta3_t"] = 1 / sqrt(1 - beta3**t)
    scalars["lr_over_one_minus_beta1_t"] = lr / (1 - beta1**t)
    scalars["lr_beta2_over_one_minus_beta2_t"] = lr * beta2 / (1 - beta2**t)
    if no_prox:
        scalars["one_minus_lr_weight_decay"] = 1 - lr * weight_decay
    else:
        scalars["inv_one_plus_lr_weight_decay"] = 1 / (1 + lr * weight_decay)
    return scalars


def update(
    theta_prev: Tensor,
    g: Tensor,
    *,
    m_prev: Tensor,
    d_prev: Tensor,
    n_prev: Tensor,
    g_prev: Tensor,
    beta1: Scalar,
    beta2: Scalar,
    beta3: Scalar,
    eps: Scalar,
    no_prox: bool,
    one_minus_beta1: Scalar,
    one_minus_beta2: Scalar,
    one_minus_beta3: Scalar,
    inv_sqrt_one_minus_beta3_t: Scalar,
    lr_beta2_over_one_minus_beta2_t: Scalar,
    lr_over_one_minus_beta1_t: Scalar,
    inv_one_plus_lr_weight_decay: Scalar = 0.0,
    one_minus_lr_weight_decay: Scalar = 0.0,
) -> dict[str, Tensor]:
    """One step of one parameter, without side effects. All tensors have the compute dtype."""
    # change[t] = g[t] - g[t - 1]
    change = g - g_prev
    # m[t] = beta1*m[t - 1] + (1 - beta1)*g[t]
    m = beta1 * m_prev + one_minus_beta1 * g
    # d[t] = beta2*d[t - 1] + (1 - beta2)*change[t]
    d = beta2 * d_prev + one_minus_beta2 * change
    # n[t] = beta3*n[t - 1] + (1 - beta3)*(g[t] + beta2*change[t])**2
    n_base = g + beta2 * change
    n = beta3 * n_prev + one_minus_beta3 * (n_base * n_base)
    # D[t] = sqrt(n[t])/sqrt(1 - beta3**t) + eps
    D = torch.sqrt(n) * inv_sqrt_one_minus_beta3_t + eps
    # u[t] = lr/(1 - beta1**t)*(m[t]/D[t]) + lr*beta2/(1 - beta2**t)*(d[t]/D[t])
    u = lr_over_one_minus_beta1_t * (m / D) + lr_beta2_over_one_minus_beta2_t * (d / D)
    # theta[t] = Piecewise((theta[t - 1]*(1 - lr*weight_decay) - u[t], no_prox), ((theta[t - 1] - u[t])/(1 +
    #     lr*weight_decay), True))
    if no_prox:
        theta = theta_prev * one_minus_lr_weight_decay - u
    else:
        theta = (theta_prev - u) * inv_one_plus_lr_weight_decay
    return {"param": theta, "exp_avg": m, "exp_avg_diff": d, "exp_avg_sq": n, "previous_grad": g}


def on_gpu() -> ModuleType:
    """The fused kernel. Raises ImportError without Triton, or where this folder was copied without its sibling."""
    from ..triton_gpu import adan
    return adan


def on_cpu() -> ModuleType:
    """The fused step in C. Raises ImportError where this folder was copied without its sibling."""
    from ..c_cpu import adan
    return adan


class Adan(RuleOptimizer):
    """Adan: large batches, vision transformers."""

    rule = UpdateRule(
        hypers=(
            Hyper("lr", at_least=0),
            Hyper("betas", ("beta1", "beta2", "beta3"), at_least=0, below=1),
            Hyper("eps", at_least=0),
            Hyper("weight_decay", at_least=0),
            Hyper("no_prox", flag=True),
        ),
        keys=("step", "exp_avg", "exp_avg_diff", "exp_avg_sq", "previous_grad"),
        states=states,
        host=host,
        updates=(update,),
        fused={"cuda": on_gpu, "cpu": on_cpu},
    )

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 0.001,
        betas: tuple[float | Tensor, float | Tensor, float | Tensor] = (0.98, 0.92, 0.99),
        eps: float = 1e-08,
        weight_decay: float = 0,
        no_prox: bool = False,
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
            "no_prox": no_prox,
            "foreach": foreach,
            "maximize": maximize,
            "capturable": capturable,
            "differentiable": differentiable,
            "fused": fused,
            "state_dtype": state_dtype,
        }
        super().__init__(params, defaults)
