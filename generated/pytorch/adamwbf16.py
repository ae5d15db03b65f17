"""AdamWBF16. Written by optgen 0.1.0 (format 1) from rules/adamwbf16.py; do not edit.

    optgen build adamwbf16 --backend torch

AdamW for bfloat16 parameters, rounded stochastically. Zamirai, Zhang, Aberger & De Sa, Revisiting BFloat16
Training, 2020. https://arxiv.org/abs/2010.06192. States have the parameter's dtype.

    m[t] = beta1*m[t - 1] + (1 - beta1)*g[t]
    v[t] = beta2*v[t - 1] + (1 - beta2)*g[t]**2
    v_max[t] = Max(v_max[t - 1], v[t])
    m_hat[t] = m[t]/(1 - beta1**t)
    v_hat[t] = Piecewise((v_max[t], amsgrad), (v[t], True))/(1 - beta2**t)
    theta[t] = theta[t - 1] - lr*(m_hat[t]/(sqrt(v_hat[t]) + eps) + weight_decay*theta[t - 1])
    with theta as bf16_sr
"""

from __future__ import annotations

from types import ModuleType

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from ._bf16_sr import bf16_sr
from ._runtime import Fixed, Hyper, RuleOptimizer, Scalar, State, UpdateRule


def states(*, amsgrad: bool) -> dict[str, State]:
    """What is kept from step to step, by its key in a checkpoint."""
    kept: dict[str, State] = {}
    kept["exp_avg"] = State("m")
    kept["exp_avg_sq"] = State("v")
    if amsgrad:
        kept["max_exp_avg_sq"] = State("v_max")
    return kept


def host(t: int, *, beta1: Scalar, beta2: Scalar) -> dict[str, Scalar]:
    """Scalars of one step, computed once for all parameters that share them."""
    scalars: dict[str, Scalar] = {}
    scalars["one_minus_beta1"] = 1 - beta1
    scalars["one_minus_beta2"] = 1 - beta2
    scalars["inv_one_minus_beta1_t"] = 1 / (1 - beta1**t)
    scalars["inv_one_minus_beta2_t"] = 1 / (1 - beta2**t)
    return scalars


def update(
    theta_prev: Tensor,
    g: Tensor,
    *,
    m_prev: Tensor,
    v_prev: Tensor,
    v_max_prev: Tensor | None = None,
    beta1: Scalar,
    beta2: Scalar,
    eps: Scalar,
    lr: Scalar,
    weight_decay: Scalar,
    amsgrad: bool,
    one_minus_beta1: Scalar,
    one_minus_beta2: Scalar,
    inv_one_minus_beta1_t: Scalar,
    inv_one_minus_beta2_t: Scalar,
) -> dict[str, Tensor]:
    """One step of one parameter, without side effects. All tensors have the compute dtype."""
    # m[t] = beta1*m[t - 1] + (1 - beta1)*g[t]
    m = beta1 * m_prev + one_minus_beta1 * g
    # v[t] = beta2*v[t - 1] + (1 - beta2)*g[t]**2
    v = beta2 * v_prev + one_minus_beta2 * (g * g)
    if amsgrad:
        # v_max[t] = Max(v_max[t - 1], v[t])
        v_max = torch.maximum(v_max_prev, v)
    # m_hat[t] = m[t]/(1 - beta1**t)
    m_hat = m * inv_one_minus_beta1_t
    # v_hat[t] = Piecewise((v_max[t], amsgrad), (v[t], True))/(1 - beta2**t)
    if amsgrad:
        v_hat = v_max * inv_one_minus_beta2_t
    else:
        v_hat = v * inv_one_minus_beta2_t
    # theta[t] = theta[t - 1] - lr*(m_hat[t]/(sqrt(v_hat[t]) + eps) + weight_decay*theta[t - 1])
    theta = theta_prev - lr * (m_hat / (torch.sqrt(v_hat) + eps) + weight_decay * theta_prev)
    new = {"param": theta, "exp_avg": m, "exp_avg_sq": v}
    if amsgrad:
        new["max_exp_avg_sq"] = v_max
    return new


def on_gpu() -> ModuleType:
    """The fused kernel. Raises ImportError without Triton, or where this folder was copied without its sibling."""
    from ..triton_gpu import adamwbf16
    return adamwbf16


def on_cpu() -> ModuleType:
    """The fused step in C. Raises ImportError where this folder was copied without its sibling."""
    from ..c_cpu import adamwbf16
    return adamwbf16


class AdamWBF16(RuleOptimizer):
    """AdamWBF16: LLM training."""

    rule = UpdateRule(
        hypers=(
            Hyper("lr", at_least=0),
            Hyper("betas", ("beta1", "beta2"), at_least=0, below=1),
            Hyper("eps", at_least=0),
            Hyper("weight_decay", at_least=0),
            Hyper("amsgrad", flag=True),
        ),
        keys=("step", "exp_avg", "exp_avg_sq", "max_exp_avg_sq"),
        fixed=(
            Fixed(
                "storage", ("param=bf16_sr",),
                hint="load what the state_dict_fp32() of the other optimizer returns",
            ),
        ),
        param=bf16_sr,
        states=states,
        host=host,
        updates=(update,),
        fused={"cuda": on_gpu, "cpu": on_cpu},
        sparse_refusal="Adam does not support sparse gradients, please consider SparseAdam instead",
    )

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 0.001,
        betas: tuple[float | Tensor, float | Tensor] = (0.9, 0.999),
        eps: float = 1e-08,
        weight_decay: float = 0.01,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        seed: int = 0,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "amsgrad": amsgrad,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "differentiable": differentiable,
            "fused": fused,
            "seed": seed,
            "decoupled_weight_decay": True,
            "storage": "param=bf16_sr",
        }
        super().__init__(params, defaults)
