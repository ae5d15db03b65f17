"""MARS. Yuan, Liu, Wu, Zhou & Gu, MARS: Unleashing the Power of Variance Reduction for Training Large
Models, ICML 2025, https://arxiv.org/abs/2411.10438, Algorithm 2: MARS-AdamW with the gradient of the last
step. Numbers as timm.optim.Mars with optimize_1d=True; the first step has no last gradient."""
from optgen import Eq, Max, Piecewise, Rule, elems, hyper, norm, sqrt, t, tensors

theta, g, g_old, c, c_clip, m, v = tensors("theta g g_old c c_clip m v")
lr = hyper("lr", 3e-3, at_least=0)
beta1, beta2 = hyper("betas", (0.9, 0.99), at_least=0, below=1)
eps = hyper("eps", 1e-8, at_least=0)
weight_decay = hyper("weight_decay", 0, at_least=0)
gamma = hyper("gamma", 0.025)

rule = Rule(
    param=theta, grad=g,
    state_keys={m: "exp_avg", v: "exp_avg_sq", g_old: "last_grad"},
    equations=[
        Eq(c[t], Piecewise((g[t], Eq(t, 1)),
                           (g[t] + gamma * (beta1 / (1 - beta1)) * (g[t] - g_old[t - 1]), True))),
        Eq(c_clip[t], c[t] / Max(norm(c[t], elems), 1)),
        Eq(m[t], beta1 * m[t - 1] + (1 - beta1) * c_clip[t]),
        Eq(v[t], beta2 * v[t - 1] + (1 - beta2) * c_clip[t] ** 2),
        Eq(g_old[t], g[t]),
        Eq(theta[t], theta[t - 1] - lr * (m[t] / (1 - beta1**t) / (sqrt(v[t]) / sqrt(1 - beta2**t) + eps)
                                          + weight_decay * theta[t - 1])),
    ],
    use="LLM training with noisy gradients",
)
