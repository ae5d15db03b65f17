"""SGD. Robbins & Monro, A Stochastic Approximation Method, 1951, https://doi.org/10.1214/aoms/1177729586;
momentum and Nesterov's as in Sutskever, Martens, Dahl & Hinton, On the importance of initialization and
momentum in deep learning, ICML 2013, https://proceedings.mlr.press/v28/sutskever13.html. Numbers as
torch.optim.SGD."""
from optgen import Eq, Ne, Piecewise, Rule, first, flag, hyper, t, tensors

theta, g, g_wd, b, d = tensors("theta g g_wd b d")
lr = hyper("lr", 1e-3, at_least=0)
momentum = hyper("momentum", 0, at_least=0)
dampening = hyper("dampening", 0)
weight_decay = hyper("weight_decay", 0, at_least=0)
nesterov = flag("nesterov", False)
look_ahead = Piecewise((g_wd[t] + momentum * b[t], nesterov), (b[t], True))

rule = Rule(
    param=theta, grad=g,
    state_keys={b: "momentum_buffer"},
    equations=[
        Eq(g_wd[t], Piecewise((g[t] + weight_decay * theta[t - 1], Ne(weight_decay, 0)), (g[t], True))),
        Eq(b[t], Piecewise((g_wd[t], first), (momentum * b[t - 1] + (1 - dampening) * g_wd[t], True))),
        Eq(d[t], Piecewise((look_ahead, Ne(momentum, 0)), (g_wd[t], True))),
        Eq(theta[t], theta[t - 1] - lr * d[t]),
    ],
    requires=[(~nesterov | ((momentum > 0) & ~Ne(dampening, 0)),
               "Nesterov momentum requires a momentum and zero dampening")],
    signature="lr momentum dampening weight_decay nesterov * maximize foreach differentiable fused",
    sparse=True,
    typical_lr={"vision": (1e-2, 1e-1)},
    use="simple models, vision",
)
