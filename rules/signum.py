"""Signum. Bernstein, Wang, Azizzadenesheli & Anandkumar, signSGD: Compressed Optimisation for Non-Convex
Problems, ICML 2018, https://arxiv.org/abs/1802.04434, Algorithm 2; signSGD with momentum=0. Numbers as
pytorch_optimizer.SignSGD."""
from optgen import Eq, Rule, hyper, sign, t, tensors

theta, g, m = tensors("theta g m")
lr = hyper("lr", 1e-3, at_least=0)
momentum = hyper("momentum", 0.9, at_least=0, below=1)
weight_decay = hyper("weight_decay", 0, at_least=0)

rule = Rule(
    param=theta, grad=g,
    state_keys={m: "momentum_buffer"},
    equations=[
        Eq(m[t], momentum * m[t - 1] + (1 - momentum) * g[t]),
        Eq(theta[t], theta[t - 1] * (1 - lr * weight_decay) - lr * sign(m[t])),
    ],
    use="few bits to communicate",
)
