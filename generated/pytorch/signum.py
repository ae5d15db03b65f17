"""Signum. Written by optgen 0.1.0 (format 1) from rules/signum.py; do not edit.

    optgen build signum --backend torch

Bernstein, Wang, Azizzadenesheli & Anandkumar, signSGD: Compressed Optimisation for Non-Convex Problems, ICML 2018,
https://arxiv.org/abs/1802.04434, Algorithm 2; signSGD with momentum=0. Numbers as pytorch_optimizer.SignSGD.

    m[t] = momentum*m[t - 1] + (1 - momentum)*g[t]
    theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr*sign(m[t])
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
    kept["momentum_buffer"] = State("m")
    return kept


def host(*, lr: Scalar, momentum: Scalar, weight_decay: Scalar) -> dict[str, Scalar]:
    """Scalars of one step, computed once for all parameters that share them."""
    scalars: dict[str, Scalar] = {}
    scalars["one_minus_momentum"] = 1 - momentum
    scalars["one_minus_lr_weight_decay"] = 1 - lr * weight_decay
    return scalars


def update(
    theta_prev: Tensor,
    g: Tensor,
    *,
    m_prev: Tensor,
    momentum: Scalar,
    lr: Scalar,
    one_minus_momentum: Scalar,
    one_minus_lr_weight_decay: Scalar,
) -> dict[str, Tensor]:
    """One step of one parameter, without side effects. All tensors have the compute dtype."""
    # m[t] = momentum*m[t - 1] + (1 - momentum)*g[t]
    m = momentum * m_prev + one_minus_momentum * g
    # theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr*sign(m[t])
    theta = theta_prev * one_minus_lr_weight_decay - lr * torch.sign(m)
    return {"param": theta, "momentum_buffer": m}


def on_gpu() -> ModuleType:
    """The fused kernel. Raises ImportError without Triton, or where this folder was copied without its sibling."""
    from ..triton_gpu import signum
    return signum


def on_cpu() -> ModuleType:
    """The fused step in C. Raises ImportError where this folder was copied without its sibling."""
    from ..c_cpu import signum
    return signum


class Signum(RuleOptimizer):
    """Signum: few bits to communicate."""

    rule = UpdateRule(
        hypers=(
            Hyper("lr", at_least=0),
            Hyper("momentum", at_least=0, below=1),
            Hyper("weight_decay", at_least=0),
        ),
        keys=("momentum_buffer",),
        states=states,
        host=host,
        updates=(update,),
        fused={"cuda": on_gpu, "cpu": on_cpu},
    )

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 0.001,
        momentum: float = 0.9,
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
            "momentum": momentum,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
            "capturable": capturable,
            "differentiable": differentiable,
            "fused": fused,
            "state_dtype": state_dtype,
        }
        super().__init__(params, defaults)
