"""DiffGrad. Dubey, Chakraborty, Roy, Mukherjee, Singh & Chaudhuri, diffGrad: An Optimization Method for
Convolutional Neural Networks, IEEE TNNLS 31(11), 2020, https://arxiv.org/abs/1909.11015, equations 9 to 12.
Numbers as pytorch_optimizer.DiffGrad, which adds 1e-15 to v."""
from optgen import Abs, Eq, Rule, exp, hyper, sqrt, t, tensors

theta, g, g_old, m, v, xi = tensors("theta g g_old m v xi")
lr = hyper("lr", 1e-3, at_least=0)
beta1, beta2 = hyper("betas", (0.9, 0.999), at_least=0, below=1)
eps = hyper("eps", 1e-8, at_least=0)
weight_decay = hyper("weight_decay", 0, at_least=0)

rule = Rule(
    param=theta, grad=g,
    state_keys={m: "exp_avg", v: "exp_avg_sq", g_old: "previous_grad"},
    equations=[
        Eq(m[t], beta1 * m[t - 1] + (1 - beta1) * g[t]),
        Eq(v[t], beta2 * v[t - 1] + (1 - beta2) * g[t] ** 2),
        Eq(xi[t], 1 / (1 + exp(-Abs(g_old[t - 1] - g[t])))),
        Eq(g_old[t], g[t]),
        Eq(theta[t], theta[t - 1] * (1 - lr * weight_decay)
           - lr * sqrt(1 - beta2**t) / (1 - beta1**t) * (xi[t] * m[t] / (sqrt(v[t] + 1e-15) + eps))),
    ],
    use="vision",
)
