"""LaProp. Written by optgen 0.1.0 (format 1) from rules/laprop.py; do not edit.

    optgen build laprop --backend torch

Ziyin, Wang & Ueda, LaProp: Separating Momentum and Adaptivity in Adam, 2020, https://arxiv.org/abs/2002.04839,
Algorithm 1. Numbers as timm.optim.LaProp: the learning rate is inside the momentum, and weight decay follows the
step.

    v[t] = beta2*v[t - 1] + (1 - beta2)*g[t]**2
    eta[t] = beta1*eta[t - 1] + (1 - beta1)*lr
    k[t] = Piecewise((lr/eta[t], Ne(eta[t], 0)), (0, True))
    m[t] = beta1*m[t - 1] + lr*(1 - beta1)*(g[t]/(sqrt(v[t]/(1 - beta2**t)) + eps))
    theta_new[t] = theta[t - 1] - k[t]*m[t]
    theta[t] = theta_new[t]*(1 - lr*weight_decay)
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
    kept["exp_avg_lr_1"] = State("eta", host=True)
    kept["exp_avg_sq"] = State("v")
    return kept


def host(
    t: int,
    *,
    lr: Scalar,
    beta1: Scalar,
    beta2: Scalar,
    weight_decay: Scalar,
    eta_prev: Scalar = 0.0,
) -> dict[str, Scalar]:
    """Scalars of one step, computed once for all parameters that share them."""
    scalars: dict[str, Scalar] = {}
    scalars["one_minus_beta2"] = 1 - beta2
    eta = beta1 * eta_prev + (1 - beta1) * lr
    scalars["eta"] = eta
    scalars["k"] = choose(eta != 0, lambda: lr / eta, lambda: 0)
    scalars["lr_one_minus_beta1"] = lr * (1 - beta1)
    scalars["inv_one_minus_beta2_t"] = 1 / (1 - beta2**t)
    scalars["one_minus_lr_weight_decay"] = 1 - lr * weight_decay
    return scalars


def update(
    theta_prev: Tensor,
    g: Tensor,
    *,
    m_prev: Tensor,
    v_prev: Tensor,
    beta2: Scalar,
    beta1: Scalar,
    eps: Scalar,
    one_minus_beta2: Scalar,
    inv_one_minus_beta2_t: Scalar,
    lr_one_minus_beta1: Scalar,
    k: Scalar,
    one_minus_lr_weight_decay: Scalar,
) -> dict[str, Tensor]:
    """One step of one parameter, without side effects. All tensors have the compute dtype."""
    # v[t] = beta2*v[t - 1] + (1 - beta2)*g[t]**2
    v = beta2 * v_prev + one_minus_beta2 * (g * g)
    # m[t] = beta1*m[t - 1] + lr*(1 - beta1)*(g[t]/(sqrt(v[t]/(1 - beta2**t)) + eps))
    m = beta1 * m_prev + lr_one_minus_beta1 * (g / (torch.sqrt(v * inv_one_minus_beta2_t) + eps))
    # theta_new[t] = theta[t - 1] - k[t]*m[t]
    theta_new = theta_prev - k * m
    # theta[t] = theta_new[t]*(1 - lr*weight_decay)
    theta = theta_new * one_minus_lr_weight_decay
    return {"param": theta, "exp_avg": m, "exp_avg_sq": v}


def on_gpu() -> ModuleType:
    """The fused kernel. Raises ImportError without Triton, or where this folder was copied without its sibling."""
    from ..triton_gpu import laprop
    return laprop


def on_cpu() -> ModuleType:
    """The fused step in C. Raises ImportError where this folder was copied without its sibling."""
    from ..c_cpu import laprop
    return laprop


class LaProp(RuleOptimizer):
    """LaProp: where Adam's beta2 must be small."""

    rule = UpdateRule(
        hypers=(
            Hyper("lr", at_least=0),
            Hyper("betas", ("beta1", "beta2"), at_least=0, below=1),
            Hyper("eps", at_least=0),
            Hyper("weight_decay", at_least=0),
        ),
        keys=("step", "exp_avg", "exp_avg_lr_1", "exp_avg_sq"),
        states=states,
        host=host,
        updates=(update,),
        fused={"cuda": on_gpu, "cpu": on_cpu},
    )

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 0.0004,
        betas: tuple[float | Tensor, float | Tensor] = (0.9, 0.999),
        eps: float = 1e-15,
        weight_decay: float = 0,
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
            "foreach": foreach,
            "maximize": maximize,
            "capturable": capturable,
            "differentiable": differentiable,
            "fused": fused,
            "state_dtype": state_dtype,
        }
        super().__init__(params, defaults)
