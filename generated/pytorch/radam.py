"""RAdam. Written by optgen 0.1.0 (format 1) from rules/radam.py; do not edit.

    optgen build radam --backend torch

Liu, Jiang, He, Chen, Liu, Gao & Han, On the Variance of the Adaptive Learning Rate and Beyond, ICLR 2020,
https://arxiv.org/abs/1908.03265, Algorithm 2. Numbers as torch.optim.RAdam.

    theta_wd[t] = Piecewise((theta[t - 1]*(1 - lr*weight_decay), decoupled_weight_decay & Ne(weight_decay, 0)),
        (theta[t - 1], True))
    g_wd[t] = Piecewise((g[t] + weight_decay*theta[t - 1], ~decoupled_weight_decay & Ne(weight_decay, 0)), (g[t],
        True))
    m[t] = beta1*m[t - 1] + (1 - beta1)*g_wd[t]
    v[t] = beta2*v[t - 1] + (1 - beta2)*g_wd[t]**2
    m_hat[t] = m[t]/(1 - beta1**t)
    rho_inf[t] = 2/(1 - beta2) - 1
    rho[t] = rho_inf[t] - 2*t*beta2**t/(1 - beta2**t)
    r[t] = Piecewise((sqrt((rho[t] - 4)*(rho[t] - 2)*rho_inf[t]/((rho_inf[t] - 4)*(rho_inf[t] - 2)*rho[t])), rho[t]
        > 5), (1, True))
    u[t] = Piecewise((r[t]*sqrt(1 - beta2**t)/(sqrt(v[t]) + eps), rho[t] > 5), (1, True))
    theta[t] = theta_wd[t] - lr*m_hat[t]*u[t]
"""

from __future__ import annotations

from types import ModuleType

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from ._runtime import Hyper, RuleOptimizer, Scalar, State, UpdateRule, choose, sqrt


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
    decoupled_weight_decay: bool,
) -> dict[str, Scalar]:
    """Scalars of one step, computed once for all parameters that share them."""
    scalars: dict[str, Scalar] = {}
    if weight_decay != 0 and decoupled_weight_decay:
        scalars["one_minus_lr_weight_decay"] = 1 - lr * weight_decay
    scalars["one_minus_beta1"] = 1 - beta1
    scalars["one_minus_beta2"] = 1 - beta2
    scalars["inv_one_minus_beta1_t"] = 1 / (1 - beta1**t)
    rho_inf = 2 / (1 - beta2) - 1
    rho = rho_inf - 2 * t * beta2**t / (1 - beta2**t)
    r = choose(
        rho > 5, lambda: sqrt((rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho)),
        lambda: 1
    )
    rho_gt_5 = rho > 5
    scalars["rho_gt_5"] = rho_gt_5
    scalars["r_sqrt_one_minus_beta2_t"] = choose(rho_gt_5, lambda: r * sqrt(1 - beta2**t), lambda: 0)
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
    lr: Scalar,
    weight_decay: Scalar,
    decoupled_weight_decay: bool,
    one_minus_beta1: Scalar,
    one_minus_beta2: Scalar,
    inv_one_minus_beta1_t: Scalar,
    r_sqrt_one_minus_beta2_t: Scalar,
    rho_gt_5: bool,
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
    # m_hat[t] = m[t]/(1 - beta1**t)
    m_hat = m * inv_one_minus_beta1_t
    # u[t] = Piecewise((r[t]*sqrt(1 - beta2**t)/(sqrt(v[t]) + eps), rho[t] > 5), (1, True))
    u = choose(
        rho_gt_5, lambda: torch.div(r_sqrt_one_minus_beta2_t, torch.sqrt(v) + eps),
        lambda: torch.full_like(v, 1)
    )
    # theta[t] = theta_wd[t] - lr*m_hat[t]*u[t]
    theta = theta_wd - lr * m_hat * u
    return {"param": theta, "exp_avg": m, "exp_avg_sq": v}


def on_gpu() -> ModuleType:
    """The fused kernel. Raises ImportError without Triton, or where this folder was copied without its sibling."""
    from ..triton_gpu import radam
    return radam


def on_cpu() -> ModuleType:
    """The fused step in C. Raises ImportError where this folder was copied without its sibling."""
    from ..c_cpu import radam
    return radam


class RAdam(RuleOptimizer):
    """RAdam: training without a warmup."""

    rule = UpdateRule(
        hypers=(
            Hyper("lr", at_least=0),
            Hyper("betas", ("beta1", "beta2"), at_least=0, below=1),
            Hyper("eps", at_least=0),
            Hyper("weight_decay", at_least=0),
            Hyper("decoupled_weight_decay", flag=True),
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
        betas: tuple[float | Tensor, float | Tensor] = (0.9, 0.999),
        eps: float = 1e-08,
        weight_decay: float = 0,
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
            "decoupled_weight_decay": decoupled_weight_decay,
            "foreach": foreach,
            "maximize": maximize,
            "capturable": capturable,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)
