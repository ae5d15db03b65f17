"""Adam. Written by optgen 0.1.0 (format 1) from rules/adam.py; do not edit.

    optgen build adam --backend torch

Kingma & Ba, Adam: A Method for Stochastic Optimization, ICLR 2015. https://arxiv.org/abs/1412.6980, Algorithm 1;
amsgrad: Reddi, Kale & Kumar, On the Convergence of Adam and Beyond, ICLR 2018, https://arxiv.org/abs/1904.09237.
Numbers as torch.optim.Adam.

    g_wd[t] = Piecewise((g[t] + weight_decay*theta[t - 1], ~decoupled_weight_decay & Ne(weight_decay, 0)), (g[t],
        True))
    theta_wd[t] = Piecewise((theta[t - 1]*(1 - lr*weight_decay), decoupled_weight_decay), (theta[t - 1], True))
    m[t] = beta1*m[t - 1] + (1 - beta1)*g_wd[t]
    v[t] = beta2*v[t - 1] + (1 - beta2)*g_wd[t]**2
    v_max[t] = Max(v_max[t - 1], v[t])
    m_hat[t] = m[t]/(1 - beta1**t)
    v_hat[t] = Piecewise((v_max[t], amsgrad), (v[t], True))/(1 - beta2**t)
    theta[t] = theta_wd[t] - lr*m_hat[t]/(sqrt(v_hat[t]) + eps)
"""

from __future__ import annotations

from types import ModuleType

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from ._runtime import Hyper, RuleOptimizer, Scalar, State, UpdateRule


def states(*, amsgrad: bool) -> dict[str, State]:
    """What is kept from step to step, by its key in a checkpoint."""
    kept: dict[str, State] = {}
    kept["exp_avg"] = State("m")
    kept["exp_avg_sq"] = State("v")
    if amsgrad:
        kept["max_exp_avg_sq"] = State("v_max")
    return kept


def host(
    t: int,
    *,
    lr: Scalar,
    beta1: Scalar,
    beta2: Scalar,
    weight_decay: Scalar,
    decoupled_weight_decay: bool,
) -> dict[str, Scalar]:
    """Scalars of one step, computed once for all parameters that share them."""
    scalars: dict[str, Scalar] = {}
    if decoupled_weight_decay:
        scalars["one_minus_lr_weight_decay"] = 1 - lr * weight_decay
    scalars["one_minus_beta1"] = 1 - beta1
    scalars["one_minus_beta2"] = 1 - beta2
    scalars["inv_one_minus_beta1_t"] = 1 / (1 - beta1**t)
    scalars["inv_one_minus_beta2_t"] = 1 / (1 - beta2**t)
    return scalars


def update(
    theta_prev: Tensor,
    g: Tensor,
    *,
    m_prev: Tensor,
    v_prev: Tensor,
    v_max_prev: Tensor | None = None,
    beta1: Scalar,
    beta2: Scalar,
    eps: Scalar,
    lr: Scalar,
    weight_decay: Scalar,
    amsgrad: bool,
    decoupled_weight_decay: bool,
    one_minus_beta1: Scalar,
    one_minus_beta2: Scalar,
    inv_one_minus_beta1_t: Scalar,
    inv_one_minus_beta2_t: Scalar,
    one_minus_lr_weight_decay: Scalar = 0.0,
) -> dict[str, Tensor]:
    """One step of one parameter, without side effects. All tensors have the compute dtype."""
    # g_wd[t] = Piecewise((g[t] + weight_decay*theta[t - 1], ~decoupled_weight_decay & Ne(weight_decay, 0)),
    #     (g[t], True))
    if decoupled_weight_decay or weight_decay == 0:
        g_wd = g
    else:
        g_wd = g + weight_decay * theta_prev
    # theta_wd[t] = Piecewise((theta[t - 1]*(1 - lr*weight_decay), decoupled_weight_decay), (theta[t - 1],
    #     True))
    if decoupled_weight_decay:
        theta_wd = theta_prev * one_minus_lr_weight_decay
    else:
        theta_wd = theta_prev
    # m[t] = beta1*m[t - 1] + (1 - beta1)*g_wd[t]
    m = beta1 * m_prev + one_minus_beta1 * g_wd
    # v[t] = beta2*v[t - 1] + (1 - beta2)*g_wd[t]**2
    v = beta2 * v_prev + one_minus_beta2 * (g_wd * g_wd)
    if amsgrad:
        # v_max[t] = Max(v_max[t - 1], v[t])
        v_max = torch.maximum(v_max_prev, v)
    # m_hat[t] = m[t]/(1 - beta1**t)
    m_hat = m * inv_one_minus_beta1_t
    # v_hat[t] = Piecewise((v_max[t], amsgrad), (v[t], True))/(1 - beta2**t)
    if amsgrad:
        v_hat = v_max * inv_one_minus_beta2_t
    else:
        v_hat = v * inv_one_minus_beta2_t
    # theta[t] = theta_wd[t] - lr*m_hat[t]/(sqrt(v_hat[t]) + eps)
    theta = theta_wd - lr * m_hat / (torch.sqrt(v_hat) + eps)
    new = {"param": theta, "exp_avg": m, "exp_avg_sq": v}
    if amsgrad:
        new["max_exp_avg_sq"] = v_max
    return new


def on_gpu() -> ModuleType:
    """The fused kernel. Raises ImportError without Triton, or where this folder was copied without its sibling."""
    from ..triton_gpu import adam
    return adam


def on_cpu() -> ModuleType:
    """The fused step in C. Raises ImportError where this folder was copied without its sibling."""
    from ..c_cpu import adam
    return adam


class Adam(RuleOptimizer):
    """Adam: most deep learning."""

    rule = UpdateRule(
        hypers=(
            Hyper("lr", at_least=0),
            Hyper("betas", ("beta1", "beta2"), at_least=0, below=1),
            Hyper("eps", at_least=0),
            Hyper("weight_decay", at_least=0),
            Hyper("amsgrad", flag=True),
            Hyper("decoupled_weight_decay", flag=True),
        ),
        keys=("step", "exp_avg", "exp_avg_sq", "max_exp_avg_sq"),
        states=states,
        host=host,
        updates=(update,),
        fused={"cuda": on_gpu, "cpu": on_cpu},
        sparse_refusal="Adam does not support sparse gradients, please consider SparseAdam instead",
    )

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 0.001,
        betas: tuple[float | Tensor, float | Tensor] = (0.9, 0.999),
        eps: float = 1e-08,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        decoupled_weight_decay: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "amsgrad": amsgrad,
            "foreach": foreach,
            "maximize": maximize,
            "capturable": capturable,
            "differentiable": differentiable,
            "fused": fused,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, defaults)
