"""Yogi. Zaheer, Reddi, Sachan, Kale & Kumar, Adaptive Methods for Nonconvex Optimization, NeurIPS 2018,
https://papers.nips.cc/paper/8186-adaptive-methods-for-nonconvex-optimization, Algorithm 2. Numbers as
pytorch_optimizer.Yogi."""
from optgen import Eq, Rule, hyper, sign, sqrt, t, tensors

theta, g, m, v = tensors("theta g m v")
lr = hyper("lr", 1e-2, at_least=0)
beta1, beta2 = hyper("betas", (0.9, 0.999), at_least=0, below=1)
initial_accumulator = hyper("initial_accumulator", 1e-6, at_least=0)
weight_decay = hyper("weight_decay", 0, at_least=0)
eps = hyper("eps", 1e-3, at_least=0)

rule = Rule(
    param=theta, grad=g,
    state_keys={m: "exp_avg", v: "exp_avg_sq"},
    init={m: initial_accumulator, v: initial_accumulator},
    equations=[
        Eq(m[t], beta1 * m[t - 1] + (1 - beta1) * g[t]),
        Eq(v[t], v[t - 1] - (1 - beta2) * sign(v[t - 1] - g[t] ** 2) * g[t] ** 2),
        Eq(theta[t], theta[t - 1] * (1 - lr * weight_decay)
           - lr / (1 - beta1**t) * (m[t] / (sqrt(v[t]) / sqrt(1 - beta2**t) + eps))),
    ],
    use="sparse or heavy-tailed gradients",
)
