"""QHAdam. Written by optgen 0.1.0 (format 1) from rules/qhadam.py; do not edit.

    optgen build qhadam --backend torch

Ma & Yarats, Quasi-hyperbolic momentum and Adam for deep learning, ICLR 2019, https://arxiv.org/abs/1810.06801,
equations 17 to 20. Numbers as pytorch_optimizer.QHAdam with weight_decouple=True.

    w1[t] = beta1*w1[t - 1] + 1
    w2[t] = beta2*w2[t - 1] + 1
    m[t] = m[t - 1] + (g[t] - m[t - 1])/w1[t]
    v[t] = v[t - 1] + (g[t]**2 - v[t - 1])/w2[t]
    u[t] = nu1*m[t] + (1 - nu1)*g[t]
    s[t] = nu2*v[t] + (1 - nu2)*g[t]**2
    theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr*(u[t]/(sqrt(s[t]) + eps))
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
    kept["beta1_weight"] = State("w1", host=True)
    kept["beta2_weight"] = State("w2", host=True)
    kept["exp_avg"] = State("m")
    kept["exp_avg_sq"] = State("v")
    return kept


def host(
    *,
    lr: Scalar,
    beta1: Scalar,
    beta2: Scalar,
    nu1: Scalar,
    nu2: Scalar,
    weight_decay: Scalar,
    w1_prev: Scalar = 0.0,
    w2_prev: Scalar = 0.0,
) -> dict[str, Scalar]:
    """Scalars of one step, computed once for all parameters that share them."""
    scalars: dict[str, Scalar] = {}
    w1 = beta1 * w1_prev + 1
    scalars["w1"] = w1
    w2 = beta2 * w2_prev + 1
    scalars["w2"] = w2
    scalars["inv_w1"] = 1 / w1
    scalars["inv_w2"] = 1 / w2
    scalars["one_minus_nu1"] = 1 - nu1
    scalars["one_minus_nu2"] = 1 - nu2
    scalars["one_minus_lr_weight_decay"] = 1 - lr * weight_decay
    return scalars


def update(
    theta_prev: Tensor,
    g: Tensor,
    *,
    m_prev: Tensor,
    v_prev: Tensor,
    nu1: Scalar,
    nu2: Scalar,
    eps: Scalar,
    lr: Scalar,
    inv_w1: Scalar,
    inv_w2: Scalar,
    one_minus_nu1: Scalar,
    one_minus_nu2: Scalar,
    one_minus_lr_weight_decay: Scalar,
) -> dict[str, Tensor]:
    """One step of one parameter, without side effects. All tensors have the compute dtype."""
    # m[t] = m[t - 1] + (g[t] - m[t - 1])/w1[t]
    m = m_prev + (g - m_prev) * inv_w1
    # v[t] = v[t - 1] + (g[t]**2 - v[t - 1])/w2[t]
    v = v_prev + (g * g - v_prev) * inv_w2
    # u[t] = nu1*m[t] + (1 - nu1)*g[t]
    u = nu1 * m + one_minus_nu1 * g
    # s[t] = nu2*v[t] + (1 - nu2)*g[t]**2
    s = nu2 * v + one_minus_nu2 * (g * g)
    # theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr*(u[t]/(sqrt(s[t]) + eps))
    theta = theta_prev * one_minus_lr_weight_decay - lr * (u / (torch.sqrt(s) + eps))
    return {"param": theta, "exp_avg": m, "exp_avg_sq": v}


def on_gpu() -> ModuleType:
    """The fused kernel. Raises ImportError without Triton, or where this folder was copied without its sibling."""
    from ..triton_gpu import qhadam
    return qhadam


def on_cpu() -> ModuleType:
    """The fused step in C. Raises ImportError where this folder was copied without its sibling."""
    from ..c_cpu import qhadam
    return qhadam


class QHAdam(RuleOptimizer):
    """QHAdam: between SGD with momentum and Adam."""

    rule = UpdateRule(
        hypers=(
            Hyper("lr", at_least=0),
            Hyper("betas", ("beta1", "beta2"), at_least=0, below=1),
            Hyper("nus", ("nu1", "nu2"), at_least=0, at_most=1),
            Hyper("weight_decay", at_least=0),
            Hyper("eps", at_least=0),
        ),
        keys=("beta1_weight", "beta2_weight", "exp_avg", "exp_avg_sq"),
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
        nus: tuple[float | Tensor, float | Tensor] = (1.0, 1.0),
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
            "betas": betas,
            "nus": nus,
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
