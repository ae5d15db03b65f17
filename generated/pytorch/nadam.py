"""NAdam. Written by optgen 0.1.0 (format 1) from rules/nadam.py; do not edit.

    optgen build nadam --backend torch

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

from types import ModuleType

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from ._runtime import Hyper, RuleOptimizer, Scalar, State, UpdateRule


def states() -> dict[str, State]:
    """What is kept from step to step, by its key in a checkpoint."""
    kept: dict[str, State] = {}
    kept["mu_product"] = State("P", 1, host=True)
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
    momentum_decay: Scalar,
    decoupled_weight_decay: bool,
    P_prev: Scalar = 0.0,
) -> dict[str, Scalar]:
    """Scalars of one step, computed once for all parameters that share them."""
    scalars: dict[str, Scalar] = {}
    if weight_decay != 0 and decoupled_weight_decay:
        scalars["one_minus_lr_weight_decay"] = 1 - lr * weight_decay
    mu = beta1 * (1 - 0.5 * 0.96**(t * momentum_decay))
    mu_next = beta1 * (1 - 0.5 * 0.96**((t + 1) * momentum_decay))
    P = P_prev * mu
    scalars["P"] = P
    scalars["one_minus_beta1"] = 1 - beta1
    scalars["one_minus_beta2"] = 1 - beta2
    scalars["inv_one_minus_beta2_t"] = 1 / (1 - beta2**t)
    scalars["lr_one_minus_mu_over_one_minus_P"] = lr * (1 - mu) / (1 - P)
    scalars["theta_scale"] = lr * mu_next / (1 - P * mu_next)
    return scalars


def update(
    theta_prev: Tensor,
    g: Tensor,
    *,
    m_prev: Tensor,
    v_prev: Tensor,
    beta1: Scalar,
    beta2: Scalar,
    eps: Scalar,
    weight_decay: Scalar,
    decoupled_weight_decay: bool,
    one_minus_beta1: Scalar,
    one_minus_beta2: Scalar,
    inv_one_minus_beta2_t: Scalar,
    lr_one_minus_mu_over_one_minus_P: Scalar,
    theta_scale: Scalar,
    one_minus_lr_weight_decay: Scalar = 0.0,
) -> dict[str, Tensor]:
    """One step of one parameter, without side effects. All tensors have the compute dtype."""
    # theta_wd[t] = Piecewise((theta[t - 1]*(1 - lr*weight_decay), decoupled_weight_decay & Ne(weight_decay,
    #     0)), (theta[t - 1], True))
    if weight_decay != 0 and decoupled_weight_decay:
        theta_wd = theta_prev * one_minus_lr_weight_decay
    else:
        theta_wd = theta_prev
    # g_wd[t] = Piecewise((g[t] + weight_decay*theta[t - 1], ~decoupled_weight_decay & Ne(weight_decay, 0)),
    #     (g[t], True))
    if decoupled_weight_decay or weight_decay == 0:
        g_wd = g
    else:
        g_wd = g + weight_decay * theta_prev
    # m[t] = beta1*m[t - 1] + (1 - beta1)*g_wd[t]
    m = beta1 * m_prev + one_minus_beta1 * g_wd
    # v[t] = beta2*v[t - 1] + (1 - beta2)*g_wd[t]**2
    v = beta2 * v_prev + one_minus_beta2 * (g_wd * g_wd)
    # D[t] = sqrt(v[t]/(1 - beta2**t)) + eps
    D = torch.sqrt(v * inv_one_minus_beta2_t) + eps
    # theta[t] = (theta_wd[t] - lr*(1 - mu[t])/(1 - P[t])*(g_wd[t]/D[t])) - lr*mu_next[t]/(1 -
    #     P[t]*mu_next[t])*(m[t]/D[t])
    theta = theta_wd - lr_one_minus_mu_over_one_minus_P * (g_wd / D) - theta_scale * (m / D)
    return {"param": theta, "exp_avg": m, "exp_avg_sq": v}


def on_gpu() -> ModuleType:
    """The fused kernel. Raises ImportError without Triton, or where this folder was copied without its sibling."""
    from ..triton_gpu import nadam
    return nadam


def on_cpu() -> ModuleType:
    """The fused step in C. Raises ImportError where this folder was copied without its sibling."""
    from ..c_cpu import nadam
    return nadam


class NAdam(RuleOptimizer):
    """NAdam: where Adam overshoots."""

    rule = UpdateRule(
        hypers=(
            Hyper("lr", at_least=0),
            Hyper("betas", ("beta1", "beta2"), at_least=0, below=1),
            Hyper("eps", at_least=0),
            Hyper("weight_decay", at_least=0),
            Hyper("momentum_decay", at_least=0),
            Hyper("decoupled_weight_decay", flag=True),
        ),
        keys=("step", "mu_product", "exp_avg", "exp_avg_sq"),
        states=states,
        host=host,
        updates=(update,),
        fused={"cuda": on_gpu, "cpu": on_cpu},
    )

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 0.002,
        betas: tuple[float | Tensor, float | Tensor] = (0.9, 0.999),
        eps: float = 1e-08,
        weight_decay: float = 0,
        momentum_decay: float = 0.004,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "momentum_decay": momentum_decay,
            "decoupled_weight_decay": decoupled_weight_decay,
            "foreach": foreach,
            "maximize": maximize,
            "capturable": capturable,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)
