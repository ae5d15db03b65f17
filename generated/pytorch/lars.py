"""LARS. Written by optgen 0.1.0 (format 1) from rules/lars.py; do not edit.

    optgen build lars --backend torch

You, Gitman & Ginsburg, Large Batch Training of Convolutional Networks, 2017, https://arxiv.org/abs/1708.03888,
Algorithm 1; trust_clip: LARC. Numbers as timm.optim.Lars with dampening=0, which adapts nothing where weight_decay
is 0.

    w_norm[t] = norm(theta[t - 1], elems)
    g_norm[t] = norm(g[t], elems)
    r[t] = Piecewise((trust_coeff*w_norm[t]/((g_norm[t] + weight_decay*w_norm[t]) + eps), (g_norm[t] > 0) &
        (w_norm[t] > 0)), (1, True))
    trust[t] = Piecewise((Min(r[t]/Max(lr, 1.0e-30), 1), trust_clip), (r[t], True))
    g_used[t] = Piecewise((trust[t]*(g[t] + weight_decay*theta[t - 1]), Ne(weight_decay, 0)), (g[t], True))
    b[t] = momentum*b[t - 1] + g_used[t]
    d[t] = Piecewise((g_used[t] + momentum*b[t], nesterov), (b[t], True))
    theta[t] = theta[t - 1] - lr*d[t]
"""

from __future__ import annotations

from types import ModuleType

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from ._runtime import Hyper, RuleOptimizer, Scalar, State, UpdateRule, maximum


def states() -> dict[str, State]:
    """What is kept from step to step, by its key in a checkpoint."""
    kept: dict[str, State] = {}
    kept["momentum_buffer"] = State("b")
    return kept


def host(*, lr: Scalar, weight_decay: Scalar, trust_clip: bool) -> dict[str, Scalar]:
    """Scalars of one step, computed once for all parameters that share them."""
    scalars: dict[str, Scalar] = {}
    if trust_clip and weight_decay != 0:
        scalars["trust_scale"] = 1 / maximum(lr, 1e-30)
    return scalars


def update(
    theta_prev: Tensor,
    g: Tensor,
    *,
    b_prev: Tensor,
    momentum: Scalar,
    lr: Scalar,
    eps: Scalar,
    trust_coeff: Scalar,
    weight_decay: Scalar,
    nesterov: bool,
    trust_clip: bool,
    trust_scale: Scalar = 0.0,
) -> dict[str, Tensor]:
    """One step of one parameter, without side effects. All tensors have the compute dtype."""
    if weight_decay != 0:
        # w_norm[t] = norm(theta[t - 1], elems)
        theta_prev_sq_sum = torch.sum(theta_prev * theta_prev)
        w_norm = torch.sqrt(theta_prev_sq_sum)
        # g_norm[t] = norm(g[t], elems)
        g_sq_sum = torch.sum(g * g)
        g_norm = torch.sqrt(g_sq_sum)
        # r[t] = Piecewise((trust_coeff*w_norm[t]/((g_norm[t] + weight_decay*w_norm[t]) + eps), (g_norm[t] > 0)
        #     & (w_norm[t] > 0)), (1, True))
        r = torch.where(
            (g_norm > 0) & (w_norm > 0), trust_coeff * w_norm / (g_norm + weight_decay * w_norm + eps), 1
        )
        # trust[t] = Piecewise((Min(r[t]/Max(lr, 1.0e-30), 1), trust_clip), (r[t], True))
        if trust_clip:
            trust = torch.clamp(r * trust_scale, max=1)
        else:
            trust = r
    # g_used[t] = Piecewise((trust[t]*(g[t] + weight_decay*theta[t - 1]), Ne(weight_decay, 0)), (g[t],
    #     True))
    if weight_decay != 0:
        g_used = trust * (g + weight_decay * theta_prev)
    else:
        g_used = g
    # b[t] = momentum*b[t - 1] + g_used[t]
    b = momentum * b_prev + g_used
    # d[t] = Piecewise((g_used[t] + momentum*b[t], nesterov), (b[t], True))
    if nesterov:
        d = g_used + momentum * b
    else:
        d = b
    # theta[t] = theta[t - 1] - lr*d[t]
    theta = theta_prev - lr * d
    return {"param": theta, "momentum_buffer": b}


def requires(*, momentum: Scalar, nesterov: bool) -> str:
    """What is wrong with hyperparameters that do not go together; empty if nothing is."""
    if not (momentum > 0 or not nesterov):
        return "Nesterov momentum requires a momentum and zero dampening"
    return ""


def on_gpu() -> ModuleType:
    """The fused kernel. Raises ImportError without Triton, or where this folder was copied without its sibling."""
    from ..triton_gpu import lars
    return lars


def on_cpu() -> ModuleType:
    """The fused step in C. Raises ImportError where this folder was copied without its sibling."""
    from ..c_cpu import lars
    return lars


class LARS(RuleOptimizer):
    """LARS: large batches, vision."""

    rule = UpdateRule(
        hypers=(
            Hyper("lr", at_least=0),
            Hyper("momentum", at_least=0),
            Hyper("weight_decay", at_least=0),
            Hyper("nesterov", flag=True),
            Hyper("trust_coeff"),
            Hyper("eps", at_least=0),
            Hyper("trust_clip", flag=True),
        ),
        keys=("momentum_buffer",),
        states=states,
        host=host,
        updates=(update,),
        requires=requires,
        fused={"cuda": on_gpu, "cpu": on_cpu},
        elementwise=False,
    )

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1.0,
        momentum: float = 0,
        weight_decay: float = 0,
        nesterov: bool = False,
        trust_coeff: float = 0.001,
        eps: float = 1e-08,
        trust_clip: bool = False,
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
            "trust_coeff": trust_coeff,
            "eps": eps,
            "trust_clip": trust_clip,
            "foreach": foreach,
            "maximize": maximize,
            "capturable": capturable,
            "differentiable": differentiable,
            "fused": fused,
            "state_dtype": state_dtype,
        }
        super().__init__(params, defaults)
