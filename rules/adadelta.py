"""Adadelta. Zeiler, ADADELTA: An Adaptive Learning Rate Method, 2012, https://arxiv.org/abs/1212.5701,
Algorithm 1. Numbers as torch.optim.Adadelta."""
from optgen import Eq, Ne, Piecewise, Rule, hyper, sqrt, t, tensors

theta, g, g_wd, v, u, d = tensors("theta g g_wd v u d")
lr = hyper("lr", 1.0, at_least=0)
rho = hyper("rho", 0.9, at_least=0, at_most=1)
eps = hyper("eps", 1e-6, at_least=0)
weight_decay = hyper("weight_decay", 0, at_least=0)

rule = Rule(
    param=theta, grad=g,
    state_keys={t: "step", v: "square_avg", u: "acc_delta"},
    equations=[
        Eq(g_wd[t], Piecewise((g[t] + weight_decay * theta[t - 1], Ne(weight_decay, 0)), (g[t], True))),
        Eq(v[t], rho * v[t - 1] + (1 - rho) * g_wd[t] ** 2),
        Eq(d[t], sqrt(u[t - 1] + eps) / sqrt(v[t] + eps) * g_wd[t]),
        Eq(u[t], rho * u[t - 1] + (1 - rho) * d[t] ** 2),
        Eq(theta[t], theta[t - 1] - lr * d[t]),
    ],
    signature="lr rho eps weight_decay foreach * capturable maximize differentiable",
    use="no learning rate to tune",
)
