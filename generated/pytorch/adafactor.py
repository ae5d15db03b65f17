"""Adafactor. Written by optgen 0.1.0 (format 1) from rules/adafactor.py; do not edit.

    optgen build adafactor --backend torch

Shazeer & Stern, Adafactor: Adaptive Learning Rates with Sublinear Memory Cost, ICML 2018,
https://arxiv.org/abs/1804.04235, Algorithms 4 and 5. Numbers as torch.optim.Adafactor: lr bounds the relative step,
and scales the weight decay.

    rho[t] = Min(lr, 1/(sqrt(t)))
    alpha[t] = Max(eps2, rms(theta[t - 1], elems))*rho[t]
    w[t] = t**beta2_decay
    R[t] = R[t - 1] + w[t]*(mean(g[t]**2, cols) - R[t - 1])
    C[t] = C[t - 1] + w[t]*(mean(g[t]**2, rows) - C[t - 1])
    U[t] = g[t]/sqrt(Max(R[t]*C[t]/Max(mean(R[t], rows), eps1), eps1**2))
    theta[t] = theta[t - 1]*(1 - lr*weight_decay) - alpha[t]/Max(1, rms(U[t], elems)/d)*U[t]
    and for parameters of other shapes, as another rule:
    rho[t] = Min(lr, 1/(sqrt(t)))
    alpha[t] = Max(eps2, rms(theta[t - 1], elems))*rho[t]
    w[t] = t**beta2_decay
    V[t] = V[t - 1] + w[t]*(g[t]**2 - V[t - 1])
    U[t] = g[t]/sqrt(Max(V[t], eps1**2))
    theta[t] = theta[t - 1]*(1 - lr*weight_decay) - alpha[t]/Max(1, rms(U[t], elems)/d)*U[t]
"""

from __future__ import annotations

from types import ModuleType

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from ._runtime import Hyper, RuleOptimizer, Scalar, State, UpdateRule, minimum, per_col, per_row, sqrt


def states() -> dict[str, State]:
    """What is kept from step to step, by its key in a checkpoint."""
    kept: dict[str, State] = {}
    kept["row_var"] = State("R", shape=per_row)
    kept["col_var"] = State("C", shape=per_col)
    return kept


def host(
    t: int,
    *,
    lr: Scalar,
    beta2_decay: Scalar,
    eps1: Scalar,
    d: Scalar,
    weight_decay: Scalar,
) -> dict[str, Scalar]:
    """Scalars of one step, computed once for all parameters that share them."""
    scalars: dict[str, Scalar] = {}
    scalars["rho"] = minimum(lr, 1 / sqrt(t))
    scalars["w"] = t**beta2_decay
    scalars["U_scale"] = eps1**2
    scalars["one_minus_lr_weight_decay"] = 1 - lr * weight_decay
    scalars["inv_d"] = 1 / d
    return scalars


def update(
    theta_prev: Tensor,
    g: Tensor,
    *,
    R_prev: Tensor,
    C_prev: Tensor,
    eps2: Scalar,
    eps1: Scalar,
    rho: Scalar,
    w: Scalar,
    U_scale: Scalar,
    inv_d: Scalar,
    one_minus_lr_weight_decay: Scalar,
) -> dict[str, Tensor]:
    """One step of one parameter, without side effects. All tensors have the compute dtype."""
    # alpha[t] = Max(eps2, rms(theta[t - 1], elems))*rho[t]
    theta_prev_sq_mean = torch.mean(theta_prev * theta_prev)
    alpha = torch.clamp(torch.sqrt(theta_prev_sq_mean), min=eps2) * rho
    # R[t] = R[t - 1] + w[t]*(mean(g[t]**2, cols) - R[t - 1])
    g_sq_mean = torch.mean(g * g, dim=-1, keepdim=True)
    R = R_prev + w * (g_sq_mean - R_prev)
    # C[t] = C[t - 1] + w[t]*(mean(g[t]**2, rows) - C[t - 1])
    g_sq_mean_2 = torch.mean(g * g, dim=-2, keepdim=True)
    C = C_prev + w * (g_sq_mean_2 - C_prev)
    # U[t] = g[t]/sqrt(Max(R[t]*C[t]/Max(mean(R[t], rows), eps1), eps1**2))
    R_mean = torch.mean(R, dim=-2, keepdim=True)
    U = g / torch.sqrt(torch.clamp(R * C / torch.clamp(R_mean, min=eps1), min=U_scale))
    # theta[t] = theta[t - 1]*(1 - lr*weight_decay) - alpha[t]/Max(1, rms(U[t], elems)/d)*U[t]
    U_sq_mean = torch.mean(U * U)
    theta = (
        theta_prev * one_minus_lr_weight_decay - alpha / torch.clamp(torch.sqrt(U_sq_mean) * inv_d, min=1) * U
    )
    return {"param": theta, "row_var": R, "col_var": C}


