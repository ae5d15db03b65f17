"""AdamMini. Zhang, Chen, Li, Ding, Wu, Kingma, Ye, Luo & Sun, Adam-mini: Use Fewer Learning Rates To Gain
More, ICLR 2025, https://arxiv.org/abs/2406.16793, Algorithm 1, with a block for each row of a matrix and one
for any other tensor. Numbers as adam_mini.Adam_mini for MLPs, values, projections, embeddings, outputs and
normalisation; it has a block for each head of queries and keys, and for each element of a bias."""
from optgen import Eq, Rule, cols, elems, hyper, mean, sqrt, t, tensors

theta, g, m, v = tensors("theta g m v")
lr = hyper("lr", 1e-3, at_least=0)
beta1, beta2 = hyper("betas", (0.9, 0.999), at_least=0, below=1)
eps = hyper("eps", 1e-8, at_least=0)
weight_decay = hyper("weight_decay", 0, at_least=0)
keys = {m: "m", v: "vmean"}
first_moment = Eq(m[t], beta1 * m[t - 1] + (1 - beta1) * g[t])
update = Eq(theta[t], theta[t - 1] * (1 - lr * weight_decay)
            - lr / (1 - beta1**t) / (sqrt(v[t]) / sqrt(1 - beta2**t) + eps) * m[t])
of_a_row = Eq(v[t], beta2 * v[t - 1] + (1 - beta2) * mean(g[t] ** 2, cols))
of_all = Eq(v[t], beta2 * v[t - 1] + (1 - beta2) * mean(g[t] ** 2, elems))

rule = Rule(param=theta, grad=g, state_keys=keys, equations=[first_moment, of_a_row, update], min_ndim=2,
            otherwise=Rule(param=theta, grad=g, state_keys=keys, equations=[first_moment, of_all, update]),
            use="LLM training with one state")
