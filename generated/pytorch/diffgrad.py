"""DiffGrad. Written by optgen 0.1.0 (format 1) from rules/diffgrad.py; do not edit.

    optgen build diffgrad --backend torch

Dubey, Chakraborty, Roy, Mukherjee, Singh & Chaudhuri, diffGrad: An Optimization Method for Convolutional Neural
Networks, IEEE TNNLS 31(11), 2020, https://arxiv.org/abs/1909.11015, equations 9 to 12. Numbers as
pytorch_optimizer.DiffGrad, which adds 1e-15 to v.

    m[t] = beta1*m[t - 1] + (1 - beta1)*g[t]
    v[t] = beta2*v[t - 1] + (1 - beta2)*g[t]**2
    xi[t] = 1/(1 + exp(-Abs(g_old[t - 1] - g[t])))
    g_old[t] = g[t]
    theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr*sqrt(1 - beta2**t)/(1 - beta1**t)*(xi[t]*m[t]/(sqrt(v[t] +
        1.0e-15) + eps))
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
    kept["exp_avg_sq"] = State("v")
    kept["previous_grad"] = State("g_old")
    return kept


def host(t: int, *, lr: Scalar, beta1: Scalar, beta2: Scalar, weight_decay: Scalar) -> dict[str, Scalar]:
    """Scalars of one step, computed once for all parameters that share them."""
    scalars: dict[str, Scalar] = {}
    scalars["one_minus_beta1"] = 1 - beta1
    scalars["one_minus_beta2"] = 1 - beta2
    scalars["one_minus_lr_weight_decay"] = 1 - lr * weight_decay
    scalars["theta_scale"] = lr * sqrt(1 - beta2**t) / (1 - beta1**t)
    return scalars


def update(
    theta_prev: Tensor,
    g: Tensor,
    *,
    m_prev: Tensor,
    v_prev: Tensor,
    g_old_prev: Tensor,
    beta1: Scalar,
    beta2: Scalar,
    eps: Scalar,
    one_minus_beta1: Scalar,
    one_minus_beta2: Scalar,
    one_minus_lr_weight_decay: Scalar,
    theta_scale: Scalar,
) -> dict[str, Tensor]:
    """One step of one parameter, without side effects. All tensors have the compute dtype."""
    # m[t] = beta1*m[t - 1] + (1 - beta1)*g[t]
    m = beta1 * m_prev + one_minus_beta1 * g
    # v[t] = beta2*v[t - 1] + (1 - beta2)*g[t]**2
    v = beta2 * v_prev + one_minus_beta2 * (g * g)
    # xi[t] = 1/(1 + exp(-Abs(g_old[t - 1] - g[t])))
    xi = 1 / (1 + torch.exp(-torch.abs(g_old_prev - g)))
    # g_old[t] = g[t]
    g_old = g
    # theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr*sqrt(1 - beta2**t)/(1 -
    #     beta1**t)*(xi[t]*m[t]/(sqrt(v[t] + 1.0e-15) + eps))
    theta = theta_prev * one_minus_lr_weight_decay - theta_scale * (xi * m / (torch.sqrt(v + 1e-15) + eps))
    return {"param": theta, "exp_avg": m, "exp_avg_sq": v, "previous_grad": g_old}


def on_gpu() -> ModuleType:
    """The fused kernel. Raises ImportError without Triton, or where this folder was copied without its sibling."""
    from ..triton_gpu import diffgrad
    return diffgrad


def on_cpu() -> ModuleType:
    """The fused step in C. Raises ImportError where this folder was copied without its sibling."""
    from ..c_cpu import diffgrad
    return diffgrad


class DiffGrad(RuleOptimizer):
    """DiffGrad: vision."""

    rule = UpdateRule(
        hypers=(
            Hyper("lr", at_least=0),
            Hyper("betas", ("beta1", "beta2"), at_least=0, below=1),
            Hyper("eps", at_least=0),
            Hyper("weight_decay", at_least=0),
        ),
        keys=("step", "exp_avg", "exp_avg_sq", "previous_grad"),
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
