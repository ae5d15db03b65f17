"""Adagrad. Duchi, Hazan & Singer, Adaptive Subgradient Methods for Online Learning and Stochastic
Optimization, JMLR 2011. https://jmlr.org/papers/v12/duchi11a.html, Figure 1. Numbers as
torch.optim.Adagrad."""
from optgen import Eq, Ne, Piecewise, Rule, hyper, sqrt, t, tensors

theta, g, g_wd, G, eta = tensors("theta g g_wd G eta")
lr = hyper("lr", 1e-2, at_least=0)
lr_decay = hyper("lr_decay", 0, at_least=0)
weight_decay = hyper("weight_decay", 0, at_least=0)
initial = hyper("initial_accumulator_value", 0, at_least=0)
eps = hyper("eps", 1e-10, at_least=0)

rule = Rule(
    param=theta, grad=g,
    state_keys={t: "step", G: "sum"},
    init={G: initial},
    equations=[
        Eq(eta[t], lr / (1 + (t - 1) * lr_decay)),
        Eq(g_wd[t], Piecewise((g[t] + weight_decay * theta[t - 1], Ne(weight_decay, 0)), (g[t], True))),
        Eq(G[t], G[t - 1] + g_wd[t] ** 2),
        Eq(theta[t], theta[t - 1] - eta[t] * (g_wd[t] / (sqrt(G[t]) + eps))),
    ],
    signature="lr lr_decay weight_decay initial_accumulator_value eps foreach * "
              "maximize differentiable fused",
    state_at_construction=True,
    sparse=True,
    typical_lr={"sparse features": (1e-2, 1e-1)},
    use="sparse features",
)
