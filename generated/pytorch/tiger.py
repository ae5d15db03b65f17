"""Tiger. Written by optgen 0.1.0 (format 1) from rules/tiger.py; do not edit.

    optgen build tiger --backend torch

Su, Tiger: A Tight-fisted Optimizer, 2023, https://github.com/bojone/tiger. Numbers as pytorch_optimizer.Tiger.

    m[t] = beta*m[t - 1] + (1 - beta)*g[t]
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
    kept["exp_avg"] = State("m")
    return kept


def host(*, lr: Scalar, beta: Scalar, weight_decay: Scalar) -> dict[str, Scalar]:
    """Scalars of one step, computed once for all parameters that share them."""
    scalars: dict[str, Scalar] = {}
    scalars["one_minus_beta"] = 1 - beta
    scalars["one_minus_lr_weight_decay"] = 1 - lr * weight_decay
    return scalars


def update(
    theta_prev: Tensor,
    g: Tensor,
    *,
    m_prev: Tensor,
    beta: Scalar,
    lr: Scalar,
    one_minus_beta: Scalar,
    one_minus_lr_weight_decay: Scalar,
) -> dict[str, Tensor]:
    """One step of one parameter, without side effects. All tensors have the compute dtype."""
    # m[t] = beta*m[t - 1] + (1 - beta)*g[t]
    m = beta * m_prev + one_minus_beta * g
    # theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr*sign(m[t])
    theta = theta_prev * one_minus_lr_weight_decay - lr * torch.sign(m)
    return {"param": theta, "exp_avg": m}


def on_gpu() -> ModuleType:
    """The fused kernel. Raises ImportError without Triton, or where this folder was copied without its sibling."""
    from ..triton_gpu import tiger
    return tiger


def on_cpu() -> ModuleType:
    """The fused step in C. Raises ImportError where this folder was copied without its sibling."""
    from ..c_cpu import tiger
    return tiger


class Tiger(RuleOptimizer):
    """Tiger: LLM training with one state."""

    rule = UpdateRule(
        hypers=(
            Hyper("lr", at_least=0),
            Hyper("beta", at_least=0, below=1),
            Hyper("weight_decay", at_least=0),
        ),
        keys=("exp_avg",),
        states=states,
        host=host,
        updates=(update,),
        fused={"cuda": on_gpu, "cpu": on_cpu},
    )

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 0.001,
        beta: float = 0.965,
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
            "beta": beta,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
            "capturable": capturable,
            "differentiable": differentiable,
            "fused": fused,
            "state_dtype": state_dtype,
        }
        super().__init__(params, defaults)
