"""SGDW. Written by optgen 0.1.0 (format 1) from rules/sgdw.py; do not edit.

    optgen build sgdw --backend torch

Loshchilov & Hutter, Decoupled Weight Decay Regularization, ICLR 2019, https://arxiv.org/abs/1711.05101, Algorithm
1. Numbers as pytorch_optimizer.SGDW with dampening=0.

    b[t] = momentum*b[t - 1] + g[t]
    d[t] = Piecewise((g[t] + momentum*b[t], nesterov), (b[t], True))
    theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr*d[t]
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
    kept["momentum_buffer"] = State("b")
    return kept


def host(*, lr: Scalar, weight_decay: Scalar) -> dict[str, Scalar]:
    """Scalars of one step, computed once for all parameters that share them."""
    scalars: dict[str, Scalar] = {}
    scalars["one_minus_lr_weight_decay"] = 1 - lr * weight_decay
    return scalars


def update(
    theta_prev: Tensor,
    g: Tensor,
    *,
    b_prev: Tensor,
    momentum: Scalar,
    lr: Scalar,
    nesterov: bool,
    one_minus_lr_weight_decay: Scalar,
) -> dict[str, Tensor]:
    """One step of one parameter, without side effects. All tensors have the compute dtype."""
    # b[t] = momentum*b[t - 1] + g[t]
    b = momentum * b_prev + g
    # d[t] = Piecewise((g[t] + momentum*b[t], nesterov), (b[t], True))
    if nesterov:
        d = g + momentum * b
    else:
        d = b
    # theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr*d[t]
    theta = theta_prev * one_minus_lr_weight_decay - lr * d
    return {"param": theta, "momentum_buffer": b}


def on_gpu() -> ModuleType:
    """The fused kernel. Raises ImportError without Triton, or where this folder was copied without its sibling."""
    from ..triton_gpu import sgdw
    return sgdw


def on_cpu() -> ModuleType:
    """The fused step in C. Raises ImportError where this folder was copied without its sibling."""
    from ..c_cpu import sgdw
    return sgdw


class SGDW(RuleOptimizer):
    """SGDW: vision."""

    rule = UpdateRule(
        hypers=(
            Hyper("lr", at_least=0),
            Hyper("momentum", at_least=0, below=1),
            Hyper("weight_decay", at_least=0),
            Hyper("nesterov", flag=True),
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
        lr: float | Tensor = 0.0001,
        momentum: float = 0,
        weight_decay: float = 0,
        nesterov: bool = False,
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
            "nesterov": nesterov,
            "foreach": foreach,
            "maximize": maximize,
            "capturable": capturable,
            "differentiable": differentiable,
            "fused": fused,
            "state_dtype": state_dtype,
        }
        super().__init__(params, defaults)
