"""ASGD. Written by optgen 0.1.0 (format 1) from rules/asgd.py; do not edit.

    optgen build asgd --backend torch

Polyak & Juditsky, Acceleration of Stochastic Approximation by Averaging, SIAM J. Control Optim. 30(4), 1992,
https://doi.org/10.1137/0330046. Numbers as torch.optim.ASGD; the average is the state `ax`.

    g_wd[t] = Piecewise((g[t] + weight_decay*theta[t - 1], Ne(weight_decay, 0)), (g[t], True))
    theta[t] = theta[t - 1]*(1 - lambd*eta[t - 1]) - eta[t - 1]*g_wd[t]
    ax[t] = Piecewise((theta[t], Eq(mu[t - 1], 1)), (ax[t - 1] + mu[t - 1]*(theta[t] - ax[t - 1]), True))
    eta[t] = lr/(1 + lambd*lr*t)**alpha
    mu[t] = 1/Max(1, t - t0)
"""

from __future__ import annotations

from types import ModuleType

from torch import Tensor
from torch.optim.optimizer import ParamsT

from ._runtime import Hyper, RuleOptimizer, Scalar, State, UpdateRule, choose, maximum


def states(*, lr: Scalar) -> dict[str, State]:
    """What is kept from step to step, by its key in a checkpoint."""
    kept: dict[str, State] = {}
    kept["eta"] = State("eta", lr, host=True)
    kept["mu"] = State("mu", 1, host=True)
    kept["ax"] = State("ax")
    return kept


def host(
    t: int,
    *,
    lr: Scalar,
    lambd: Scalar,
    alpha: Scalar,
    t0: Scalar,
    eta_prev: Scalar = 0.0,
    mu_prev: Scalar = 0.0,
) -> dict[str, Scalar]:
    """Scalars of one step, computed once for all parameters that share them."""
    scalars: dict[str, Scalar] = {}
    scalars["eta_prev"] = eta_prev
    scalars["mu_prev"] = mu_prev
    scalars["one_minus_lambd_eta_prev"] = 1 - lambd * eta_prev
    scalars["mu_prev_eq_one"] = mu_prev == 1
    scalars["eta"] = lr / (1 + lambd * lr * t)**alpha
    scalars["mu"] = 1 / maximum(1, t - t0)
    return scalars


def update(
    theta_prev: Tensor,
    g: Tensor,
    *,
    ax_prev: Tensor,
    weight_decay: Scalar,
    eta_prev: Scalar,
    one_minus_lambd_eta_prev: Scalar,
    mu_prev: Scalar,
    mu_prev_eq_one: bool,
) -> dict[str, Tensor]:
    """One step of one parameter, without side effects. All tensors have the compute dtype."""
    # g_wd[t] = Piecewise((g[t] + weight_decay*theta[t - 1], Ne(weight_decay, 0)), (g[t], True))
    if weight_decay != 0:
        g_wd = g + weight_decay * theta_prev
    else:
        g_wd = g
    # theta[t] = theta[t - 1]*(1 - lambd*eta[t - 1]) - eta[t - 1]*g_wd[t]
    theta = theta_prev * one_minus_lambd_eta_prev - eta_prev * g_wd
    # ax[t] = Piecewise((theta[t], Eq(mu[t - 1], 1)), (ax[t - 1] + mu[t - 1]*(theta[t] - ax[t - 1]), True))
    ax = choose(mu_prev_eq_one, lambda: theta, lambda: ax_prev + mu_prev * (theta - ax_prev))
    return {"param": theta, "ax": ax}


def on_gpu() -> ModuleType:
    """The fused kernel. Raises ImportError without Triton, or where this folder was copied without its sibling."""
    from ..triton_gpu import asgd
    return asgd


def on_cpu() -> ModuleType:
    """The fused step in C. Raises ImportError where this folder was copied without its sibling."""
    from ..c_cpu import asgd
    return asgd


class ASGD(RuleOptimizer):
    """ASGD: convex problems, averaged weights."""

    rule = UpdateRule(
        hypers=(
            Hyper("lr", at_least=0),
            Hyper("lambd"),
            Hyper("alpha"),
            Hyper("t0"),
            Hyper("weight_decay", at_least=0),
        ),
        keys=("step", "eta", "mu", "ax"),
        states=states,
        host=host,
        updates=(update,),
        fused={"cuda": on_gpu, "cpu": on_cpu},
    )

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 0.01,
        lambd: float = 0.0001,
        alpha: float = 0.75,
        t0: float = 1000000.0,
        weight_decay: float = 0,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "lambd": lambd,
            "alpha": alpha,
            "t0": t0,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)
