"""Tiger. Su, Tiger: A Tight-fisted Optimizer, 2023, https://github.com/bojone/tiger. Numbers as
pytorch_optimizer.Tiger."""
from optgen import Eq, Rule, hyper, sign, t, tensors

theta, g, m = tensors("theta g m")
lr = hyper("lr", 1e-3, at_least=0)
beta = hyper("beta", 0.965, at_least=0, below=1)
weight_decay = hyper("weight_decay", 0.01, at_least=0)

rule = Rule(
    param=theta, grad=g,
    state_keys={m: "exp_avg"},
    equations=[
        Eq(m[t], beta * m[t - 1] + (1 - beta) * g[t]),
        Eq(theta[t], theta[t - 1] * (1 - lr * weight_decay) - lr * sign(m[t])),
    ],
    use="LLM training with one state",
)
