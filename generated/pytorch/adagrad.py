"""Adagrad. Written by optgen 0.1.0 (format 1) from rules/adagrad.py; do not edit.

    optgen build adagrad --backend torch

Duchi, Hazan & Singer, Adaptive Subgradient Methods for Online Learning and Stochastic Optimization, JMLR 2011.
https://jmlr.org/papers/v12/duchi11a.html, Figure 1. Numbers as torch.optim.Adagrad.

    eta[t] = lr/(1 + (t - 1)*lr_decay)
    g_wd[t] = Piecewise((g[t] + weight_decay*theta[t - 1], Ne(weight_decay, 0)), (g[t], True))
    G[t] = G[t - 1] + g_wd[t]**2
    theta[t] = theta[t - 1] - eta[t]*(g_wd[t]/(sqrt(G[t]) + eps))
"""

from __future__ import annotations

from types import ModuleType

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from ._runtime import Hyper, RuleOptimizer, Scalar, State, UpdateRule


def states(*, initial_accumulator_value: Scalar) -> dict[str, State]:
    """What is kept from step to step, by its key in a checkpoint."""
    kept: dict[str, State] = {}
    kept["sum"] = State("G", initial_accumulator_value)
    return kept


def host(t: int, *, lr: Scalar, lr_decay: Scalar) -> dict[str, Scalar]:
    """Scalars of one step, computed once for all parameters that share them."""
    scalars: dict[str, Scalar] = {}
    scalars["eta"] = lr / (1 + (t - 1) * lr_decay)
    return scalars


def update(
    theta_prev: Tensor,
    g: Tensor,
    *,
    G_prev: Tensor,
    eps: Scalar,
    weight_decay: Scalar,
    eta: Scalar,
) -> dict[str, Tensor]:
    """One step of one parameter, without side effects. All tensors have the compute dtype."""
    # g_wd[t] = Piecewise((g[t] + weight_decay*theta[t - 1], Ne(weight_decay, 0)), (g[t], True))
    if weight_decay != 0:
        g_wd = g + weight_decay * theta_prev
    else:
        g_wd = g
    # G[t] = G[t - 1] + g_wd[t]**2
    G = G_prev + g_wd * g_wd
    # theta[t] = theta[t - 1] - eta[t]*(g_wd[t]/(sqrt(G[t]) + eps))
    theta = theta_prev - eta * (g_wd / (torch.sqrt(G) + eps))
    return {"param": theta, "sum": G}


def on_gpu() -> ModuleType:
    """The fused kernel. Raises ImportError without Triton, or where this folder was copied without its sibling."""
    from ..triton_gpu import adagrad
    return adagrad


def on_cpu() -> ModuleType:
    """The fused step in C. Raises ImportError where this folder was copied without its sibling."""
    from ..c_cpu import adagrad
    return adagrad


class Adagrad(RuleOptimizer):
    """Adagrad: sparse features."""

    rule = UpdateRule(
        hypers=(
            Hyper("lr", at_least=0),
            Hyper("lr_decay", at_least=0),
            Hyper("weight_decay", at_least=0),
            Hyper("initial_accumulator_value", at_least=0),
            Hyper("eps", at_least=0),
        ),
        keys=("step", "sum"),
        states=states,
        host=host,
        updates=(update,),
        fused={"cuda": on_gpu, "cpu": on_cpu},
        state_at_construction=True,
        sparse=True,
    )

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 0.01,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        defaults = {
            "lr": lr,
            "lr_decay": lr_decay,
            "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value,
            "eps": eps,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, defaults)
