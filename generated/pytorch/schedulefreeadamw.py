"""ScheduleFreeAdamW. Written by optgen 0.1.0 (format 1) from rules/schedulefreeadamw.py; do not edit.

    optgen build schedulefreeadamw --backend torch

Defazio, Yang, Mehta, Mishchenko, Khaled & Cutkosky, The Road Less Scheduled, NeurIPS 2024,
https://arxiv.org/abs/2405.15682, Algorithm 1. Numbers as schedulefree.AdamWScheduleFree, with a count for each
parameter, which is y in training and the average x in evaluation: train(), eval().

    a[t] = lr*Piecewise((t/warmup_steps, t < warmup_steps), (1, True))
    l_max[t] = Max(l_max[t - 1], a[t])
    w[t] = t**r*l_max[t]**weight_lr_power
    W[t] = W[t - 1] + w[t]
    c[t] = Piecewise((w[t]/W[t], W[t] > 0), (0, True))
    v[t] = beta2*v[t - 1] + (1 - beta2)*g[t]**2
    n[t] = g[t]/(sqrt(v[t]/(1 - beta2**t)) + eps) + weight_decay*theta[t - 1]
    theta[t] = (theta[t - 1] + c[t]*(z[t - 1] - theta[t - 1])) + a[t]*(beta1*(1 - c[t]) - 1)*n[t]
    z[t] = z[t - 1] - a[t]*n[t]
    and by train():
    theta[t] = theta[t - 1] + (1 - beta1)*(z[t - 1] - theta[t - 1])
    and by eval():
    theta[t] = theta[t - 1] + (1 - 1/beta1)*(z[t - 1] - theta[t - 1])
"""

from __future__ import annotations

from types import ModuleType

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from ._modes import ModalOptimizer
from ._runtime import Hyper, Scalar, State, UpdateRule, choose, from_param, maximum


def states() -> dict[str, State]:
    """What is kept from step to step, by its key in a checkpoint."""
    kept: dict[str, State] = {}
    kept["z"] = State("z", from_param)
    kept["exp_avg_sq"] = State("v")
    kept["lr_max"] = State("l_max", host=True)
    kept["weight_sum"] = State("W", host=True)
    return kept


def host(
    t: int,
    *,
    lr: Scalar,
    beta1: Scalar,
    beta2: Scalar,
    warmup_steps: Scalar,
    r: Scalar,
    weight_lr_power: Scalar,
    l_max_prev: Scalar = 0.0,
    W_prev: Scalar = 0.0,
) -> dict[str, Scalar]:
    """Scalars of one step, computed once for all parameters that share them."""
    scalars: dict[str, Scalar] = {}
    a = lr * choose(t < warmup_steps, lambda: t / warmup_steps, lambda: 1)
    scalars["a"] = a
    l_max = maximum(l_max_prev, a)
    scalars["l_max"] = l_max
    w = t**r * l_max**weight_lr_power
    W = W_prev + w
    scalars["W"] = W
    c = choose(W > 0, lambda: w / W, lambda: 0)
    scalars["c"] = c
    scalars["one_minus_beta2"] = 1 - beta2
    scalars["inv_one_minus_beta2_t"] = 1 / (1 - beta2**t)
    scalars["theta_scale"] = a * (beta1 * (1 - c) - 1)
    return scalars


def update(
    theta_prev: Tensor,
    g: Tensor,
    *,
    z_prev: Tensor,
    v_prev: Tensor,
    beta2: Scalar,
    eps: Scalar,
    weight_decay: Scalar,
    one_minus_beta2: Scalar,
    inv_one_minus_beta2_t: Scalar,
    c: Scalar,
    theta_scale: Scalar,
    a: Scalar,
) -> dict[str, Tensor]:
    """One step of one parameter, without side effects. All tensors have the compute dtype."""
    # v[t] = beta2*v[t - 1] + (1 - beta2)*g[t]**2
    v = beta2 * v_prev + one_minus_beta2 * (g * g)
    # n[t] = g[t]/(sqrt(v[t]/(1 - beta2**t)) + eps) + weight_decay*theta[t - 1]
    n = g / (torch.sqrt(v * inv_one_minus_beta2_t) + eps) + weight_decay * theta_prev
    # theta[t] = (theta[t - 1] + c[t]*(z[t - 1] - theta[t - 1])) + a[t]*(beta1*(1 - c[t]) - 1)*n[t]
    theta = theta_prev + c * (z_prev - theta_prev) + theta_scale * n
    # z[t] = z[t - 1] - a[t]*n[t]
    z = z_prev - a * n
    return {"param": theta, "z": z, "exp_avg_sq": v}


