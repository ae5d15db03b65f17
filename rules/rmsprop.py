"""RMSprop. Tieleman & Hinton, Lecture 6.5, COURSERA: Neural Networks for Machine Learning, 2012; centered as
in Graves, Generating Sequences With Recurrent Neural Networks, 2013, https://arxiv.org/abs/1308.0850,
equations 38 to 45. Numbers as torch.optim.RMSprop: eps is added outside the root, the learning rate stays
outside the momentum buffer."""
from optgen import Eq, Ne, Piecewise, Rule, flag, hyper, sqrt, t, tensors

theta, g, g_wd, v, a, s, u, b, d = tensors("theta g g_wd v a s u b d")
lr = hyper("lr", 1e-2, at_least=0)
alpha = hyper("alpha", 0.99, at_least=0)
eps = hyper("eps", 1e-8, at_least=0)
weight_decay = hyper("weight_decay", 0, at_least=0)
momentum = hyper("momentum", 0, at_least=0)
centered = flag("centered", False)

rule = Rule(
    param=theta, grad=g,
    state_keys={t: "step", v: "square_avg", b: "momentum_buffer", a: "grad_avg"},
    equations=[
        Eq(g_wd[t], Piecewise((g[t] + weight_decay * theta[t - 1], Ne(weight_decay, 0)), (g[t], True))),
        Eq(v[t], alpha * v[t - 1] + (1 - alpha) * g_wd[t] ** 2),
        Eq(a[t], alpha * a[t - 1] + (1 - alpha) * g_wd[t]),
        Eq(s[t], Piecewise((v[t] - a[t] ** 2, centered), (v[t], True))),
        Eq(u[t], g_wd[t] / (sqrt(s[t]) + eps)),
        Eq(b[t], momentum * b[t - 1] + u[t]),
        Eq(d[t], Piecewise((b[t], Ne(momentum, 0)), (u[t], True))),
        Eq(theta[t], theta[t - 1] - lr * d[t]),
    ],
    signature="lr alpha eps weight_decay momentum centered capturable foreach maximize differentiable",
    typical_lr={"recurrent networks": (1e-4, 1e-2)},
    use="recurrent networks, reinforcement learning",
)
