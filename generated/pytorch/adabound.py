"""AdaBound. Written by optgen 0.1.0 (format 1) from rules/adabound.py; do not edit.

    optgen build adabound --backend torch

Luo, Xiong, Liu & Sun, Adaptive Gradient Methods with Dynamic Bound of Learning Rate, ICLR 2019,
https://arxiv.org/abs/1902.09843, Algorithm 2. Numbers as pytorch_optimizer.AdaBound, which adds 1e-15 to v; the
bounds follow the learning rate from its first value, which is kept.

    m[t] = beta1*m[t - 1] + (1 - beta1)*g[t]
    v[t] = beta2*v[t - 1] + (1 - beta2)*g[t]**2
    base[t] = Piecewise((base[t - 1], base[t - 1] > 0), (lr, True))
    last[t] = Piecewise((final_lr*lr/base[t], base[t] > 0), (0, True))
    eta[t] = Min(Max(lr*sqrt(1 - beta2**t)/(1 - beta1**t)/(sqrt(v[t] + 1.0e-15) + eps), last[t]*(1 - 1/(gamma*t +
        1))), last[t]*(1 + 1/(gamma*t)))
    theta[t] = theta[t - 1]*(1 - lr*weight_decay) - eta[t]*m[t]
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
    kept["base_lr"] = State("base", host=True)
    return kept


def host(
    t: int,
    *,
    lr: Scalar,
    final_lr: Scalar,
    beta1: Scalar,
    beta2: Scalar,
    gamma: Scalar,
    weight_decay: Scalar,
    base_prev: Scalar = 0.0,
) -> dict[str, Scalar]:
    """Scalars of one step, computed once for all parameters that share them."""
    scalars: dict[str, Scalar] = {}
    scalars["one_minus_beta1"] = 1 - beta1
    scalars["one_minus_beta2"] = 1 - beta2
    base = choose(base_prev > 0, lambda: base_prev, lambda: lr)
    scalars["base"] = base
    last = choose(base > 0, lambda: final_lr * lr / base, lambda: 0)
    scalars["eta_scale"] = lr * sqrt(1 - beta2**t) / (1 - beta1**t)
    scalars["eta_scale2"] = last * (1 - 1 / (gamma * t + 1))
    scalars["last_one_plus_inv_gamma_t"] = last * (1 + 1 / (gamma * t))
    scalars["one_minus_lr_weight_decay"] = 1 - lr * weight_decay
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
    one_minus_beta1: Scalar,
    one_minus_beta2: Scalar,
    eta_scale: Scalar,
    eta_scale2: Scalar,
    last_one_plus_inv_gamma_t: Scalar,
    one_minus_lr_weight_decay: Scalar,
) -> dict[str, Tensor]:
    """One step of one parameter, without side effects. All tensors have the compute dtype."""
    # m[t] = beta1*m[t - 1] + (1 - beta1)*g[t]
    m = beta1 * m_prev + one_minus_beta1 * g
    # v[t] = beta2*v[t - 1] + (1 - beta2)*g[t]**2
    v = beta2 * v_prev + one_minus_beta2 * (g * g)
    # eta[t] = Min(Max(lr*sqrt(1 - beta2**t)/(1 - beta1**t)/(sqrt(v[t] + 1.0e-15) + eps), last[t]*(1 -
    #     1/(gamma*t + 1))), last[t]*(1 + 1/(gamma*t)))
    eta = torch.clamp(
        torch.clamp(torch.div(eta_scale, torch.sqrt(v + 1e-15) + eps), min=eta_scale2),
        max=last_one_plus_inv_gamma_t
    )
    # theta[t] = theta[t - 1]*(1 - lr*weight_decay) - eta[t]*m[t]
    theta = theta_prev * one_minus_lr_weight_decay - eta * m
    return {"param": theta, "exp_avg": m, "exp_avg_sq": v}


def on_gpu() -> ModuleType:
    """The fused kernel. Raises ImportError without Triton, or where this folder was copied without its sibling."""
    from ..triton_gpu import adabound
    return adabound


def on_cpu() -> ModuleType:
    """The fused step in C. Raises ImportError where this folder was copied without its sibling."""
    from ..c_cpu import adabound
    return adabound


class AdaBound(RuleOptimizer):
    """AdaBound: from Adam at the start to SGD at the end."""

    rule = UpdateRule(
        hypers=(
            Hyper("lr", at_least=0),
            Hyper("final_lr", at_least=0),
            Hyper("betas", ("beta1", "beta2"), at_least=0, below=1),
            Hyper("gamma", above=0),
            Hyper("weight_decay", at_least=0),
            Hyper("eps", at_least=0),
        ),
        keys=("step", "exp_avg", "exp_avg_sq", "base_lr"),
        states=states,
        host=host,
        updates=(update,),
        fused={"cuda": on_gpu, "cpu": on_cpu},
    )

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 0.001,
        final_lr: float = 0.1,
        betas: tuple[float | Tensor, float | Tensor] = (0.9, 0.999),
        gamma: float = 0.001,
        weight_decay: float = 0,
        eps: float = 1e-08,
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
            "final_lr": final_lr,
            "betas": betas,
            "gamma": gamma,
            "weight_decay": weight_decay,
            "eps": eps,
            "foreach": foreach,
            "maximize": maximize,
            "capturable": capturable,
            "differentiable": differentiable,
            "fused": fused,
            "state_dtype": state_dtype,
        }
        super().__init__(params, defaults)
