"""StableAdamW. Wortsman, Dettmers, Zettlemoyer, Morcos, Farhadi & Schmidt, Stable and low-precision training
for large-scale vision-language models, NeurIPS 2023, https://arxiv.org/abs/2304.13013, Algorithm 2. Numbers
as pytorch_optimizer.StableAdamW."""
from optgen import Eq, Max, Rule, elems, hyper, mean, sqrt, t, tensors

theta, g, m, v, h1, h2, rms_t, eta = tensors("theta g m v h1 h2 rms_t eta")
lr = hyper("lr", 1e-3, at_least=0)
beta1, beta2 = hyper("betas", (0.9, 0.99), at_least=0, below=1)
eps = hyper("eps", 1e-8, at_least=0)
weight_decay = hyper("weight_decay", 0.01, at_least=0)

rule = Rule(
    param=theta, grad=g,
    state_keys={m: "exp_avg", v: "exp_avg_sq"},
    equations=[
        Eq(h1[t], beta1 * (1 - beta1 ** (t - 1)) / (1 - beta1**t)),
        Eq(h2[t], beta2 * (1 - beta2 ** (t - 1)) / (1 - beta2**t)),
        Eq(m[t], h1[t] * m[t - 1] + (1 - h1[t]) * g[t]),
        Eq(v[t], h2[t] * v[t - 1] + (1 - h2[t]) * g[t] ** 2),
        Eq(rms_t[t], sqrt(mean(g[t] ** 2 / Max(v[t], eps**2), elems))),
        Eq(eta[t], lr / Max(1, rms_t[t])),
        Eq(theta[t], theta[t - 1] * (1 - eta[t] * weight_decay) - eta[t] * (m[t] / (sqrt(v[t]) + eps))),
    ],
    use="training in low precision, without gradient clipping",
)
