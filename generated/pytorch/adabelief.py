"""AdaBelief. Written by optgen 0.1.0 (format 1) from rules/adabelief.py; do not edit.

    optgen build adabelief --backend torch

Zhuang, Tang, Ding, Tatikonda, Dvornek, Papademetris & Duncan, AdaBelief Optimizer: Adapting Stepsizes by the Belief
in Observed Gradients, NeurIPS 2020, https://arxiv.org/abs/2010.07468, Algorithm 2. Numbers as
pytorch_optimizer.AdaBelief.

    m[t] = beta1*m[t - 1] + (1 - beta1)*g[t]
    s[t] = (beta2*s[t - 1] + (1 - beta2)*(g[t] - m[t])**2) + eps
    theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr/(1 - beta1**t)*(m[t]/(sqrt(s[t])/sqrt(1 - beta2**t) + eps))
"""

from __future__ import annotations

from types import ModuleType

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from ._runtime import Hyper, RuleOptimizer, Scalar, State, UpdateRule, sqrt


def states() -> dict[str, State]:
    """What is kept from step to step, by its key in a checkpoint."""
    kept: dict[str, State] = {}
    kept["exp_avg"] = State("m")
    kept["exp_avg_var"] = State("s")
    return kept


def host(t: int, *, lr: Scalar, beta1: Scalar, beta2: Scalar, weight_decay: Scalar) -> dict[str, Scalar]:
    """Scalars of one step, computed once for all parameters that share them."""
    scalars: dict[str, Scalar] = {}
    scalars["one_minus_beta1"] = 1 - beta1
    scalars["one_minus_beta2"] = 1 - beta2
    scalars["one_minus_lr_weight_decay"] = 1 - lr * weight_decay
    scalars["lr_over_one_minus_beta1_t"] = lr / (1 - beta1**t)
    scalars["inv_sqrt_one_minus_beta2_t"] = 1 / sqrt(1 - beta2**t)
    return scalars


def update(
    theta_prev: Tensor,
    g: Tensor,
    *,
    m_prev: Tensor,
    s_prev: Tensor,
    beta1: Scalar,
    beta2: Scalar,
    eps: Scalar,
    one_minus_beta1: Scalar,
    one_minus_beta2: Scalar,
    inv_sqrt_one_minus_beta2_t: Scalar,
    lr_over_one_minus_beta1_t: Scalar,
    one_minus_lr_weight_decay: Scalar,
) -> dict[str, Tensor]:
    """One step of one parameter, without side effects. All tensors have the compute dtype."""
    # m[t] = beta1*m[t - 1] + (1 - beta1)*g[t]
    m = beta1 * m_prev + one_minus_beta1 * g
    # s[t] = (beta2*s[t - 1] + (1 - beta2)*(g[t] - m[t])**2) + eps
    s_base = g - m
    s = beta2 * s_prev + one_minus_beta2 * (s_base * s_base) + eps
    # theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr/(1 - beta1**t)*(m[t]/(sqrt(s[t])/sqrt(1 - beta2**t)
    #     + eps))
    theta = (
        theta_prev * one_minus_lr_weight_decay
        - lr_over_one_minus_beta1_t * (m / (torch.sqrt(s) * inv_sqrt_one_minus_beta2_t + eps))
    )
    return {"param": theta, "exp_avg": m, "exp_avg_var": s}


def on_gpu() -> ModuleType:
    """The fused kernel. Raises ImportError without Triton, or where this folder was copied without its sibling."""
    from ..triton_gpu import adabelief
    return adabelief


def on_cpu() -> ModuleType:
    """The fused step in C. Raises ImportError where this folder was copied without its sibling."""
    from ..c_cpu import adabelief
    return adabelief


class AdaBelief(RuleOptimizer):
    """AdaBelief: vision, GANs."""

    rule = UpdateRule(
        hypers=(
            Hyper("lr", at_least=0),
            Hyper("betas", ("beta1", "beta2"), at_least=0, below=1),
            Hyper("eps", at_least=0),
            Hyper("weight_decay", at_least=0),
        ),
        keys=("step", "exp_avg", "exp_avg_var"),
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
        eps: float = 1e-16,
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
