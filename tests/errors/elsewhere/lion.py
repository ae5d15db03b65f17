"""Lion. Chen et al., Symbolic Discovery of Optimization Algorithms, NeurIPS 2023.
https://arxiv.org/abs/2302.06675, Algorithm 2. Numbers as lion-pytorch."""
from optgen import Eq, Rule, hyper, sign, t, tensors

theta, g, m, u = tensors("theta g m u")
lr = hyper("lr", 1e-4, at_least=0)
beta1, beta2 = hyper("betas", (0.9, 0.99), at_least=0, below=1)
weight_decay = hyper("weight_decay", 0.0, at_least=0)

rule = Rule(
    param=theta, grad=g,
    state_keys={m: "exp_avg"},
    equations=[
        Eq(u[t], sign(beta1 * m[t - 1] + (1 - beta1) * g[t])),
        Eq(m[t], beta2 * m[t - 1] + (1 - beta2) * g[t]),
        Eq(theta[t], theta[t - 1] * (1 - lr * weight_decay) - lr * u[t]),
    ],
    typical_lr={"pretraining": (1e-5, 1e-4)},
    use="large batches; one state per parameter",
)
