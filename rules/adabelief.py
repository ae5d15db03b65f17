"""AdaBelief. Zhuang, Tang, Ding, Tatikonda, Dvornek, Papademetris & Duncan, AdaBelief Optimizer: Adapting
Stepsizes by the Belief in Observed Gradients, NeurIPS 2020, https://arxiv.org/abs/2010.07468, Algorithm 2.
Numbers as pytorch_optimizer.AdaBelief."""
from optgen import Eq, Rule, hyper, sqrt, t, tensors

theta, g, m, s = tensors("theta g m s")
lr = hyper("lr", 1e-3, at_least=0)
beta1, beta2 = hyper("betas", (0.9, 0.999), at_least=0, below=1)
eps = hyper("eps", 1e-16, at_least=0)
weight_decay = hyper("weight_decay", 0, at_least=0)

rule = Rule(
    param=theta, grad=g,
    state_keys={m: "exp_avg", s: "exp_avg_var"},
    equations=[
        Eq(m[t], beta1 * m[t - 1] + (1 - beta1) * g[t]),
        Eq(s[t], beta2 * s[t - 1] + (1 - beta2) * (g[t] - m[t]) ** 2 + eps),
        Eq(theta[t], theta[t - 1] * (1 - lr * weight_decay)
           - lr / (1 - beta1**t) * (m[t] / (sqrt(s[t]) / sqrt(1 - beta2**t) + eps))),
    ],
    use="vision, GANs",
)
