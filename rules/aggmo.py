"""AggMo. Lucas, Sun, Zemel & Grosse, Aggregated Momentum: Stability Through Passive Damping, ICLR 2019,
https://arxiv.org/abs/1804.00325, equation 4, with three velocities. Numbers as pytorch_optimizer.AggMo with
weight_decouple=True."""
from optgen import Eq, Rule, hyper, t, tensors

theta, g, v1, v2, v3 = tensors("theta g v1 v2 v3")
lr = hyper("lr", 1e-3, at_least=0)
beta1, beta2, beta3 = hyper("betas", (0.0, 0.9, 0.99), at_least=0, below=1)
weight_decay = hyper("weight_decay", 0, at_least=0)

rule = Rule(
    param=theta, grad=g,
    equations=[
        Eq(v1[t], beta1 * v1[t - 1] + g[t]),
        Eq(v2[t], beta2 * v2[t - 1] + g[t]),
        Eq(v3[t], beta3 * v3[t - 1] + g[t]),
        Eq(theta[t], theta[t - 1] * (1 - lr * weight_decay) - lr / 3 * (v1[t] + v2[t] + v3[t])),
    ],
    use="momentum that does not oscillate",
)
