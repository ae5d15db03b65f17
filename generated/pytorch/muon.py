"""Muon. Written by optgen 0.1.0 (format 1) from rules/muon.py; do not edit.

    optgen build muon --backend torch

Jordan, Jin, Boza, You, Cesista, Newhouse & Bernstein, Muon: An optimizer for hidden layers in neural networks,
2024, https://kellerjordan.github.io/posts/muon; match_rms_adamw: Liu et al., Muon is Scalable for LLM Training,
2025, https://arxiv.org/abs/2502.16982. Numbers as torch.optim.Muon, its iteration in bfloat16; ns_dtype=None keeps
that as precise as the step. Non-matrices follow AdamW, same lr, weight_decay and eps.

    B[t] = momentum*B[t - 1] + (1 - momentum)*g[t]
    u[t] = rounded(Piecewise((momentum*B[t] + (1 - momentum)*g[t], nesterov), (B[t], True)), "bfloat16")
    X[0] = rounded(u[t]/Max(rounded(norm(u[t], elems), "bfloat16"), eps), "bfloat16")
    A[0] = rounded(Piecewise((matmul(transpose(X[0]), X[0]), rows > cols), (matmul(X[0], transpose(X[0])), True)),
        "bfloat16")
    P[0] = rounded(b*A[0] + c*matmul(A[0], A[0]), "bfloat16")
    X[1] = rounded(a*X[0] + Piecewise((matmul(X[0], P[0]), rows > cols), (matmul(P[0], X[0]), True)), "bfloat16")
    A[1] = rounded(Piecewise((matmul(transpose(X[1]), X[1]), rows > cols), (matmul(X[1], transpose(X[1])), True)),
        "bfloat16")
    P[1] = rounded(b*A[1] + c*matmul(A[1], A[1]), "bfloat16")
    X[2] = rounded(a*X[1] + Piecewise((matmul(X[1], P[1]), rows > cols), (matmul(P[1], X[1]), True)), "bfloat16")
    A[2] = rounded(Piecewise((matmul(transpose(X[2]), X[2]), rows > cols), (matmul(X[2], transpose(X[2])), True)),
        "bfloat16")
    P[2] = rounded(b*A[2] + c*matmul(A[2], A[2]), "bfloat16")
    X[3] = rounded(a*X[2] + Piecewise((matmul(X[2], P[2]), rows > cols), (matmul(P[2], X[2]), True)), "bfloat16")
    A[3] = rounded(Piecewise((matmul(transpose(X[3]), X[3]), rows > cols), (matmul(X[3], transpose(X[3])), True)),
        "bfloat16")
    P[3] = rounded(b*A[3] + c*matmul(A[3], A[3]), "bfloat16")
    X[4] = rounded(a*X[3] + Piecewise((matmul(X[3], P[3]), rows > cols), (matmul(P[3], X[3]), True)), "bfloat16")
    A[4] = rounded(Piecewise((matmul(transpose(X[4]), X[4]), rows > cols), (matmul(X[4], transpose(X[4])), True)),
        "bfloat16")
    P[4] = rounded(b*A[4] + c*matmul(A[4], A[4]), "bfloat16")
    X[5] = rounded(a*X[4] + Piecewise((matmul(X[4], P[4]), rows > cols), (matmul(P[4], X[4]), True)), "bfloat16")
    theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr*sqrt(Max(1, rows/cols))*X[5]
    and for parameters of other shapes, as AdamW:
    m[t] = beta1*m[t - 1] + (1 - beta1)*g[t]
    v[t] = beta2*v[t - 1] + (1 - beta2)*g[t]**2
    v_max[t] = Max(v_max[t - 1], v[t])
    m_hat[t] = m[t]/(1 - beta1**t)
    v_hat[t] = Piecewise((v_max[t], amsgrad), (v[t], True))/(1 - beta2**t)
    theta[t] = theta[t - 1] - lr*(m_hat[t]/(sqrt(v_hat[t]) + eps) + weight_decay*theta[t - 1])
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from ._runtime import Fixed, Hyper, RuleOptimizer, Scalar, State, UpdateRule, maximum, sqrt, to_bfloat16


def states() -> dict[str, State]:
    """What is kept from step to step, by its key in a checkpoint."""
    kept: dict[str, State] = {}
    kept["momentum_buffer"] = State("B")
    return kept


def host(rows: int, cols: int, *, lr: Scalar, weight_decay: Scalar, momentum: Scalar) -> dict[str, Scalar]:
    """Scalars of one step, computed once for all parameters that share them."""
    scalars: dict[str, Scalar] = {}
    scalars["rows"] = rows
    scalars["cols"] = cols
    scalars["one_minus_momentum"] = 1 - momentum
    scalars["one_minus_lr_weight_decay"] = 1 - lr * weight_decay
    scalars["theta_scale"] = lr * sqrt(maximum(1, rows / cols))
    return scalars


def update(
    theta_prev: Tensor,
    g: Tensor,
    *,
    B_prev: Tensor,
    momentum: Scalar,
    eps: Scalar,
    b: Scalar,
    c: Scalar,
    a: Scalar,
    nesterov: bool,
    one_minus_momentum: Scalar,
    one_minus_lr_weight_decay: Scalar,
    theta_scale: Scalar,
    rows: int,
    cols: int,
) -> dict[str, Tensor]:
    """One step of one parameter, without side effects. All tensors have the compute dtype."""
    # B[t] = momentum*B[t - 1] + (1 - momentum)*g[t]
    B = momentum * B_prev + one_minus_momentum * g
    # u[t] = rounded(Piecewise((momentum*B[t] + (1 - momentum)*g[t], nesterov), (B[t], True)), "bfloat16")
    if nesterov:
        u = to_bfloat16(momentum * B + one_minus_momentum * g)
    else:
        u = to_bfloat16(B)
    # X[0] = rounded(u[t]/Max(rounded(norm(u[t], elems), "bfloat16"), eps), "bfloat16")
    u_sq_sum = torch.sum(u * u, dim=(-2, -1), keepdim=True)
    X_0 = to_bfloat16(u / torch.clamp(to_bfloat16(torch.sqrt(u_sq_sum)), min=eps))
    # A[0] = rounded(Piecewise((matmul(transpose(X[0]), X[0]), rows > cols), (matmul(X[0], transpose(X[0])),
    #     True)), "bfloat16")
    if rows > cols:
        A_0_product = X_0.mT @ X_0
    else:
        A_0_product = X_0 @ X_0.mT
    A_0 = to_bfloat16(A_0_product)
    # P[0] = rounded(b*A[0] + c*matmul(A[0], A[0]), "bfloat16")
    P_0_product = A_0 @ A_0
    P_0 = to_bfloat16(b * A_0 + c * P_0_product)
    # X[1] = rounded(a*X[0] + Piecewise((matmul(X[0], P[0]), rows > cols), (matmul(P[0], X[0]), True)),
    #     "bfloat16")
    if rows > cols:
        X_1_product = X_0 @ P_0
    else:
        X_1_product = P_0 @ X_0
    X_1 = to_bfloat16(a * X_0 + X_1_product)
    # A[1] = rounded(Piecewise((matmul(transpose(X[1]), X[1]), rows > cols), (matmul(X[1], transpose(X[1])),
    #     True)), "bfloat16")
    if rows > cols:
        A_1_product = X_1.mT @ X_1
    else:
        A_1_product = X_1 @ X_1.mT
    A_1 = to_bfloat16(A_1_product)
    # P[1] = rounded(b*A[1] + c*matmul(A[1], A[1]), "bfloat16")
    P_1_product = A_1 @ A_1
    P_1 = to_bfloat16(b * A_1 + c * P_1_product)
    # X[2] = rounded(a*X[1] + Piecewise((matmul(X[1], P[1]), rows > cols), (matmul(P[1], X[1]), True)),
    #     "bfloat16")
    if rows > cols:
        X_2_product = X_1 @ P_1
    else:
        X_2_product = P_1 @ X_1
    X_2 = to_bfloat16(a * X_1 + X_2_product)
    # A[2] = rounded(Piecewise((matmul(transpose(X[2]), X[2]), rows > cols), (matmul(X[2], transpose(X[2])),
    #     True)), "bfloat16")
    if rows > cols:
        A_2_product = X_2.mT @ X_2
    else:
        A_2_product = X_2 @ X_2.mT
    A_2 = to_bfloat16(A_2_product)
    # P[2] = rounded(b*A[2] + c*matmul(A[2], A[2]), "bfloat16")
    P_2_product = A_2 @ A_2
    P_2 = to_bfloat16(b * A_2 + c * P_2_product)
    # X[3] = rounded(a*X[2] + Piecewise((matmul(X[2], P[2]), rows > cols), (matmul(P[2], X[2]), True)),
    #     "bfloat16")
    if rows > cols:
        X_3_product = X_2 @ P_2
    else:
        X_3_product = P_2 @ X_2
    X_3 = to_bfloat16(a * X_2 + X_3_product)
    # A[3] = rounded(Piecewise((matmul(transpose(X[3]), X[3]), rows > cols), (matmul(X[3], transpose(X[3])),
    #     True)), "bfloat16")
    if rows > cols:
        A_3_product = X_3.mT @ X_3
    else:
        A_3_product = X_3 @ X_3.mT
    A_3 = to_bfloat16(A_3_product)
    # P[3] = rounded(b*A[3] + c*matmul(A[3], A[3]), "bfloat16")
    P_3_product = A_3 @ A_3
    P_3 = to_bfloat16(b * A_3 + c * P_3_product)
    # X[4] = rounded(a*X[3] + Piecewise((matmul(X[3], P[3]), rows > cols), (matmul(P[3], X[3]), True)),
    #     "bfloat16")
    if rows > cols:
        X_4_product = X_3 @ P_3
    else:
        X_4_product = P_3 @ X_3
    X_4 = to_bfloat16(a * X_3 + X_4_product)
    # A[4] = rounded(Piecewise((matmul(transpose(X[4]), X[4]), rows > cols), (matmul(X[4], transpose(X[4])),
    #     True)), "bfloat16")
    if rows > cols:
        A_4_product = X_4.mT @ X_4
    else:
        A_4_product = X_4 @ X_4.mT
    A_4 = to_bfloat16(A_4_product)
    # P[4] = rounded(b*A[4] + c*matmul(A[4], A[4]), "bfloat16")
    P_4_product = A_4 @ A_4
    P_4 = to_bfloat16(b * A_4 + c * P_4_product)
    # X[5] = rounded(a*X[4] + Piecewise((matmul(X[4], P[4]), rows > cols), (matmul(P[4], X[4]), True)),
    #     "bfloat16")
    if rows > cols:
        X_5_product = X_4 @ P_4
    else:
        X_5_product = P_4 @ X_4
    X_5 = to_bfloat16(a * X_4 + X_5_product)
    # theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr*sqrt(Max(1, rows/cols))*X[5]
    theta = theta_prev * one_minus_lr_weight_decay - theta_scale * X_5
    return {"param": theta, "momentum_buffer": B}


def states_otherwise(*, amsgrad: bool) -> dict[str, State]:
    """What is kept from step to step, by its key in a checkpoint."""
    kept: dict[str, State] = {}
    kept["exp_avg"] = State("m")
    kept["exp_avg_sq"] = State("v")
    if amsgrad:
        kept["max_exp_avg_sq"] = State("v_max")
    return kept


def host_otherwise(t: int, *, beta1: Scalar, beta2: Scalar) -> dict[str, Scalar]:
    """Scalars of one step, computed once for all parameters that share them."""
    scalars: dict[str, Scalar] = {}
    scalars["one_minus_beta1"] = 1 - beta1
    scalars["one_minus_beta2"] = 1 - beta2
    scalars["inv_one_minus_beta1_t"] = 1 / (1 - beta1**t)
    scalars["inv_one_minus_beta2_t"] = 1 / (1 - beta2**t)
    return scalars


def update_otherwise(
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


class Muon(RuleOptimizer):
    """Muon: the matrices of hidden layers."""

    rule = UpdateRule(
        hypers=(
            Hyper("lr", at_least=0, refusal="Learning rate should be >= 0 but is: {}"),
            Hyper("weight_decay", at_least=0, refusal="weight decay should be >= 0 but is: {}"),
            Hyper("momentum", at_least=0, refusal="momentum should be >= 0 but is: {}"),
            Hyper("nesterov", flag=True),
            Hyper("ns_coefficients", ("a", "b", "c")),
            Hyper("eps"),
            Hyper("betas", ("beta1", "beta2"), at_least=0, below=1),
            Hyper("amsgrad", flag=True),
        ),
        keys=("momentum_buffer",),
        fixed=(
            Fixed(
                "ns_steps", (5,),
                refusal="Invalid ns_steps value: {}",
                rule="muon",
            ),
            Fixed(
                "adjust_lr_fn", (None, "original"), others=("match_rms_adamw",),
                refusal="Adjust learning rate function {} is not supported",
                rule="muon",
            ),
            Fixed(
                "ns_dtype", ("bfloat16",), others=(None,),
                refusal="Invalid ns_dtype value: {}",
                rule="muon",
            ),
        ),
        states=states,
        host=host,
        updates=(update,),
        elementwise=False,
        stacked=True,
        ndim=2,
        otherwise=UpdateRule(
            hypers=(),
            keys=("step", "exp_avg", "exp_avg_sq", "max_exp_avg_sq"),
            states=states_otherwise,
            host=host_otherwise,
            updates=(update_otherwise,),
        ),
    )

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 0.001,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
        nesterov: bool = True,
        ns_coefficients: tuple[float | Tensor, float | Tensor, float | Tensor] = (3.4445, -4.775, 2.0315),
        eps: float = 1e-07,
        ns_steps: int = 5,
        adjust_lr_fn: str | None = None,
        *,
        ns_dtype: str | None = 'bfloat16',
        betas: tuple[float | Tensor, float | Tensor] = (0.9, 0.999),
        amsgrad: bool = False,
        maximize: bool = False,
        foreach: bool | None = None,
        differentiable: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "weight_decay": weight_decay,
            "momentum": momentum,
            "nesterov": nesterov,
            "ns_coefficients": ns_coefficients,
            "eps": eps,
            "ns_steps": ns_steps,
            "adjust_lr_fn": adjust_lr_fn,
            "ns_dtype": ns_dtype,
            "betas": betas,
            "amsgrad": amsgrad,
            "maximize": maximize,
            "foreach": foreach,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)
