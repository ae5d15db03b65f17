"""Rprop. Written by optgen 0.1.0 (format 1) from rules/rprop.py; do not edit.

    optgen build rprop --backend torch

Riedmiller & Braun, A Direct Adaptive Method for Faster Backpropagation Learning, IEEE ICNN 1993,
https://doi.org/10.1109/ICNN.1993.298623. Numbers as torch.optim.Rprop.

    q[t] = g[t]*g_used[t - 1]
    f[t] = Piecewise((eta_plus, q[t] > 0), (eta_minus, q[t] < 0), (1, True))
    D[t] = Min(Max(D[t - 1]*f[t], smallest), largest_step)
    g_used[t] = Piecewise((0, q[t] < 0), (g[t], True))
    theta[t] = theta[t - 1] - sign(g_used[t])*D[t]
"""

from __future__ import annotations

from types import ModuleType

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from ._runtime import Hyper, RuleOptimizer, Scalar, State, UpdateRule


def states(*, lr: Scalar) -> dict[str, State]:
    """What is kept from step to step, by its key in a checkpoint."""
    kept: dict[str, State] = {}
    kept["prev"] = State("g_used")
    kept["step_size"] = State("D", lr)
    return kept


def host() -> dict[str, Scalar]:
    """Scalars of one step, computed once for all parameters that share them."""
    scalars: dict[str, Scalar] = {}
    return scalars


def update(
    theta_prev: Tensor,
    g: Tensor,
    *,
    g_used_prev: Tensor,
    D_prev: Tensor,
    eta_minus: Scalar,
    eta_plus: Scalar,
    largest_step: Scalar,
    smallest: Scalar,
) -> dict[str, Tensor]:
    """One step of one parameter, without side effects. All tensors have the compute dtype."""
    # q[t] = g[t]*g_used[t - 1]
    q = g * g_used_prev
    # f[t] = Piecewise((eta_plus, q[t] > 0), (eta_minus, q[t] < 0), (1, True))
    f = torch.where(q > 0, eta_plus, torch.where(q < 0, eta_minus, torch.full_like(q, 1)))
    # D[t] = Min(Max(D[t - 1]*f[t], smallest), largest_step)
    D = torch.clamp(torch.clamp(D_prev * f, min=smallest), max=largest_step)
    # g_used[t] = Piecewise((0, q[t] < 0), (g[t], True))
    g_used = torch.where(q < 0, 0, g)
    # theta[t] = theta[t - 1] - sign(g_used[t])*D[t]
    theta = theta_prev - torch.sign(g_used) * D
    return {"param": theta, "prev": g_used, "step_size": D}


def requires(*, eta_minus: Scalar, eta_plus: Scalar) -> str:
    """What is wrong with hyperparameters that do not go together; empty if nothing is."""
    if not (eta_minus < 1 and eta_plus > 1):
        return f"Invalid eta values: {eta_minus}, {eta_plus}"
    return ""


def on_gpu() -> ModuleType:
    """The fused kernel. Raises ImportError without Triton, or where this folder was copied without its sibling."""
    from ..triton_gpu import rprop
    return rprop


def on_cpu() -> ModuleType:
    """The fused step in C. Raises ImportError where this folder was copied without its sibling."""
    from ..c_cpu import rprop
    return rprop


class Rprop(RuleOptimizer):
    """Rprop: full batches."""

    rule = UpdateRule(
        hypers=(
            Hyper("lr", at_least=0),
            Hyper("etas", ("eta_minus", "eta_plus"), above=0),
            Hyper("step_sizes", ("smallest", "largest_step")),
        ),
        keys=("step", "prev", "step_size"),
        states=states,
        host=host,
        updates=(update,),
        requires=requires,
        fused={"cuda": on_gpu, "cpu": on_cpu},
    )

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 0.01,
        etas: tuple[float | Tensor, float | Tensor] = (0.5, 1.2),
        step_sizes: tuple[float | Tensor, float | Tensor] = (1e-06, 50),
        *,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "etas": etas,
            "step_sizes": step_sizes,
            "capturable": capturable,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)
