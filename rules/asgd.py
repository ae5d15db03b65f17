"""ASGD. Polyak & Juditsky, Acceleration of Stochastic Approximation by Averaging, SIAM J. Control Optim.
30(4), 1992, https://doi.org/10.1137/0330046. Numbers as torch.optim.ASGD; the average is the state `ax`."""
from optgen import Eq, Max, Ne, Piecewise, Rule, hyper, t, tensors

theta, g, g_wd, eta, mu, ax = tensors("theta g g_wd eta mu ax")
lr = hyper("lr", 1e-2, at_least=0)
lambd = hyper("lambd", 1e-4)
alpha = hyper("alpha", 0.75)
t0 = hyper("t0", 1e6)
weight_decay = hyper("weight_decay", 0, at_least=0)

rule = Rule(
    param=theta, grad=g,
    state_keys={t: "step", eta: "eta", mu: "mu", ax: "ax"},
    init={eta: lr, mu: 1},
    equations=[
        Eq(g_wd[t], Piecewise((g[t] + weight_decay * theta[t - 1], Ne(weight_decay, 0)), (g[t], True))),
        Eq(theta[t], theta[t - 1] * (1 - lambd * eta[t - 1]) - eta[t - 1] * g_wd[t]),
        Eq(ax[t], Piecewise((theta[t], Eq(mu[t - 1], 1)),
                            (ax[t - 1] + mu[t - 1] * (theta[t] - ax[t - 1]), True))),
        Eq(eta[t], lr / (1 + lambd * lr * t) ** alpha),
        Eq(mu[t], 1 / Max(1, t - t0)),
    ],
    signature="lr lambd alpha t0 weight_decay foreach maximize differentiable capturable",
    use="convex problems, averaged weights",
)
