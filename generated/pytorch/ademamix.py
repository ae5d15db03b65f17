"""AdEMAMix. Written by optgen 0.1.0 (format 1) from rules/ademamix.py; do not edit.

    optgen build ademamix --backend torch

Pagliardini, Ablin & Grangier, The AdEMAMix Optimizer: Better, Faster, Older, ICLR 2025,
https://arxiv.org/abs/2409.03137, Algorithm 1. Numbers as pytorch_optimizer.AdEMAMix(weight_decouple=True).

    A[t] = Piecewise((Min(t*alpha/t_alpha_beta3, alpha), t_alpha_beta3 > 0), (alpha, True))
    B[t] = Piecewise((Min(exp(log(beta1)*log(beta3)/((1 - t/t_alpha_beta3)*log(beta3) +
        t/t_alpha_beta3*log(beta1))), beta3), t_alpha_beta3 > 0), (beta3, True))
    m[t] = beta1*m[t - 1] + (1 - beta1)*g[t]
    v[t] = beta2*v[t - 1] + (1 - beta2)*g[t]**2
    m_slow[t] = B[t]*m_slow[t - 1] + (1 - B[t])*g[t]
    theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr*((m[t]/(1 - beta1**t) + A[t]*m_slow[t])/(sqrt(v[t])/sqrt(1 -
        beta2**t) + eps))
"""

from __future__ import annotations

from types import ModuleType

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from ._runtime import Hyper, RuleOptimizer, Scalar, State, UpdateRule, exp, log, minimum, sqrt


def states() -> dict[str, State]:
    """What is kept from step to step, by its key in a checkpoint."""
    kept: dict[str, State] = {}
    kept["exp_avg"] = State("m")
    kept["exp_avg_sq"] = State("v")
    kept["exp_avg_slow"] = State("m_slow")
    return kept


def host(
    t: int,
    *,
    lr: Scalar,
    beta1: Scalar,
    beta2: Scalar,
    beta3: Scalar,
    alpha: Scalar,
    t_alpha_beta3: Scalar,
    weight_decay: Scalar,
) -> dict[str, Scalar]:
    """Scalars of one step, computed once for all parameters that share them."""
    scalars: dict[str, Scalar] = {}
    if t_alpha_beta3 > 0:
        scalars["A"] = minimum(t * alpha / t_alpha_beta3, alpha)
        B = minimum(
            exp(log(beta1) * log(beta3) / ((1 - t / t_alpha_beta3) * log(beta3) + t / t_alpha_beta3 *
            log(beta1))), beta3
        )
    else:
        scalars["A"] = alpha
        B = beta3
    scalars["B"] = B
    scalars["one_minus_beta1"] = 1 - beta1
    scalars["one_minus_beta2"] = 1 - beta2
    scalars["one_minus_B"] = 1 - B
    scalars["one_minus_lr_weight_decay"] = 1 - lr * weight_decay
    scalars["inv_one_minus_beta1_t"] = 1 / (1 - beta1**t)
    scalars["inv_sqrt_one_minus_beta2_t"] = 1 / sqrt(1 - beta2**t)
    return scalars


def update(
    theta_prev: Tensor,
    g: Tensor,
    *,
    m_prev: Tensor,
    v_prev: Tensor,
    m_slow_prev: Tensor,
    beta1: Scalar,
    beta2: Scalar,
    eps: Scalar,
    lr: Scalar,
    one_minus_beta1: Scalar,
    one_minus_beta2: Scalar,
    B: Scalar,
    one_minus_B: Scalar,
    A: Scalar,
    inv_one_minus_beta1_t: Scalar,
    inv_sqrt_one_minus_beta2_t: Scalar,
    one_minus_lr_weight_decay: Scalar,
) -> dict[str, Tensor]:
    """One step of one parameter, without side effects. All tensors have the compute dtype."""
    # m[t] = beta1*m[t - 1] + (1 - beta1)*g[t]
    m = beta1 * m_prev + one_minus_beta1 * g
    # v[t] = beta2*v[t - 1] + (1 - beta2)*g[t]**2
    v = beta2 * v_prev + one_minus_beta2 * (g * g)
    # m_slow[t] = B[t]*m_slow[t - 1] + (1 - B[t])*g[t]
    m_slow = B * m_slow_prev + one_minus_B * g
    # theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr*((m[t]/(1 - beta1**t) +
    #     A[t]*m_slow[t])/(sqrt(v[t])/sqrt(1 - beta2**t) + eps))
    theta = (
        theta_prev * one_minus_lr_weight_decay
        - lr * ((m * inv_one_minus_beta1_t + A * m_slow) / (torch.sqrt(v) * inv_sqrt_one_minus_beta2_t + eps))
    )
    return {"param": theta, "exp_avg": m, "exp_avg_sq": v, "exp_avg_slow": m_slow}


def on_gpu() -> ModuleType:
    """The fused kernel. Raises ImportError without Triton, or where this folder was copied without its sibling."""
    from ..triton_gpu import ademamix
    return ademamix


def on_cpu() -> ModuleType:
    """The fused step in C. Raises ImportError where this folder was copied without its sibling."""
    from ..c_cpu import ademamix
    return ademamix


class AdEMAMix(RuleOptimizer):
    """AdEMAMix: LLM training over many tokens."""

    rule = UpdateRule(
        hypers=(
            Hyper("lr", at_least=0),
            Hyper("betas", ("beta1", "beta2", "beta3"), at_least=0, below=1),
            Hyper("alpha", at_least=0),
            Hyper("t_alpha_beta3", at_least=0),
            Hyper("eps", at_least=0),
            Hyper("weight_decay", at_least=0),
        ),
        keys=("step", "exp_avg", "exp_avg_sq", "exp_avg_slow"),
        states=states,
        host=host,
        updates=(update,),
        fused={"cuda": on_gpu, "cpu": on_cpu},
    )

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 0.001,
        betas: tuple[float | Tensor, float | Tensor, float | Tensor] = (0.9, 0.999, 0.9999),
        alpha: float = 5.0,
        t_alpha_beta3: float = 0,
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
            "alpha": alpha,
            "t_alpha_beta3": t_alpha_beta3,
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
