"""Adadelta. Written by optgen 0.1.0 (format 1) from rules/adadelta.py; do not edit.

    optgen build adadelta --backend torch

Zeiler, ADADELTA: An Adaptive Learning Rate Method, 2012, https://arxiv.org/abs/1212.5701, Algorithm 1. Numbers as
torch.optim.Adadelta.

    g_wd[t] = Piecewise((g[t] + weight_decay*theta[t - 1], Ne(weight_decay, 0)), (g[t], True))
    v[t] = rho*v[t - 1] + (1 - rho)*g_wd[t]**2
    d[t] = sqrt(u[t - 1] + eps)/sqrt(v[t] + eps)*g_wd[t]
    u[t] = rho*u[t - 1] + (1 - rho)*d[t]**2
    theta[t] = theta[t - 1] - lr*d[t]
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
    kept["square_avg"] = State("v")
    kept["acc_delta"] = State("u")
    return kept


def host(*, rho: Scalar) -> dict[str, Scalar]:
    """Scalars of one step, computed once for all parameters that share them."""
    scalars: dict[str, Scalar] = {}
    scalars["one_minus_rho"] = 1 - rho
    return scalars


def update(
    theta_prev: Tensor,
    g: Tensor,
    *,
    v_prev: Tensor,
    u_prev: Tensor,
    rho: Scalar,
    eps: Scalar,
    lr: Scalar,
    weight_decay: Scalar,
    one_minus_rho: Scalar,
) -> dict[str, Tensor]:
    """One step of one parameter, without side effects. All tensors have the compute dtype."""
    # g_wd[t] = Piecewise((g[t] + weight_decay*theta[t - 1], Ne(weight_decay, 0)), (g[t], True))
    if weight_decay != 0:
        g_wd = g + weight_decay * theta_prev
    else:
        g_wd = g
    # v[t] = rho*v[t - 1] + (1 - rho)*g_wd[t]**2
    v = rho * v_prev + one_minus_rho * (g_wd * g_wd)
    # d[t] = sqrt(u[t - 1] + eps)/sqrt(v[t] + eps)*g_wd[t]
    d = torch.sqrt(u_prev + eps) / torch.sqrt(v + eps) * g_wd
    # u[t] = rho*u[t - 1] + (1 - rho)*d[t]**2
    u = rho * u_prev + one_minus_rho * (d * d)
    # theta[t] = theta[t - 1] - lr*d[t]
    theta = theta_prev - lr * d
    return {"param": theta, "square_avg": v, "acc_delta": u}


def on_gpu() -> ModuleType:
    """The fused kernel. Raises ImportError without Triton, or where this folder was copied without its sibling."""
    from ..triton_gpu import adadelta
    return adadelta


def on_cpu() -> ModuleType:
    """The fused step in C. Raises ImportError where this folder was copied without its sibling."""
    from ..c_cpu import adadelta
    return adadelta


class Adadelta(RuleOptimizer):
    """Adadelta: no learning rate to tune."""

    rule = UpdateRule(
        hypers=(
            Hyper("lr", at_least=0),
            Hyper("rho", at_least=0, at_most=1),
            Hyper("eps", at_least=0),
            Hyper("weight_decay", at_least=0),
        ),
        keys=("step", "square_avg", "acc_delta"),
        states=states,
        host=host,
        updates=(update,),
        fused={"cuda": on_gpu, "cpu": on_cpu},
    )

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1.0,
        rho: float = 0.9,
        eps: float = 1e-06,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        capturable: bool = False,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "rho": rho,
            "eps": eps,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "capturable": capturable,
            "maximize": maximize,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)
