"""AdaBound. Luo, Xiong, Liu & Sun, Adaptive Gradient Methods with Dynamic Bound of Learning Rate, ICLR 2019,
https://arxiv.org/abs/1902.09843, Algorithm 2. Numbers as pytorch_optimizer.AdaBound, which adds 1e-15 to v;
the bounds follow the learning rate from its first value, which is kept."""
from optgen import Eq, Piecewise, Rule, clip, hyper, sqrt, t, tensors

theta, g, m, v, base, last, eta = tensors("theta g m v base last eta")
lr = hyper("lr", 1e-3, at_least=0)
final_lr = hyper("final_lr", 0.1, at_least=0)
beta1, beta2 = hyper("betas", (0.9, 0.999), at_least=0, below=1)
gamma = hyper("gamma", 1e-3, above=0)
weight_decay = hyper("weight_decay", 0, at_least=0)
eps = hyper("eps", 1e-8, at_least=0)

rule = Rule(
    param=theta, grad=g,
    state_keys={m: "exp_avg", v: "exp_avg_sq", base: "base_lr"},
    equations=[
        Eq(m[t], beta1 * m[t - 1] + (1 - beta1) * g[t]),
        Eq(v[t], beta2 * v[t - 1] + (1 - beta2) * g[t] ** 2),
        Eq(base[t], Piecewise((base[t - 1], base[t - 1] > 0), (lr, True))),
        Eq(last[t], Piecewise((final_lr * lr / base[t], base[t] > 0), (0, True))),
        Eq(eta[t], clip(lr * sqrt(1 - beta2**t) / (1 - beta1**t) / (sqrt(v[t] + 1e-15) + eps),
                        last[t] * (1 - 1 / (gamma * t + 1)), last[t] * (1 + 1 / (gamma * t)))),
        Eq(theta[t], theta[t - 1] * (1 - lr * weight_decay) - eta[t] * m[t]),
    ],
    use="from Adam at the start to SGD at the end",
)
