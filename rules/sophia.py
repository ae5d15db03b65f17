"""Sophia. Liu, Li, Hall, Liang & Ma, Sophia: A Scalable Stochastic Second-order Optimizer for Language Model
Pre-training, ICLR 2024, https://arxiv.org/abs/2305.14342, Algorithm 3, with the estimate of Algorithm 2.
Numbers as SophiaG of github.com/Liuhong99/Sophia. `hessian` is the square of the gradient of a loss whose
labels are drawn from the model, bs the number of tokens of a batch. Give it once in k steps, 10 in the paper,
where the authors call update_hessian before the step; all other steps go without."""
from optgen import Abs, Eq, Min, Piecewise, Rule, given, hyper, sign, t, tensors

theta, g, m, h, H = tensors("theta g m h H")
lr = hyper("lr", 1e-4, at_least=0)
beta1, beta2 = hyper("betas", (0.965, 0.99), at_least=0, below=1)
rho = hyper("rho", 0.04, at_least=0)
weight_decay = hyper("weight_decay", 0.1, at_least=0)
bs = hyper("bs", 5120, above=0)

rule = Rule(
    param=theta, grad=g, inputs={H: "hessian"},
    state_keys={t: "step", m: "exp_avg", h: "hessian"},
    equations=[
        Eq(h[t], Piecewise((beta2 * h[t - 1] + (1 - beta2) * H[t], given(H)), (h[t - 1], True))),
        Eq(m[t], beta1 * m[t - 1] + (1 - beta1) * g[t]),
        Eq(theta[t], theta[t - 1] * (1 - lr * weight_decay)
           - lr * (sign(m[t]) * Min(Abs(m[t]) / (rho * bs * h[t] + 1e-15), 1))),
    ],
    use="pre-training language models")
