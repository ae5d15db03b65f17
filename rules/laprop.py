"""LaProp. Ziyin, Wang & Ueda, LaProp: Separating Momentum and Adaptivity in Adam, 2020,
https://arxiv.org/abs/2002.04839, Algorithm 1. Numbers as timm.optim.LaProp: the learning rate is inside the
momentum, and weight decay follows the step."""
from optgen import Eq, Ne, Piecewise, Rule, hyper, sqrt, t, tensors

theta, theta_new, g, v, m, eta, k = tensors("theta theta_new g v m eta k")
lr = hyper("lr", 4e-4, at_least=0)
beta1, beta2 = hyper("betas", (0.9, 0.999), at_least=0, below=1)
eps = hyper("eps", 1e-15, at_least=0)
weight_decay = hyper("weight_decay", 0, at_least=0)

rule = Rule(
    param=theta, grad=g,
    state_keys={m: "exp_avg", eta: "exp_avg_lr_1", v: "exp_avg_sq"},
    equations=[
        Eq(v[t], beta2 * v[t - 1] + (1 - beta2) * g[t] ** 2),
        Eq(eta[t], beta1 * eta[t - 1] + (1 - beta1) * lr),
        Eq(k[t], Piecewise((lr / eta[t], Ne(eta[t], 0)), (0, True))),
        Eq(m[t], beta1 * m[t - 1] + lr * (1 - beta1) * (g[t] / (sqrt(v[t] / (1 - beta2**t)) + eps))),
        Eq(theta_new[t], theta[t - 1] - k[t] * m[t]),
        Eq(theta[t], theta_new[t] * (1 - lr * weight_decay)),
    ],
    use="where Adam's beta2 must be small",
)
