"""NAdamW. Dozat, Incorporating Nesterov Momentum into Adam, ICLR Workshop 2016,
https://openreview.net/forum?id=OM0jvwB8jIp57ZJjtNEZ, with decoupled weight decay as in Dahl et al.,
Benchmarking Neural Network Training Algorithms, 2023, https://arxiv.org/abs/2306.07179. Numbers as
timm.optim.NAdamW."""
from optgen import Eq, Rule, hyper, sqrt, t, tensors

theta, g, m, v, m_ahead = tensors("theta g m v m_ahead")
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
        Eq(m_ahead[t], beta1 * m[t] + (1 - beta1) * g[t]),
        Eq(theta[t], theta[t - 1] * (1 - lr * weight_decay)
           - lr / (1 - beta1**t) * (m_ahead[t] / (sqrt(v[t]) / sqrt(1 - beta2**t) + eps))),
    ],
    use="large batches, vision transformers",
)
