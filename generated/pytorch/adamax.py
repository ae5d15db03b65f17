"""Adamax. Written by optgen 0.1.0 (format 1) from rules/adamax.py; do not edit.

    optgen build adamax --backend torch

Kingma & Ba, Adam: A Method for Stochastic Optimization, ICLR 2015, https://arxiv.org/abs/1412.6980, Algorithm 2.
Numbers as torch.optim.Adamax.

    g_wd[t] = Piecewise((g[t] + weight_decay*theta[t - 1], Ne(weight_decay, 0)), (g[t], True))
    m[t] = beta1*m[t - 1] + (1 - beta1)*g_wd[t]
    u[t] = Max(beta2*u[t - 1], Abs(g_wd[t]) + eps)
    theta[t] = theta[t - 1] - lr/(1 - beta1**t)*(m[t]/u[t])
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
    kept["exp_avg"] = State("m")
    kept["exp_inf"] = State("u")
    return kept


def host(t: int, *, lr: Scalar, beta1: Scalar) -> dict[str, Scalar]:
    """Scalars of one step, computed once for all parameters that share them."""
    scalars: dict[str, Scalar] = {}
    scalars["one_minus_beta1"] = 1 - beta1
    scalars["lr_over_one_minus_beta1_t"] = lr / (1 - beta1**t)
    return scalars


def update(
    theta_prev: Tensor,
    g: Tensor,
    *,
    m_prev: Tensor,
    u_prev: Tensor,
    beta1: Scalar,
    beta2: Scalar,
    eps: Scalar,
    weight_decay: Scalar,
    one_minus_beta1: Scalar,
    lr_over_one_minus_beta1_t: Scalar,
) -> dict[str, Tensor]:
    """One step of one parameter, without side effects. All tensors have the compute dtype."""
    # g_wd[t] = Piecewise((g[t] + weight_decay*theta[t - 1], Ne(weight_decay, 0)), (g[t], True))
    if weight_decay != 0:
        g_wd = g + weight_decay * theta_prev
    else:
        g_wd = g
    # m[t] = beta1*m[t - 1] + (1 - beta1)*g_wd[t]
    m = beta1 * m_prev + one_minus_beta1 * g_wd
    # u[t] = Max(beta2*u[t - 1], Abs(g_wd[t]) + eps)
    u = torch.maximum(beta2 * u_prev, torch.abs(g_wd) + eps)
    # theta[t] = theta[t - 1] - lr/(1 - beta1**t)*(m[t]/u[t])
    theta = theta_prev - lr_over_one_minus_beta1_t * (m / u)
    return {"param": theta, "exp_avg": m, "exp_inf": u}


def on_gpu() -> ModuleType:
    """The fused kernel. Raises ImportError without Triton, or where this folder was copied without its sibling."""
    from ..triton_gpu import adamax
    return adamax


def on_cpu() -> ModuleType:
    """The fused step in C. Raises ImportError where this folder was copied without its sibling."""
    from ..c_cpu import adamax
    return adamax


class Adamax(RuleOptimizer):
    """Adamax: sparse or heavy-tailed gradients."""

    rule = UpdateRule(
        hypers=(
            Hyper("lr", at_least=0),
            Hyper("betas", ("beta1", "beta2"), at_least=0, below=1),
            Hyper("eps", at_least=0),
            Hyper("weight_decay", at_least=0),
        ),
        keys=("step", "exp_avg", "exp_inf"),
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
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)
