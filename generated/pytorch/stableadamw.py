"""StableAdamW. Written by optgen 0.1.0 (format 1) from rules/stableadamw.py; do not edit.

    optgen build stableadamw --backend torch

Wortsman, Dettmers, Zettlemoyer, Morcos, Farhadi & Schmidt, Stable and low-precision training for large-scale
vision-language models, NeurIPS 2023, https://arxiv.org/abs/2304.13013, Algorithm 2. Numbers as
pytorch_optimizer.StableAdamW.

    h1[t] = beta1*(1 - beta1**(t - 1))/(1 - beta1**t)
    h2[t] = beta2*(1 - beta2**(t - 1))/(1 - beta2**t)
    m[t] = h1[t]*m[t - 1] + (1 - h1[t])*g[t]
    v[t] = h2[t]*v[t - 1] + (1 - h2[t])*g[t]**2
    rms_t[t] = sqrt(mean(g[t]**2/Max(v[t], eps**2), elems))
    eta[t] = lr/Max(1, rms_t[t])
    theta[t] = theta[t - 1]*(1 - eta[t]*weight_decay) - eta[t]*(m[t]/(sqrt(v[t]) + eps))
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
    kept["exp_avg_sq"] = State("v")
    return kept


def host(t: int, *, beta1: Scalar, beta2: Scalar, eps: Scalar) -> dict[str, Scalar]:
    """Scalars of one step, computed once for all parameters that share them."""
    scalars: dict[str, Scalar] = {}
    h1 = beta1 * (1 - beta1**(t - 1)) / (1 - beta1**t)
    scalars["h1"] = h1
    h2 = beta2 * (1 - beta2**(t - 1)) / (1 - beta2**t)
    scalars["h2"] = h2
    scalars["one_minus_h1"] = 1 - h1
    scalars["one_minus_h2"] = 1 - h2
    scalars["rms_t_mean_scale"] = eps**2
    return scalars


def update(
    theta_prev: Tensor,
    g: Tensor,
    *,
    m_prev: Tensor,
    v_prev: Tensor,
    lr: Scalar,
    eps: Scalar,
    weight_decay: Scalar,
    h1: Scalar,
    one_minus_h1: Scalar,
    h2: Scalar,
    one_minus_h2: Scalar,
    rms_t_mean_scale: Scalar,
) -> dict[str, Tensor]:
    """One step of one parameter, without side effects. All tensors have the compute dtype."""
    # m[t] = h1[t]*m[t - 1] + (1 - h1[t])*g[t]
    m = h1 * m_prev + one_minus_h1 * g
    # v[t] = h2[t]*v[t - 1] + (1 - h2[t])*g[t]**2
    v = h2 * v_prev + one_minus_h2 * (g * g)
    # rms_t[t] = sqrt(mean(g[t]**2/Max(v[t], eps**2), elems))
    rms_t_mean = torch.mean(g * g / torch.clamp(v, min=rms_t_mean_scale))
    rms_t = torch.sqrt(rms_t_mean)
    # eta[t] = lr/Max(1, rms_t[t])
    eta = torch.div(lr, torch.clamp(rms_t, min=1))
    # theta[t] = theta[t - 1]*(1 - eta[t]*weight_decay) - eta[t]*(m[t]/(sqrt(v[t]) + eps))
    theta = theta_prev * (1 - eta * weight_decay) - eta * (m / (torch.sqrt(v) + eps))
    return {"param": theta, "exp_avg": m, "exp_avg_sq": v}


def on_gpu() -> ModuleType:
    """The fused kernel. Raises ImportError without Triton, or where this folder was copied without its sibling."""
    from ..triton_gpu import stableadamw
    return stableadamw


def on_cpu() -> ModuleType:
    """The fused step in C. Raises ImportError where this folder was copied without its sibling."""
    from ..c_cpu import stableadamw
    return stableadamw


class StableAdamW(RuleOptimizer):
    """StableAdamW: training in low precision, without gradient clipping."""

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
        betas: tuple[float | Tensor, float | Tensor] = (0.9, 0.99),
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
