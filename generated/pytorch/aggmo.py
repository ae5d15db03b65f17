"""AggMo. Written by optgen 0.1.0 (format 1) from rules/aggmo.py; do not edit.

    optgen build aggmo --backend torch

Lucas, Sun, Zemel & Grosse, Aggregated Momentum: Stability Through Passive Damping, ICLR 2019,
https://arxiv.org/abs/1804.00325, equation 4, with three velocities. Numbers as pytorch_optimizer.AggMo with
weight_decouple=True.

    v1[t] = beta1*v1[t - 1] + g[t]
    v2[t] = beta2*v2[t - 1] + g[t]
    v3[t] = beta3*v3[t - 1] + g[t]
    theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr/3*((v1[t] + v2[t]) + v3[t])
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
    kept["v1"] = State("v1")
    kept["v2"] = State("v2")
    kept["v3"] = State("v3")
    return kept


def host(*, lr: Scalar, weight_decay: Scalar) -> dict[str, Scalar]:
    """Scalars of one step, computed once for all parameters that share them."""
    scalars: dict[str, Scalar] = {}
    scalars["one_minus_lr_weight_decay"] = 1 - lr * weight_decay
    scalars["lr_over_three"] = lr / 3
    return scalars


def update(
    theta_prev: Tensor,
    g: Tensor,
    *,
    v1_prev: Tensor,
    v2_prev: Tensor,
    v3_prev: Tensor,
    beta1: Scalar,
    beta2: Scalar,
    beta3: Scalar,
    lr_over_three: Scalar,
    one_minus_lr_weight_decay: Scalar,
) -> dict[str, Tensor]:
    """One step of one parameter, without side effects. All tensors have the compute dtype."""
    # v1[t] = beta1*v1[t - 1] + g[t]
    v1 = beta1 * v1_prev + g
    # v2[t] = beta2*v2[t - 1] + g[t]
    v2 = beta2 * v2_prev + g
    # v3[t] = beta3*v3[t - 1] + g[t]
    v3 = beta3 * v3_prev + g
    # theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr/3*((v1[t] + v2[t]) + v3[t])
    theta = theta_prev * one_minus_lr_weight_decay - lr_over_three * (v1 + v2 + v3)
    return {"param": theta, "v1": v1, "v2": v2, "v3": v3}


def on_gpu() -> ModuleType:
    """The fused kernel. Raises ImportError without Triton, or where this folder was copied without its sibling."""
    from ..triton_gpu import aggmo
    return aggmo


def on_cpu() -> ModuleType:
    """The fused step in C. Raises ImportError where this folder was copied without its sibling."""
    from ..c_cpu import aggmo
    return aggmo


class AggMo(RuleOptimizer):
    """AggMo: momentum that does not oscillate."""

    rule = UpdateRule(
        hypers=(
            Hyper("lr", at_least=0),
            Hyper("betas", ("beta1", "beta2", "beta3"), at_least=0, below=1),
            Hyper("weight_decay", at_least=0),
        ),
        keys=("v1", "v2", "v3"),
        states=states,
        host=host,
        updates=(update,),
        fused={"cuda": on_gpu, "cpu": on_cpu},
    )

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 0.001,
        betas: tuple[float | Tensor, float | Tensor, float | Tensor] = (0.0, 0.9, 0.99),
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
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
            "capturable": capturable,
            "differentiable": differentiable,
            "fused": fused,
            "state_dtype": state_dtype,
        }
        super().__init__(params, defaults)