def states_otherwise() -> dict[str, State]:
    """What is kept from step to step, by its key in a checkpoint."""
    kept: dict[str, State] = {}
    kept["variance"] = State("V")
    return kept


def update_otherwise(
    theta_prev: Tensor,
    g: Tensor,
    *,
    V_prev: Tensor,
    eps2: Scalar,
    rho: Scalar,
    w: Scalar,
    U_scale: Scalar,
    inv_d: Scalar,
    one_minus_lr_weight_decay: Scalar,
) -> dict[str, Tensor]:
    """One step of one parameter, without side effects. All tensors have the compute dtype."""
    # alpha[t] = Max(eps2, rms(theta[t - 1], elems))*rho[t]
    theta_prev_sq_mean = torch.mean(theta_prev * theta_prev)
    alpha = torch.clamp(torch.sqrt(theta_prev_sq_mean), min=eps2) * rho
    # V[t] = V[t - 1] + w[t]*(g[t]**2 - V[t - 1])
    V = V_prev + w * (g * g - V_prev)
    # U[t] = g[t]/sqrt(Max(V[t], eps1**2))
    U = g / torch.sqrt(torch.clamp(V, min=U_scale))
    # theta[t] = theta[t - 1]*(1 - lr*weight_decay) - alpha[t]/Max(1, rms(U[t], elems)/d)*U[t]
    U_sq_mean = torch.mean(U * U)
    theta = (
        theta_prev * one_minus_lr_weight_decay - alpha / torch.clamp(torch.sqrt(U_sq_mean) * inv_d, min=1) * U
    )
    return {"param": theta, "variance": V}


def requires(*, eps1: Scalar, eps2: Scalar) -> str:
    """What is wrong with hyperparameters that do not go together; empty if nothing is."""
    if not (eps1 >= 0):
        return f"epsilon1 should be >= 0 but is: {eps1}"
    if not (eps2 >= 0):
        return f"epsilon2 should be >= 0 but is: {eps2}"
    return ""


def on_gpu() -> ModuleType:
    """The fused kernel. Raises ImportError without Triton, or where this folder was copied without its sibling."""
    from ..triton_gpu import adafactor
    return adafactor


def on_gpu_otherwise() -> ModuleType:
    """The fused kernel. Raises ImportError without Triton, or where this folder was copied without its sibling."""
    from ..triton_gpu import adafactor_otherwise
    return adafactor_otherwise


def on_cpu() -> ModuleType:
    """The fused step in C. Raises ImportError where this folder was copied without its sibling."""
    from ..c_cpu import adafactor
    return adafactor


def on_cpu_otherwise() -> ModuleType:
    """The fused step in C. Raises ImportError where this folder was copied without its sibling."""
    from ..c_cpu import adafactor_otherwise
    return adafactor_otherwise


class Adafactor(RuleOptimizer):
    """Adafactor: LLM training with little memory."""

    rule = UpdateRule(
        hypers=(
            Hyper("lr", at_least=0, refusal="Learning rate should be >= 0 but is: {}"),
            Hyper("beta2_decay", at_most=0, refusal="beta2_decay should be <= 0 but is: {}"),
            Hyper("eps", ("eps1", "eps2"), none_is_eps=True),
            Hyper("d", at_least=1, refusal="Clipping threshold d should be >= 1 but is: {}"),
            Hyper("weight_decay", at_least=0, refusal="weight_decay should be >= 0 but is: {}"),
        ),
        keys=("step", "row_var", "col_var"),
        states=states,
        host=host,
        updates=(update,),
        requires=requires,
        fused={"cuda": on_gpu, "cpu": on_cpu},
        elementwise=False,
        min_ndim=2,
        otherwise=UpdateRule(
            hypers=(),
            keys=("step", "variance"),
            states=states_otherwise,
            host=host,
            updates=(update_otherwise,),
            fused={"cuda": on_gpu_otherwise, "cpu": on_cpu_otherwise},
            elementwise=False,
        ),
    )

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 0.01,
        beta2_decay: float = -0.8,
        eps: tuple[float | Tensor | None, float | Tensor] = (None, 0.001),
        d: float = 1.0,
        weight_decay: float = 0.0,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "beta2_decay": beta2_decay,
            "eps": eps,
            "d": d,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
        }
        super().__init__(params, defaults)
