"""MARS. Written by optgen 0.1.0 (format 1) from rules/mars.py; do not edit.

    optgen build mars --backend torch

Yuan, Liu, Wu, Zhou & Gu, MARS: Unleashing the Power of Variance Reduction for Training Large Models, ICML 2025,
https://arxiv.org/abs/2411.10438, Algorithm 2: MARS-AdamW with the gradient of the last step. Numbers as
timm.optim.Mars with optimize_1d=True; the first step has no last gradient.

    c[t] = Piecewise((g[t], Eq(t, 1)), (g[t] + gamma*(beta1/(1 - beta1))*(g[t] - g_old[t - 1]), True))
    c_clip[t] = c[t]/Max(norm(c[t], elems), 1)
    m[t] = beta1*m[t - 1] + (1 - beta1)*c_clip[t]
    v[t] = beta2*v[t - 1] + (1 - beta2)*c_clip[t]**2
    g_old[t] = g[t]
    theta[t] = theta[t - 1] - lr*(m[t]/(1 - beta1**t)/(sqrt(v[t])/sqrt(1 - beta2**t) + eps) + weight_decay*theta[t -
        1])
"""

from __future__ import annotations

from types import ModuleType

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from ._runtime import Hyper, RuleOptimizer, Scalar, State, UpdateRule, choose, negated, sqrt


def states() -> dict[str, State]:
    """What is kept from step to step, by its key in a checkpoint."""
    kept: dict[str, State] = {}
    kept["exp_avg"] = State("m")
    kept["exp_avg_sq"] = State("v")
    kept["last_grad"] = State("g_old")
    return kept


def host(t: int, *, beta1: Scalar, beta2: Scalar, gamma: Scalar) -> dict[str, Scalar]:
    """Scalars of one step, computed once for all parameters that share them."""
    scalars: dict[str, Scalar] = {}
    t_eq_one = t == 1
    scalars["t_eq_one"] = t_eq_one
    scalars["gamma_beta1_over_one_minus_beta1"] = choose(
        negated(t_eq_one), lambda: gamma * (beta1 / (1 - beta1)), lambda: 0
    )
    scalars["one_minus_beta1"] = 1 - beta1
    scalars["one_minus_beta2"] = 1 - beta2
    scalars["inv_one_minus_beta1_t"] = 1 / (1 - beta1**t)
    scalars["inv_sqrt_one_minus_beta2_t"] = 1 / sqrt(1 - beta2**t)
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
    lr: Scalar,
    weight_decay: Scalar,
    gamma_beta1_over_one_minus_beta1: Scalar,
    t_eq_one: bool,
    one_minus_beta1: Scalar,
    one_minus_beta2: Scalar,
    inv_one_minus_beta1_t: Scalar,
    inv_sqrt_one_minus_beta2_t: Scalar,
) -> dict[str, Tensor]:
    """One step of one parameter, without side effects. All tensors have the compute dtype."""
    # c[t] = Piecewise((g[t], Eq(t, 1)), (g[t] + gamma*(beta1/(1 - beta1))*(g[t] - g_old[t - 1]), True))
    c = choose(t_eq_one, lambda: g, lambda: g + gamma_beta1_over_one_minus_beta1 * (g - g_old_prev))
    # c_clip[t] = c[t]/Max(norm(c[t], elems), 1)
    c_sq_sum = torch.sum(c * c)
    c_clip = c / torch.clamp(torch.sqrt(c_sq_sum), min=1)
    # m[t] = beta1*m[t - 1] + (1 - beta1)*c_clip[t]
    m = beta1 * m_prev + one_minus_beta1 * c_clip
    # v[t] = beta2*v[t - 1] + (1 - beta2)*c_clip[t]**2
    v = beta2 * v_prev + one_minus_beta2 * (c_clip * c_clip)
    # g_old[t] = g[t]
    g_old = g
    # theta[t] = theta[t - 1] - lr*(m[t]/(1 - beta1**t)/(sqrt(v[t])/sqrt(1 - beta2**t) + eps) +
    #     weight_decay*theta[t - 1])
    theta = theta_prev - lr * (
        m * inv_one_minus_beta1_t / (torch.sqrt(v) * inv_sqrt_one_minus_beta2_t + eps)
        + weight_decay * theta_prev
    )
    return {"param": theta, "exp_avg": m, "exp_avg_sq": v, "last_grad": g_old}


def on_gpu() -> ModuleType:
    """The fused kernel. Raises ImportError without Triton, or where this folder was copied without its sibling."""
    from ..triton_gpu import mars
    return mars


def on_cpu() -> ModuleType:
    """The fused step in C. Raises ImportError where this folder was copied without its sibling."""
    from ..c_cpu import mars
    return mars


class MARS(RuleOptimizer):
    """MARS: LLM training with noisy gradients."""

    rule = UpdateRule(
        hypers=(
            Hyper("lr", at_least=0),
            Hyper("betas", ("beta1", "beta2"), at_least=0, below=1),
            Hyper("eps", at_least=0),
            Hyper("weight_decay", at_least=0),
            Hyper("gamma"),
        ),
        keys=("step", "exp_avg", "exp_avg_sq", "last_grad"),
        states=states,
        host=host,
        updates=(update,),
        fused={"cuda": on_gpu, "cpu": on_cpu},
        elementwise=False,
    )

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 0.003,
        betas: tuple[float | Tensor, float | Tensor] = (0.9, 0.99),
        eps: float = 1e-08,
        weight_decay: float = 0,
        gamma: float = 0.025,
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
            "gamma": gamma,
            "foreach": foreach,
            "maximize": maximize,
            "capturable": capturable,
            "differentiable": differentiable,
            "fused": fused,
            "state_dtype": state_dtype,
        }
        super().__init__(params, defaults)
