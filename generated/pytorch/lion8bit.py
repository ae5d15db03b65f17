"""Lion8bit. Written by optgen 0.1.0 (format 1) from rules/lion8bit.py; do not edit.

    optgen build lion8bit --backend torch

Lion with an 8-bit state. Dettmers, Lewis, Shleifer & Zettlemoyer, 8-bit Optimizers via Block-wise Quantization,
ICLR 2022. https://arxiv.org/abs/2110.02861. Formats as bitsandbytes.optim.Lion8bit.

    u[t] = sign(beta1*m[t - 1] + (1 - beta1)*g[t])
    m[t] = beta2*m[t - 1] + (1 - beta2)*g[t]
    theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr*u[t]
    with every state as int8, of parameters with at least 4096 elements
"""

from __future__ import annotations

from types import ModuleType

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from ._int8 import int8_signed
from ._runtime import Fixed, Hyper, RuleOptimizer, Scalar, State, UpdateRule


def states() -> dict[str, State]:
    """What is kept from step to step, by its key in a checkpoint."""
    kept: dict[str, State] = {}
    kept["exp_avg"] = State("m", format=int8_signed)
    return kept


def host(*, lr: Scalar, beta1: Scalar, beta2: Scalar, weight_decay: Scalar) -> dict[str, Scalar]:
    """Scalars of one step, computed once for all parameters that share them."""
    scalars: dict[str, Scalar] = {}
    scalars["one_minus_beta1"] = 1 - beta1
    scalars["one_minus_beta2"] = 1 - beta2
    scalars["one_minus_lr_weight_decay"] = 1 - lr * weight_decay
    return scalars


def update(
    theta_prev: Tensor,
    g: Tensor,
    *,
    m_prev: Tensor,
    beta1: Scalar,
    beta2: Scalar,
    lr: Scalar,
    one_minus_beta1: Scalar,
    one_minus_beta2: Scalar,
    one_minus_lr_weight_decay: Scalar,
) -> dict[str, Tensor]:
    """One step of one parameter, without side effects. All tensors have the compute dtype."""
    # u[t] = sign(beta1*m[t - 1] + (1 - beta1)*g[t])
    u = torch.sign(beta1 * m_prev + one_minus_beta1 * g)
    # m[t] = beta2*m[t - 1] + (1 - beta2)*g[t]
    m = beta2 * m_prev + one_minus_beta2 * g
    # theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr*u[t]
    theta = theta_prev * one_minus_lr_weight_decay - lr * u
    return {"param": theta, "exp_avg": m}


def states_otherwise() -> dict[str, State]:
    """What is kept from step to step, by its key in a checkpoint."""
    kept: dict[str, State] = {}
    kept["exp_avg"] = State("m")
    return kept


def on_gpu() -> ModuleType:
    """The fused kernel. Raises ImportError without Triton, or where this folder was copied without its sibling."""
    from ..triton_gpu import lion8bit
    return lion8bit


def on_gpu_otherwise() -> ModuleType:
    """The fused kernel. Raises ImportError without Triton, or where this folder was copied without its sibling."""
    from ..triton_gpu import lion8bit_otherwise
    return lion8bit_otherwise


def on_cpu() -> ModuleType:
    """The fused step in C. Raises ImportError where this folder was copied without its sibling."""
    from ..c_cpu import lion8bit
    return lion8bit


def on_cpu_otherwise() -> ModuleType:
    """The fused step in C. Raises ImportError where this folder was copied without its sibling."""
    from ..c_cpu import lion8bit_otherwise
    return lion8bit_otherwise


class Lion8bit(RuleOptimizer):
    """Lion8bit: large batches; one state per parameter."""

    rule = UpdateRule(
        hypers=(
            Hyper("lr", at_least=0),
            Hyper("betas", ("beta1", "beta2"), at_least=0, below=1),
            Hyper("weight_decay", at_least=0),
        ),
        keys=("exp_avg", "exp_avg_absmax"),
        fixed=(
            Fixed(
                "storage", ("exp_avg=int8",),
                hint="load what the state_dict_fp32() of the other optimizer returns",
            ),
        ),
        states=states,
        host=host,
        updates=(update,),
        fused={"cuda": on_gpu, "cpu": on_cpu},
        min_numel=4096,
        otherwise=UpdateRule(
            hypers=(),
            keys=("exp_avg",),
            states=states_otherwise,
            host=host,
            updates=(update,),
            fused={"cuda": on_gpu_otherwise, "cpu": on_cpu_otherwise},
        ),
    )

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 0.0001,
        betas: tuple[float | Tensor, float | Tensor] = (0.9, 0.99),
        weight_decay: float = 0.0,
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
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
            "capturable": capturable,
            "differentiable": differentiable,
            "fused": fused,
            "state_dtype": state_dtype,
            "storage": "exp_avg=int8",
        }
        super().__init__(params, defaults)
