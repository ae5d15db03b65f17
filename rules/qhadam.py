"""QHAdam. Ma & Yarats, Quasi-hyperbolic momentum and Adam for deep learning, ICLR 2019,
https://arxiv.org/abs/1810.06801, equations 17 to 20. Numbers as pytorch_optimizer.QHAdam with
weight_decouple=True."""
from optgen import Eq, Rule, hyper, sqrt, t, tensors

theta, g, m, v, w1, w2, u, s = tensors("theta g m v w1 w2 u s")
lr = hyper("lr", 1e-3, at_least=0)
beta1, beta2 = hyper("betas", (0.9, 0.999), at_least=0, below=1)
nu1, nu2 = hyper("nus", (1.0, 1.0), at_least=0, at_most=1)
weight_decay = hyper("weight_decay", 0, at_least=0)
eps = hyper("eps", 1e-8, at_least=0)

rule = Rule(
    param=theta, grad=g,
    state_keys={w1: "beta1_weight", w2: "beta2_weight", m: "exp_avg", v: "exp_avg_sq"},
    equations=[
        Eq(w1[t], beta1 * w1[t - 1] + 1),
        Eq(w2[t], beta2 * w2[t - 1] + 1),
        Eq(m[t], m[t - 1] + (g[t] - m[t - 1]) / w1[t]),
        Eq(v[t], v[t - 1] + (g[t] ** 2 - v[t - 1]) / w2[t]),
        Eq(u[t], nu1 * m[t] + (1 - nu1) * g[t]),
        Eq(s[t], nu2 * v[t] + (1 - nu2) * g[t] ** 2),
        Eq(theta[t], theta[t - 1] * (1 - lr * weight_decay) - lr * (u[t] / (sqrt(s[t]) + eps))),
    ],
    use="between SGD with momentum and Adam",
)
