"""CautiousAdamW. Liang, Chen, Liu & Liu, Cautious Optimizers: Improving Training with One Line of Code,
2024, https://arxiv.org/abs/2411.16085, Algorithm 1 on AdamW. Numbers as timm.optim.AdamWLegacy with
caution=True."""
from optgen import Eq, Max, Piecewise, Rule, elems, hyper, mean, sqrt, t, tensors

theta, g, m, v, phi, k = tensors("theta g m v phi k")
lr = hyper("lr", 1e-3, at_least=0)
beta1, beta2 = hyper("betas", (0.9, 0.999), at_least=0, below=1)
eps = hyper("eps", 1e-8, at_least=0)
weight_decay = hyper("weight_decay", 0.01, at_least=0)

rule = Rule(
    param=theta, grad=g,
    state_keys={m: "exp_avg", v: "exp_avg_sq"},
    equations=[
        Eq(m[t], beta1 * m[t - 1] + (1 - beta1) * g[t]),
        Eq(v[t], beta2 * v[t - 1] + (1 - beta2) * g[t] ** 2),
        Eq(phi[t], Piecewise((1, m[t] * g[t] > 0), (0, True))),
        Eq(k[t], phi[t] / Max(mean(phi[t], elems), 1e-3)),
        Eq(theta[t], theta[t - 1] * (1 - lr * weight_decay)
           - lr / (1 - beta1**t) * (k[t] * m[t] / (sqrt(v[t]) / sqrt(1 - beta2**t) + eps))),
    ],
    use="LLM training, wherever AdamW is",
)
