"""SGDW. Loshchilov & Hutter, Decoupled Weight Decay Regularization, ICLR 2019,
https://arxiv.org/abs/1711.05101, Algorithm 1. Numbers as pytorch_optimizer.SGDW with dampening=0."""
from optgen import Eq, Piecewise, Rule, flag, hyper, t, tensors

theta, g, b, d = tensors("theta g b d")
lr = hyper("lr", 1e-4, at_least=0)
momentum = hyper("momentum", 0, at_least=0, below=1)
weight_decay = hyper("weight_decay", 0, at_least=0)
nesterov = flag("nesterov", False)

rule = Rule(
    param=theta, grad=g,
    state_keys={b: "momentum_buffer"},
    equations=[
        Eq(b[t], momentum * b[t - 1] + g[t]),
        Eq(d[t], Piecewise((g[t] + momentum * b[t], nesterov), (b[t], True))),
        Eq(theta[t], theta[t - 1] * (1 - lr * weight_decay) - lr * d[t]),
    ],
    use="vision",
)
