"""LAMB. Written by optgen 0.1.0 (format 1) from rules/lamb.py; do not edit.

    optgen build lamb --backend torch

You, Li, Reddi, Hseu, Kumar, Bhojanapalli, Song, Demmel, Keutzer & Hsieh, Large Batch Optimization for Deep
Learning: Training BERT in 76 minutes, ICLR 2020, https://arxiv.org/abs/1904.00962, Algorithm 2. Numbers as
timm.optim.Lamb: the norm of all gradients together is limited, and nothing is adapted where weight_decay is 0.
max_grad_norm=inf limits nothing.

    G[t] = norm(g[t], model)
    g_clip[t] = g[t]/Max(1, G[t]/max_grad_norm)
    m[t] = beta1*m[t - 1] + (1 - beta1)*g_clip[t]
    v[t] = beta2*v[t - 1] + (1 - beta2)*g_clip[t]**2
    u[t] = m[t]/(1 - beta1**t)/(sqrt(v[t])/sqrt(1 - beta2**t) + eps) + weight_decay*theta[t - 1]
    w_norm[t] = norm(theta[t - 1], elems)
    u_norm[t] = norm(u[t], elems)
    r[t] = Piecewise((w_norm[t]/u_norm[t], (u_norm[t] > 0) & (w_norm[t] > 0)), (1, True))
    theta[t] = theta[t - 1] - Piecewise((lr*r[t]*u[t], always_adapt | Ne(weight_decay, 0)), (lr*u[t], True))
"""

from __future__ import annotations

from types import ModuleType

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from ._runtime import Hyper, RuleOptimizer, Scalar, State, UpdateRule, sqrt, total


def states() -> dict[str, State]:
    """What is kept from step to step, by its key in a checkpoint."""
    kept: dict[str, State] = {}
    kept["exp_avg"] = State("m")
    kept["exp_avg_sq"] = State("v")
    return kept


def host(t: int, *, beta1: Scalar, beta2: Scalar, max_grad_norm: Scalar) -> dict[str, Scalar]:
    """Scalars of one step, computed once for all parameters that share them."""
    scalars: dict[str, Scalar] = {}
    scalars["inv_max_grad_norm"] = 1 / max_grad_norm
    scalars["one_minus_beta1"] = 1 - beta1
    scalars["one_minus_beta2"] = 1 - beta2
    scalars["inv_one_minus_beta1_t"] = 1 / (1 - beta1**t)
    scalars["inv_sqrt_one_minus_beta2_t"] = 1 / sqrt(1 - beta2**t)
    return scalars


def update_1(theta_prev: Tensor, g: Tensor) -> dict[str, Tensor]:
    """What one parameter gives to the values common to all. All tensors have the compute dtype."""
    # G[t] = norm(g[t], model)
    g_sq_sum = torch.sum(g * g)
    return {"g_sq_sum": g_sq_sum}


def update_2(
    theta_prev: Tensor,
    g: Tensor,
    *,
    m_prev: Tensor,
    v_prev: Tensor,
    g_sq_sum: Tensor,
    beta1: Scalar,
    beta2: Scalar,
    eps: Scalar,
    weight_decay: Scalar,
    lr: Scalar,
    always_adapt: bool,
    inv_max_grad_norm: Scalar,
    one_minus_beta1: Scalar,
    one_minus_beta2: Scalar,
    inv_one_minus_beta1_t: Scalar,
    inv_sqrt_one_minus_beta2_t: Scalar,
) -> dict[str, Tensor]:
    """One step of one parameter, without side effects. All tensors have the compute dtype."""
    # G[t] = norm(g[t], model)
    G = torch.sqrt(g_sq_sum)
    # g_clip[t] = g[t]/Max(1, G[t]/max_grad_norm)
    g_clip = g / torch.clamp(G * inv_max_grad_norm, min=1)
    # m[t] = beta1*m[t - 1] + (1 - beta1)*g_clip[t]
    m = beta1 * m_prev + one_minus_beta1 * g_clip
    # v[t] = beta2*v[t - 1] + (1 - beta2)*g_clip[t]**2
    v = beta2 * v_prev + one_minus_beta2 * (g_clip * g_clip)
    # u[t] = m[t]/(1 - beta1**t)/(sqrt(v[t])/sqrt(1 - beta2**t) + eps) + weight_decay*theta[t - 1]
    u = (
        m * inv_one_minus_beta1_t / (torch.sqrt(v) * inv_sqrt_one_minus_beta2_t + eps)
        + weight_decay * theta_prev
    )
    if weight_decay != 0 or always_adapt:
        # w_norm[t] = norm(theta[t - 1], elems)
        theta_prev_sq_sum = torch.sum(theta_prev * theta_prev)
        w_norm = torch.sqrt(theta_prev_sq_sum)
        # u_norm[t] = norm(u[t], elems)
        u_sq_sum = torch.sum(u * u)
        u_norm = torch.sqrt(u_sq_sum)
        # r[t] = Piecewise((w_norm[t]/u_norm[t], (u_norm[t] > 0) & (w_norm[t] > 0)), (1, True))
        r = torch.where((u_norm > 0) & (w_norm > 0), w_norm / u_norm, 1)
    # theta[t] = theta[t - 1] - Piecewise((lr*r[t]*u[t], always_adapt | Ne(weight_decay, 0)), (lr*u[t],
    #     True))
    if weight_decay != 0 or always_adapt:
        theta = theta_prev - lr * r * u
    else:
        theta = theta_prev - lr * u
    return {"param": theta, "exp_avg": m, "exp_avg_sq": v}


def on_gpu() -> ModuleType:
    """The fused kernel. Raises ImportError without Triton, or where this folder was copied without its sibling."""
    from ..triton_gpu import lamb
    return lamb


def on_cpu() -> ModuleType:
    """The fused step in C. Raises ImportError where this folder was copied without its sibling."""
    from ..c_cpu import lamb
    return lamb


class LAMB(RuleOptimizer):
    """LAMB: large batches."""

    rule = UpdateRule(
        hypers=(
            Hyper("lr", at_least=0),
            Hyper("betas", ("beta1", "beta2"), at_least=0, below=1),
            Hyper("eps", at_least=0),
            Hyper("weight_decay", at_least=0),
            Hyper("max_grad_norm", above=0),
            Hyper("always_adapt", flag=True),
        ),
        keys=("step", "exp_avg", "exp_avg_sq"),
        states=states,
        host=host,
        updates=(update_1, update_2),
        combine={"g_sq_sum": total},
        fused={"cuda": on_gpu, "cpu": on_cpu},
        elementwise=False,
    )

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 0.001,
        betas: tuple[float | Tensor, float | Tensor] = (0.9, 0.999),
        eps: float = 1e-06,
        weight_decay: float = 0.01,
        max_grad_norm: float = 1.0,
        always_adapt: bool = False,
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
            "max_grad_norm": max_grad_norm,
            "always_adapt": always_adapt,
            "foreach": foreach,
            "maximize": maximize,
            "capturable": capturable,
            "differentiable": differentiable,
            "fused": fused,
            "state_dtype": state_dtype,
        }
        super().__init__(params, defaults)
