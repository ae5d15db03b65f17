"""Adan. Xie, Zhou, Li, Lin & Yan, Adan: Adaptive Nesterov Momentum Algorithm for Faster Optimizing Deep
Models, TPAMI 2024, https://arxiv.org/abs/2208.06677, Algorithm 1. Numbers as timm.optim.Adan."""
from optgen import Eq, Piecewise, Rule, flag, hyper, sqrt, t, tensors

theta, g, m, d, n, change, D, u = tensors("theta g m d n change D u")
lr = hyper("lr", 1e-3, at_least=0)
beta1, beta2, beta3 = hyper("betas", (0.98, 0.92, 0.99), at_least=0, below=1)
eps = hyper("eps", 1e-8, at_least=0)
weight_decay = hyper("weight_decay", 0, at_least=0)
no_prox = flag("no_prox", False)

rule = Rule(
    param=theta, grad=g,
    state_keys={t: "step", m: "exp_avg", d: "exp_avg_diff", n: "exp_avg_sq", g: "previous_grad"},
    init={g: g},
    equations=[
        Eq(change[t], g[t] - g[t - 1]),
        Eq(m[t], beta1 * m[t - 1] + (1 - beta1) * g[t]),
        Eq(d[t], beta2 * d[t - 1] + (1 - beta2) * change[t]),
        Eq(n[t], beta3 * n[t - 1] + (1 - beta3) * (g[t] + beta2 * change[t]) ** 2),
        Eq(D[t], sqrt(n[t]) / sqrt(1 - beta3**t) + eps),
        Eq(u[t], lr / (1 - beta1**t) * (m[t] / D[t]) + lr * beta2 / (1 - beta2**t) * (d[t] / D[t])),
        Eq(theta[t], Piecewise((theta[t - 1] * (1 - lr * weight_decay) - u[t], no_prox),
                               ((theta[t - 1] - u[t]) / (1 + lr * weight_decay), True))),
    ],
    use="large batches, vision transformers",
)
