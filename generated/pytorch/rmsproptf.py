"""RMSpropTF. Written by optgen 0.1.0 (format 1) from rules/rmsproptf.py; do not edit.

    optgen build rmsproptf --backend torch

Tieleman & Hinton, Lecture 6.5, COURSERA: Neural Networks for Machine Learning, 2012, as TensorFlow computes it: the
average starts at 1, eps is inside the root, the learning rate inside the momentum. Numbers as timm.optim.RMSpropTF.

    g_wd[t] = Piecewise((g[t] + weight_decay*theta[t - 1], Ne(weight_decay, 0)), (g[t], True))
    v[t] = v[t - 1] + (1 - alpha)*(g_wd[t]**2 - v[t - 1])
    a[t] = a[t - 1] + (1 - alpha)*(g_wd[t] - a[t - 1])
    s[t] = Piecewise((v[t] - a[t]**2, centered), (v[t], True))
    u[t] = lr*(g_wd[t]/sqrt(s[t] + eps))
    b[t] = momentum*b[t - 1] + u[t]
    d[t] = Piecewise((b[t], Ne(momentum, 0)), (u[t], True))
    theta[t] = theta[t - 1] - d[t]
"""

from __future__ import annotations

from types import ModuleType

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from ._runtime import Hyper, RuleOptimizer, Scalar, State, UpdateRule


def states(*, momentum: Scalar, centered: bool) -> dict[str, State]:
    """What is kept from step to step, by its key in a checkpoint."""
    kept: dict[str, State] = {}
    kept["square_avg"] = State("v", 1)
    if momentum != 0:
        kept["momentum_buffer"] = State("b")
    if centered:
        kept["grad_avg"] = State("a")
    return kept


def host(*, alpha: Scalar) -> dict[str, Scalar]:
    """Scalars of one step, computed once for all parameters that share them."""
    scalars: dict[str, Scalar] = {}
    scalars["one_minus_alpha"] = 1 - alpha
    return scalars


def update(
    theta_prev: Tensor,
    g: Tensor,
    *,
    v_prev: Tensor,
    b_prev: Tensor | None = None,
    a_prev: Tensor | None = None,
    eps: Scalar,
    lr: Scalar,
    momentum: Scalar,
    weight_decay: Scalar,
    centered: bool,
    one_minus_alpha: Scalar,
) -> dict[str, Tensor]:
    """One step of one parameter, without side effects. All tensors have the compute dtype."""
    # g_wd[t] = Piecewise((g[t] + weight_decay*theta[t - 1], Ne(weight_decay, 0)), (g[t], True))
    if weight_decay != 0:
        g_wd = g + weight_decay * theta_prev
    else:
        g_wd = g
    # v[t] = v[t - 1] + (1 - alpha)*(g_wd[t]**2 - v[t - 1])
    v = v_prev + one_minus_alpha * (g_wd * g_wd - v_prev)
    if centered:
        # a[t] = a[t - 1] + (1 - alpha)*(g_wd[t] - a[t - 1])
        a = a_prev + one_minus_alpha * (g_wd - a_prev)
    # s[t] = Piecewise((v[t] - a[t]**2, centered), (v[t], True))
    if centered:
        s = v - a * a
    else:
        s = v
    # u[t] = lr*(g_wd[t]/sqrt(s[t] + eps))
    u = lr * (g_wd / torch.sqrt(s + eps))
    if momentum != 0:
        # b[t] = momentum*b[t - 1] + u[t]
        b = momentum * b_prev + u
    # d[t] = Piecewise((b[t], Ne(momentum, 0)), (u[t], True))
    if momentum != 0:
        d = b
    else:
        d = u
    # theta[t] = theta[t - 1] - d[t]
    theta = theta_prev - d
    new = {"param": theta, "square_avg": v}
    if momentum != 0:
        new["momentum_buffer"] = b
    if centered:
        new["grad_avg"] = a
    return new


def on_gpu() -> ModuleType:
    """The fused kernel. Raises ImportError without Triton, or where this folder was copied without its sibling."""
    from ..triton_gpu import rmsproptf
    return rmsproptf


def on_cpu() -> ModuleType:
    """The fused step in C. Raises ImportError where this folder was copied without its sibling."""
    from ..c_cpu import rmsproptf
    return rmsproptf


class RMSpropTF(RuleOptimizer):
    """RMSpropTF: EfficientNet and other models tuned in TensorFlow."""

    rule = UpdateRule(
        hypers=(
            Hyper("lr", at_least=0),
            Hyper("alpha", at_least=0),
            Hyper("eps", at_least=0),
            Hyper("weight_decay", at_least=0),
            Hyper("momentum", at_least=0),
            Hyper("centered", flag=True),
        ),
        keys=("step", "square_avg", "momentum_buffer", "grad_avg"),
        states=states,
        host=host,
        updates=(update,),
        fused={"cuda": on_gpu, "cpu": on_cpu},
    )

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 0.01,
        alpha: float = 0.9,
        eps: float = 1e-10,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
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
            "alpha": alpha,
            "eps": eps,
            "weight_decay": weight_decay,
            "momentum": momentum,
            "centered": centered,
            "foreach": foreach,
            "maximize": maximize,
            "capturable": capturable,
            "differentiable": differentiable,
            "fused": fused,
            "state_dtype": state_dtype,
        }
        super().__init__(params, defaults)
