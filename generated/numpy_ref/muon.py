"""Muon. Written by optgen 0.1.0 (format 1) from rules/muon.py; do not edit.

    optgen build muon --backend numpy

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

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ._checks import check_state, counts, number, numbers, to_step
from ._rounding import to_bfloat16
from ._stretches import begin, stretches

Array = np.ndarray[Any, np.dtype[np.floating[Any]]]  # float32 or float64; states have their parameter's dtype
State = dict[str, Any]


def init(
    params: Sequence[Array],
    *,
    lr: float = 0.001,
    weight_decay: float = 0.1,
    momentum: float = 0.95,
    nesterov: bool = True,
    ns_coefficients: tuple[float, float, float] = (3.4445, -4.775, 2.0315),
    eps: float = 1e-07,
    betas: tuple[float, float] = (0.9, 0.999),
    amsgrad: bool = False,
) -> list[State]:
    """The states before the first step, one dict for each parameter."""
    return [
        _start(theta_prev) if theta_prev.ndim == 2 else _start_otherwise(theta_prev, amsgrad)
        for theta_prev in params
    ]


def step(
    params: Sequence[Array],
    grads: Sequence[Array | None],
    state: Sequence[State],
    t: int | Sequence[int],
    *,
    lr: float = 0.001,
    weight_decay: float = 0.1,
    momentum: float = 0.95,
    nesterov: bool = True,
    ns_coefficients: tuple[float, float, float] = (3.4445, -4.775, 2.0315),
    eps: float = 1e-07,
    betas: tuple[float, float] = (0.9, 0.999),
    amsgrad: bool = False,
    out: bool = False,
) -> tuple[list[Array], list[State]]:
    """New parameters and states after step t: 1 for the first, one count for all parameters or one for each.

    A parameter whose gradient is None stays as it is. With out=True the arrays and dicts given are overwritten.
    Raises ValueError, before anything changes, for what cannot be stepped.
    """
    lr = number("lr", lr, at_least=0, refusal="Learning rate should be >= 0 but is: {}")
    weight_decay = number(
        "weight_decay", weight_decay, at_least=0, refusal="weight decay should be >= 0 but is: {}"
    )
    momentum = number("momentum", momentum, at_least=0, refusal="momentum should be >= 0 but is: {}")
    a, b, c = numbers("ns_coefficients", ns_coefficients, 3)
    eps = number("eps", eps)
    beta1, beta2 = numbers("betas", betas, 2, at_least=0, below=1)
    steps = counts(t, params)
    new_params, new_state = list(params), [dict(kept) for kept in state]
    work = to_step(params, grads, state, out)
    work_otherwise = [i for i in work if params[i].ndim != 2]
    work_here = [i for i in work if params[i].ndim == 2]
    for i in work_here:
        theta_prev = params[i]
        g = np.asarray(grads[i], theta_prev.dtype)
        kept = _start(theta_prev)
        check_state(i, state[i], kept, ("momentum_buffer",))
        kept |= state[i]
        rows = theta_prev.shape[-2] if theta_prev.ndim > 1 else 1
        cols = theta_prev.shape[-1] if theta_prev.ndim else 1
        B_prev = kept["momentum_buffer"]
        one_minus_momentum = 1 - momentum
        one_minus_lr_weight_decay = 1 - lr * weight_decay
        theta_scale = lr * math.sqrt(max(1, rows / cols))
        # B[t] = momentum*B[t - 1] + (1 - momentum)*g[t]
        B = momentum * B_prev + one_minus_momentum * g
        # u[t] = rounded(Piecewise((momentum*B[t] + (1 - momentum)*g[t], nesterov), (B[t], True)), "bfloat16")
        if nesterov:
            u = to_bfloat16(momentum * B + one_minus_momentum * g)
        else:
            u = to_bfloat16(B)
        # X[0] = rounded(u[t]/Max(rounded(norm(u[t], elems), "bfloat16"), eps), "bfloat16")
        u_sq_sum = np.sum(u * u)
        X_0 = to_bfloat16(u / np.maximum(to_bfloat16(np.sqrt(u_sq_sum)), eps))
        # A[0] = rounded(Piecewise((matmul(transpose(X[0]), X[0]), rows > cols), (matmul(X[0], transpose(X[0])),
        #     True)), "bfloat16")
        if rows > cols:
            A_0_product = np.swapaxes(X_0, -1, -2) @ X_0
        else:
            A_0_product = X_0 @ np.swapaxes(X_0, -1, -2)
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
            A_1_product = np.swapaxes(X_1, -1, -2) @ X_1
        else:
            A_1_product = X_1 @ np.swapaxes(X_1, -1, -2)
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
            A_2_product = np.swapaxes(X_2, -1, -2) @ X_2
        else:
            A_2_product = X_2 @ np.swapaxes(X_2, -1, -2)
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
            A_3_product = np.swapaxes(X_3, -1, -2) @ X_3
        else:
            A_3_product = X_3 @ np.swapaxes(X_3, -1, -2)
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
            A_4_product = np.swapaxes(X_4, -1, -2) @ X_4
        else:
            A_4_product = X_4 @ np.swapaxes(X_4, -1, -2)
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
        new_params[i] = np.asarray(theta, theta_prev.dtype)
        kept["momentum_buffer"] = np.asarray(B, theta_prev.dtype)
        new_state[i] = kept
    keys = ("exp_avg", "exp_avg_sq", "max_exp_avg_sq")
    states = begin(
        work_otherwise, params, grads, state, keys, lambda theta_prev, g: _start_otherwise(theta_prev, amsgrad)
    )
    for i, theta_prev, g, kept, new in stretches(params, grads, states, new_params, new_state, out):
        t = steps[i]
        m_prev = kept["exp_avg"]
        v_prev = kept["exp_avg_sq"]
        if amsgrad:
            v_max_prev = kept["max_exp_avg_sq"]
        one_minus_beta1 = 1 - beta1
        one_minus_beta2 = 1 - beta2
        inv_one_minus_beta1_t = 1 / (1 - beta1**t)
        inv_one_minus_beta2_t = 1 / (1 - beta2**t)
        # m[t] = beta1*m[t - 1] + (1 - beta1)*g[t]
        m = beta1 * m_prev + one_minus_beta1 * g
        # v[t] = beta2*v[t - 1] + (1 - beta2)*g[t]**2
        v = beta2 * v_prev + one_minus_beta2 * (g * g)
        if amsgrad:
            # v_max[t] = Max(v_max[t - 1], v[t])
            v_max = np.maximum(v_max_prev, v)
        # m_hat[t] = m[t]/(1 - beta1**t)
        m_hat = m * inv_one_minus_beta1_t
        # v_hat[t] = Piecewise((v_max[t], amsgrad), (v[t], True))/(1 - beta2**t)
        if amsgrad:
            v_hat = v_max * inv_one_minus_beta2_t
        else:
            v_hat = v * inv_one_minus_beta2_t
        # theta[t] = theta[t - 1] - lr*(m_hat[t]/(sqrt(v_hat[t]) + eps) + weight_decay*theta[t - 1])
        theta = theta_prev - lr * (m_hat / (np.sqrt(v_hat) + eps) + weight_decay * theta_prev)
        new["param"] = np.asarray(theta, theta_prev.dtype)
        new["exp_avg"] = np.asarray(m, theta_prev.dtype)
        new["exp_avg_sq"] = np.asarray(v, theta_prev.dtype)
        if amsgrad:
            new["max_exp_avg_sq"] = np.asarray(v_max, theta_prev.dtype)
    if out:
        for i in work:
            params[i][...] = new_params[i]
            state[i].update(new_state[i])
    return (list(params), list(state)) if out else (new_params, new_state)


def _start(theta_prev: Array) -> State:
    """The states that this variant of the rule reads, at their first values."""
    kept: State = {}
    kept["momentum_buffer"] = np.zeros_like(theta_prev)
    return kept


def _start_otherwise(theta_prev: Array, amsgrad: bool) -> State:
    """The states that this variant of the rule reads, at their first values."""
    kept: State = {}
    kept["exp_avg"] = np.zeros_like(theta_prev)
    kept["exp_avg_sq"] = np.zeros_like(theta_prev)
    if amsgrad:
        kept["max_exp_avg_sq"] = np.zeros_like(theta_prev)
    return kept
