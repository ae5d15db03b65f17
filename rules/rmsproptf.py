"""RMSpropTF. Tieleman & Hinton, Lecture 6.5, COURSERA: Neural Networks for Machine Learning, 2012, as
TensorFlow computes it: the average starts at 1, eps is inside the root, the learning rate inside the
momentum. Numbers as timm.optim.RMSpropTF."""
from optgen import Eq, Ne, Piecewise, Rule, flag, hyper, sqrt, t, tensors

theta, g, g_wd, v, a, s, u, b, d = tensors("theta g g_wd v a s u b d")
lr = hyper("lr", 1e-2, at_least=0)
alpha = hyper("alpha", 0.9, at_least=0)
eps = hyper("eps", 1e-10, at_least=0)
weight_decay = hyper("weight_decay", 0, at_least=0)
momentum = hyper("momentum", 0, at_least=0)
centered = flag("centered", False)

rule = Rule(
    param=theta, grad=g,
    state_keys={t: "step", v: "square_avg", b: "momentum_buffer", a: "grad_avg"},
    init={v: 1},
    equations=[
        Eq(g_wd[t], Piecewise((g[t] + weight_decay * theta[t - 1], Ne(weight_decay, 0)), (g[t], True))),
        Eq(v[t], v[t - 1] + (1 - alpha) * (g_wd[t] ** 2 - v[t - 1])),
        Eq(a[t], a[t - 1] + (1 - alpha) * (g_wd[t] - a[t - 1])),
        Eq(s[t], Piecewise((v[t] - a[t] ** 2, centered), (v[t], True))),
        Eq(u[t], lr * (g_wd[t] / sqrt(s[t] + eps))),
        Eq(b[t], momentum * b[t - 1] + u[t]),
        Eq(d[t], Piecewise((b[t], Ne(momentum, 0)), (u[t], True))),
        Eq(theta[t], theta[t - 1] - d[t]),
    ],
    use="EfficientNet and other models tuned in TensorFlow",
)
