"""SGD. Written by optgen 0.1.0 (format 1) from rules/sgd.py; do not edit.

    optgen build sgd --backend torch

Robbins & Monro, A Stochastic Approximation Method, 1951, https://doi.org/10.1214/aoms/1177729586; momentum and
Nesterov's as in Sutskever, Martens, Dahl & Hinton, On the importance of initialization and momentum in deep
learning, ICML 2013, https://proceedings.mlr.press/v28/sutskever13.html. Numbers as torch.optim.SGD.

    g_wd[t] = Piecewise((g[t] + weight_decay*theta[t - 1], Ne(weight_decay, 0)), (g[t], True))
    b[t] = Piecewise((g_wd[t], first), (momentum*b[t - 1] + (1 - dampening)*g_wd[t], True))
    d[t] = Piecewise((Piecewise((g_wd[t] + momentum*b[t], nesterov), (b[t], True)), Ne(momentum, 0)), (g_wd[t],
        True))
    theta[t] = theta[t - 1] - lr*d[t]
"""

from __future__ import annotations

from types import ModuleType

from torch import Tensor
from torch.optim.optimizer import ParamsT

from ._runtime import Hyper, RuleOptimizer, Scalar, State, UpdateRule


def states(*, momentum: Scalar) -> dict[str, State]:
    """What is kept from step to step, by its key in a checkpoint."""
    kept: dict[str, State] = {}
    if momentum != 0:
        kept["momentum_buffer"] = State("b")
    return kept


def host(first: bool, *, momentum: Scalar, dampening: Scalar) -> dict[str, Scalar]:
    """Scalars of one step, computed once for all parameters that share them."""
    scalars: dict[str, Scalar] = {}
    if momentum != 0:
        scalars["first"] = first
        scalars["one_minus_dampening"] = 1 - dampening
    return scalars


def update(
    theta_prev: Tensor,
    g: Tensor,
    *,
    b_prev: Tensor | None = None,
    lr: Scalar,
    momentum: Scalar,
    weight_decay: Scalar,
    nesterov: bool,
    first: bool = False,
    one_minus_dampening: Scalar = 0.0,
) -> dict[str, Tensor]:
    """One step of one parameter, without side effects. All tensors have the compute dtype."""
    # g_wd[t] = Piecewise((g[t] + weight_decay*theta[t - 1], Ne(weight_decay, 0)), (g[t], True))
    if weight_decay != 0:
        g_wd = g + weight_decay * theta_prev
    else:
        g_wd = g
    if momentum != 0:
        # b[t] = Piecewise((g_wd[t], first), (momentum*b[t - 1] + (1 - dampening)*g_wd[t], True))
        b = g_wd if first else momentum * b_prev + one_minus_dampening * g_wd
    # d[t] = Piecewise((Piecewise((g_wd[t] + momentum*b[t], nesterov), (b[t], True)), Ne(momentum, 0)),
    #     (g_wd[t], True))
    if momentum != 0:
        if nesterov:
            d = g_wd + momentum * b
        else:
            d = b
    else:
        d = g_wd
    # theta[t] = theta[t - 1] - lr*d[t]
    theta = theta_prev - lr * d
    new = {"param": theta}
    if momentum != 0:
        new["momentum_buffer"] = b
    return new


def requires(*, momentum: Scalar, dampening: Scalar, nesterov: bool) -> str:
    """What is wrong with hyperparameters that do not go together; empty if nothing is."""
    if not ((momentum > 0 and dampening == 0) or not nesterov):
        return "Nesterov momentum requires a momentum and zero dampening"
    return ""


def on_gpu() -> ModuleType:
    """The fused kernel. Raises ImportError without Triton, or where this folder was copied without its sibling."""
    from ..triton_gpu import sgd
    return sgd


def on_cpu() -> ModuleType:
    """The fused step in C. Raises ImportError where this folder was copied without its sibling."""
    from ..c_cpu import sgd
    return sgd


class SGD(RuleOptimizer):
    """SGD: simple models, vision."""

    rule = UpdateRule(
        hypers=(
            Hyper("lr", at_least=0),
            Hyper("momentum", at_least=0),
            Hyper("dampening"),
            Hyper("weight_decay", at_least=0),
            Hyper("nesterov", flag=True),
        ),
        keys=("momentum_buffer",),
        states=states,
        host=host,
        updates=(update,),
        requires=requires,
        fused={"cuda": on_gpu, "cpu": on_cpu},
        sparse=True,
    )

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 0.001,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
            "maximize": maximize,
            "foreach": foreach,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, defaults)
