"""LARS. You, Gitman & Ginsburg, Large Batch Training of Convolutional Networks, 2017,
https://arxiv.org/abs/1708.03888, Algorithm 1; trust_clip: LARC. Numbers as timm.optim.Lars with dampening=0,
which adapts nothing where weight_decay is 0."""
from optgen import Eq, Max, Min, Ne, Piecewise, Rule, elems, flag, hyper, norm, t, tensors

theta, g, g_used, w_norm, g_norm, r, trust, b, d = tensors("theta g g_used w_norm g_norm r trust b d")
lr = hyper("lr", 1.0, at_least=0)
momentum = hyper("momentum", 0, at_least=0)
weight_decay = hyper("weight_decay", 0, at_least=0)
nesterov = flag("nesterov", False)
trust_coeff = hyper("trust_coeff", 0.001)
eps = hyper("eps", 1e-8, at_least=0)
trust_clip = flag("trust_clip", False)

rule = Rule(
    param=theta, grad=g,
    state_keys={b: "momentum_buffer"},
    equations=[
        Eq(w_norm[t], norm(theta[t - 1], elems)),
        Eq(g_norm[t], norm(g[t], elems)),
        Eq(r[t], Piecewise((trust_coeff * w_norm[t] / (g_norm[t] + weight_decay * w_norm[t] + eps),
                            (w_norm[t] > 0) & (g_norm[t] > 0)), (1, True))),
        Eq(trust[t], Piecewise((Min(r[t] / Max(lr, 1e-30), 1), trust_clip), (r[t], True))),
        Eq(g_used[t], Piecewise((trust[t] * (g[t] + weight_decay * theta[t - 1]), Ne(weight_decay, 0)),
                                (g[t], True))),
        Eq(b[t], momentum * b[t - 1] + g_used[t]),
        Eq(d[t], Piecewise((g_used[t] + momentum * b[t], nesterov), (b[t], True))),
        Eq(theta[t], theta[t - 1] - lr * d[t]),
    ],
    requires=[(~nesterov | (momentum > 0), "Nesterov momentum requires a momentum and zero dampening")],
    use="large batches, vision",
)