def host_train(*, beta1: Scalar) -> dict[str, Scalar]:
    """Scalars of `train()`."""
    scalars: dict[str, Scalar] = {}
    scalars["one_minus_beta1"] = 1 - beta1
    return scalars


def update_train(theta_prev: Tensor, *, z_prev: Tensor, one_minus_beta1: Scalar) -> dict[str, Tensor]:
    """What `train()` makes of one parameter. All tensors have the compute dtype."""
    # theta[t] = theta[t - 1] + (1 - beta1)*(z[t - 1] - theta[t - 1])
    theta = theta_prev + one_minus_beta1 * (z_prev - theta_prev)
    return {"param": theta}


def host_eval(*, beta1: Scalar) -> dict[str, Scalar]:
    """Scalars of `eval()`."""
    scalars: dict[str, Scalar] = {}
    scalars["one_minus_inv_beta1"] = 1 - 1 / beta1
    return scalars


def update_eval(theta_prev: Tensor, *, z_prev: Tensor, one_minus_inv_beta1: Scalar) -> dict[str, Tensor]:
    """What `eval()` makes of one parameter. All tensors have the compute dtype."""
    # theta[t] = theta[t - 1] + (1 - 1/beta1)*(z[t - 1] - theta[t - 1])
    theta = theta_prev + one_minus_inv_beta1 * (z_prev - theta_prev)
    return {"param": theta}


def on_gpu() -> ModuleType:
    """The fused kernel. Raises ImportError without Triton, or where this folder was copied without its sibling."""
    from ..triton_gpu import schedulefreeadamw
    return schedulefreeadamw


def on_cpu() -> ModuleType:
    """The fused step in C. Raises ImportError where this folder was copied without its sibling."""
    from ..c_cpu import schedulefreeadamw
    return schedulefreeadamw


class ScheduleFreeAdamW(ModalOptimizer):
    """ScheduleFreeAdamW: training without a schedule."""

    rule = UpdateRule(
        hypers=(
            Hyper("lr", at_least=0),
            Hyper("betas", ("beta1", "beta2"), above=0, below=1),
            Hyper("eps", at_least=0),
            Hyper("weight_decay", at_least=0),
            Hyper("warmup_steps", at_least=0),
            Hyper("r"),
            Hyper("weight_lr_power"),
        ),
        keys=("step", "z", "exp_avg_sq", "lr_max", "weight_sum"),
        states=states,
        host=host,
        updates=(update,),
        fused={"cuda": on_gpu, "cpu": on_cpu},
        modes={
            "train": (host_train, update_train),
            "eval": (host_eval, update_eval),
        },
    )

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 0.0025,
        betas: tuple[float | Tensor, float | Tensor] = (0.9, 0.999),
        eps: float = 1e-08,
        weight_decay: float = 0,
        warmup_steps: float = 0,
        r: float = 0.0,
        weight_lr_power: float = 2.0,
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
            "eps": eps,
            "weight_decay": weight_decay,
            "warmup_steps": warmup_steps,
            "r": r,
            "weight_lr_power": weight_lr_power,
            "foreach": foreach,
            "maximize": maximize,
            "capturable": capturable,
            "differentiable": differentiable,
            "fused": fused,
            "state_dtype": state_dtype,
            "train_mode": True,
        }
        super().__init__(params, defaults)
