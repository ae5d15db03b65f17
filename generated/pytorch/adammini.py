"""AdamMini. Written by optgen 0.1.0 (format 1) from rules/adammini.py; do not edit.

    optgen build adammini --backend torch

Zhang, Chen, Li, Ding, Wu, Kingma, Ye, Luo & Sun, Adam-mini: Use Fewer Learning Rates To Gain More, ICLR 2025,
https://arxiv.org/abs/2406.16793, Algorithm 1, with a block for each row of a matrix and one for any other tensor.
Numbers as adam_mini.Adam_mini for MLPs, values, projections, embeddings, outputs and normalisation; it has a block
for each head of queries and keys, and for each element of a bias.

    m[t] = beta1*m[t - 1] + (1 - beta1)*g[t]
    v[t] = beta2*v[t - 1] + (1 - beta2)*mean(g[t]**2, cols)
    theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr/(1 - beta1**t)/(sqrt(v[t])/sqrt(1 - beta2**t) + eps)*m[t]
    and for parameters of other shapes, as another rule:
    m[t] = beta1*m[t - 1] + (1 - beta1)*g[t]
    v[t] = beta2*v[t - 1] + (1 - beta2)*mean(g[t]**2, elems)
    theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr/(1 - beta1**t)/(sqrt(v[t])/sqrt(1 - beta2**t) + eps)*m[t]
"""

from __future__ import annotations

from types import ModuleType

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from ._runtime import Hyper, RuleOptimizer, Scalar, State, UpdateRule, per_row, per_tensor, sqrt


def states() -> dict[str, State]:
    """What is kept from step to step, by its key in a checkpoint."""
    kept: dict[str, State] = {}
    kept["m"] = State("m")
    kept["vmean"] = State("v", shape=per_row)
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
    # v[t] = beta2*v[t - 1] + (1 - beta2)*mean(g[t]**2, cols)
    g_sq_mean = torch.mean(g * g, dim=-1, keepdim=True)
    v = beta2 * v_prev + one_minus_beta2 * g_sq_mean
    # theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr/(1 - beta1**t)/(sqrt(v[t])/sqrt(1 - beta2**t) +
    #     eps)*m[t]
    theta = (
        theta_prev * one_minus_lr_weight_decay
        - torch.div(lr_over_one_minus_beta1_t, torch.sqrt(v) * inv_sqrt_one_minus_beta2_t + eps) * m
    )
    return {"param": theta, "m": m, "vmean": v}


def states_otherwise() -> dict[str, State]:
    """What is kept from step to step, by its key in a checkpoint."""
    kept: dict[str, State] = {}
    kept["m"] = State("m")
    kept["vmean"] = State("v", shape=per_tensor)
    return kept


def update_otherwise(
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
    # v[t] = beta2*v[t - 1] + (1 - beta2)*mean(g[t]**2, elems)
    g_sq_mean = torch.mean(g * g)
    v = beta2 * v_prev + one_minus_beta2 * g_sq_mean
    # theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr/(1 - beta1**t)/(sqrt(v[t])/sqrt(1 - beta2**t) +
    #     eps)*m[t]
    theta = (
        theta_prev * one_minus_lr_weight_decay
        - torch.div(lr_over_one_minus_beta1_t, torch.sqrt(v) * inv_sqrt_one_minus_beta2_t + eps) * m
    )
    return {"param": theta, "m": m, "vmean": v}


def on_gpu() -> ModuleType:
    """The fused kernel. Raises ImportError without Triton, or where this folder was copied without its sibling."""
    from ..triton_gpu import adammini
    return adammini


def on_gpu_otherwise() -> ModuleType:
    """The fused kernel. Raises ImportError without Triton, or where this folder was copied without its sibling."""
    from ..triton_gpu import adammini_otherwise
    return adammini_otherwise


def on_cpu() -> ModuleType:
    """The fused step in C. Raises ImportError where this folder was copied without its sibling."""
    from ..c_cpu import adammini
    return adammini


def on_cpu_otherwise() -> ModuleType:
    """The fused step in C. Raises ImportError where this folder was copied without its sibling."""
    from ..c_cpu import adammini_otherwise
    return adammini_otherwise


class AdamMini(RuleOptimizer):
    """AdamMini: LLM training with one state."""

    rule = UpdateRule(
        hypers=(
            Hyper("lr", at_least=0),
            Hyper("betas", ("beta1", "beta2"), at_least=0, below=1),
            Hyper("eps", at_least=0),
            Hyper("weight_decay", at_least=0),
        ),
        keys=("step", "m", "vmean"),
        states=states,
        host=host,
        updates=(update,),
        fused={"cuda": on_gpu, "cpu": on_cpu},
        elementwise=False,
        min_ndim=2,
        otherwise=UpdateRule(
            hypers=(),
            keys=("step", "m", "vmean"),
            states=states_otherwise,
            host=host,
            updates=(update_otherwise,),
            fused={"cuda": on_gpu_otherwise, "cpu": on_cpu_otherwise},
            elementwise=False,
        ),
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
