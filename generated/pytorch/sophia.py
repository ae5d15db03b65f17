"""Sophia. Written by optgen 0.1.0 (format 1) from rules/sophia.py; do not edit.

    optgen build sophia --backend torch

Liu, Li, Hall, Liang & Ma, Sophia: A Scalable Stochastic Second-order Optimizer for Language Model Pre-training,
ICLR 2024, https://arxiv.org/abs/2305.14342, Algorithm 3, with the estimate of Algorithm 2. Numbers as SophiaG of
github.com/Liuhong99/Sophia. `hessian` is the square of the gradient of a loss whose labels are drawn from the
model, bs the number of tokens of a batch. Give it once in k steps, 10 in the paper, where the authors call
update_hessian before the step; all other steps go without.

    h[t] = Piecewise((beta2*h[t - 1] + (1 - beta2)*H[t], given(H)), (h[t - 1], True))
    m[t] = beta1*m[t - 1] + (1 - beta1)*g[t]
    theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr*(sign(m[t])*Min(Abs(m[t])/(rho*bs*h[t] + 1.0e-15), 1))
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import overload

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from ._runtime import Hyper, Input, Inputs, RuleOptimizer, Scalar, State, UpdateRule


def states() -> dict[str, State]:
    """What is kept from step to step, by its key in a checkpoint."""
    kept: dict[str, State] = {}
    kept["exp_avg"] = State("m")
    kept["hessian"] = State("h")
    return kept


def host(
    *,
    lr: Scalar,
    beta1: Scalar,
    beta2: Scalar,
    rho: Scalar,
    weight_decay: Scalar,
    bs: Scalar,
    has_H: bool,
) -> dict[str, Scalar]:
    """Scalars of one step, computed once for all parameters that share them."""
    scalars: dict[str, Scalar] = {}
    if has_H:
        scalars["one_minus_beta2"] = 1 - beta2
    scalars["one_minus_beta1"] = 1 - beta1
    scalars["one_minus_lr_weight_decay"] = 1 - lr * weight_decay
    scalars["rho_bs"] = rho * bs
    return scalars


def update(
    theta_prev: Tensor,
    g: Tensor,
    *,
    m_prev: Tensor,
    h_prev: Tensor,
    H: Tensor | None = None,
    beta1: Scalar,
    lr: Scalar,
    beta2: Scalar,
    one_minus_beta1: Scalar,
    one_minus_lr_weight_decay: Scalar,
    rho_bs: Scalar,
    one_minus_beta2: Scalar = 0.0,
    has_H: bool,
) -> dict[str, Tensor]:
    """One step of one parameter, without side effects. All tensors have the compute dtype."""
    # h[t] = Piecewise((beta2*h[t - 1] + (1 - beta2)*H[t], given(H)), (h[t - 1], True))
    if has_H:
        h = beta2 * h_prev + one_minus_beta2 * H
    else:
        h = h_prev
    # m[t] = beta1*m[t - 1] + (1 - beta1)*g[t]
    m = beta1 * m_prev + one_minus_beta1 * g
    # theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr*(sign(m[t])*Min(Abs(m[t])/(rho*bs*h[t] + 1.0e-15),
    #     1))
    theta = (
        theta_prev * one_minus_lr_weight_decay
        - lr * (torch.sign(m) * torch.clamp(torch.abs(m) / (rho_bs * h + 1e-15), max=1))
    )
    new = {"param": theta, "exp_avg": m}
    if has_H:
        new["hessian"] = h
    return new


def on_gpu() -> ModuleType:
    """The fused kernel. Raises ImportError without Triton, or where this folder was copied without its sibling."""
    from ..triton_gpu import sophia
    return sophia


def on_cpu() -> ModuleType:
    """The fused step in C. Raises ImportError where this folder was copied without its sibling."""
    from ..c_cpu import sophia
    return sophia


class Sophia(RuleOptimizer):
    """Sophia: pre-training language models."""

    rule = UpdateRule(
        hypers=(
            Hyper("lr", at_least=0),
            Hyper("betas", ("beta1", "beta2"), at_least=0, below=1),
            Hyper("rho", at_least=0),
            Hyper("weight_decay", at_least=0),
            Hyper("bs", above=0),
        ),
        keys=("step", "exp_avg", "hessian"),
        states=states,
        host=host,
        updates=(update,),
        fused={"cuda": on_gpu, "cpu": on_cpu},
        inputs=(
            Input("hessian", "H", optional=True),
        ),
    )

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 0.0001,
        betas: tuple[float | Tensor, float | Tensor] = (0.965, 0.99),
        rho: float = 0.04,
        weight_decay: float = 0.1,
        bs: float = 5120,
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
            "rho": rho,
            "weight_decay": weight_decay,
            "bs": bs,
            "foreach": foreach,
            "maximize": maximize,
            "capturable": capturable,
            "differentiable": differentiable,
            "fused": fused,
            "state_dtype": state_dtype,
        }
        super().__init__(params, defaults)

    @overload
    def step(self, closure: None = None, *, hessian: Inputs | None = None) -> None: ...

    @overload
    def step(self, closure: Callable[[], float], *, hessian: Inputs | None = None) -> float: ...

    def step(self, closure: Callable[[], float] | None = None, *, hessian: Inputs | None = None) -> float | None:
        """Update every parameter that has a gradient. A closure is called first; its value is returned.

        hessian: a tensor for each parameter, as a list beside all parameters of all groups, with None where there
        is none, or as a dict by parameter. They are taken as they are, whatever maximize and a GradScaler say.
        Raises ValueError, before anything changes, for what does not fit its parameter.
        """
        return self._make_step(closure, {"hessian": hessian})
