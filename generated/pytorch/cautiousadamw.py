"""CautiousAdamW. Written by optgen 0.1.0 (format 1) from rules/cautiousadamw.py; do not edit.

    optgen build cautiousadamw --backend torch

Liang, Chen, Liu & Liu, Cautious Optimizers: Improving Training with One Line of Code, 2024,
https://arxiv.org/abs/2411.16085, Algorithm 1 on AdamW. Numbers as timm.optim.AdamWLegacy with caution=True.

    m[t] = beta1*m[t - 1] + (1 - beta1)*g[t]
    v[t] = beta2*v[t - 1] + (1 - beta2)*g[t]**2
    phi[t] = Piecewise((1, m[t]*g[t] > 0), (0, True))
    k[t] = phi[t]/Max(mean(phi[t], elems), 0.001)
    theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr/(1 - beta1**t)*(k[t]*m[t]/(sqrt(v[t])/sqrt(1 - beta2**t) +
        eps))
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
    v_prev: Tensor,
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
    # v[t] = beta2*v[t - 1] + (1 - beta2)*g[t]**2
    v = beta2 * v_prev + one_minus_beta2 * (g * g)
    # phi[t] = Piecewise((1, m[t]*g[t] > 0), (0, True))
    phi = torch.where(m * g > 0, 1, torch.full_like(g, 0))
    # k[t] = phi[t]/Max(mean(phi[t], elems), 0.001)
    phi_mean = torch.mean(phi)
    k = phi / torch.clamp(phi_mean, min=0.001)
    # theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr/(1 - beta1**t)*(k[t]*m[t]/(sqrt(v[t])/sqrt(1 -
    #     beta2**t) + eps))
    theta = (
        theta_prev * one_minus_lr_weight_decay
        - lr_over_one_minus_beta1_t * (k * m / (torch.sqrt(v) * inv_sqrt_one_minus_beta2_t + eps))
    )
    return {"param": theta, "exp_avg": m, "exp_avg_sq": v}


def on_gpu() -> ModuleType:
    """The fused kernel. Raises ImportError without Triton, or where this folder was copied without its sibling."""
    from ..triton_gpu import cautiousadamw
    return cautiousadamw


def on_cpu() -> ModuleType:
    """The fused step in C. Raises ImportError where this folder was copied without its sibling."""
    from ..c_cpu import cautiousadamw
    return cautiousadamw


class CautiousAdamW(RuleOptimizer):
    """CautiousAdamW: LLM training, wherever AdamW is."""

    rule = UpdateRule(
        hypers=(
            Hyper("lr", at_least=0),
            Hyper("betas", ("beta1", "beta2"), at_least=0, below=1),
            Hyper("eps", at_least=0),
            Hyper("weight_decay", at_least=0),
        ),
        keys=("step", "exp_avg", "exp_avg_sq"),
        states=states,
        host=host,
        updates=(update,),
        fused={"cuda": on_gpu, "cpu": on_cpu},
        elementwise=False,
    )

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 0.001,
        betas: tuple[float | Tensor, float | Tensor] = (0.9, 0.999),
        eps: float = 1e-08,
        weight_decay: float = 0.01,
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
