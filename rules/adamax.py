"""Adamax. Kingma & Ba, Adam: A Method for Stochastic Optimization, ICLR 2015,
https://arxiv.org/abs/1412.6980, Algorithm 2. Numbers as torch.optim.Adamax."""
from optgen import Abs, Eq, Max, Ne, Piecewise, Rule, hyper, t, tensors

theta, g, g_wd, m, u = tensors("theta g g_wd m u")
lr = hyper("lr", 2e-3, at_least=0)
beta1, beta2 = hyper("betas", (0.9, 0.999), at_least=0, below=1)
eps = hyper("eps", 1e-8, at_least=0)
weight_decay = hyper("weight_decay", 0, at_least=0)

rule = Rule(
    param=theta, grad=g,
    state_keys={t: "step", m: "exp_avg", u: "exp_inf"},
    equations=[
        Eq(g_wd[t], Piecewise((g[t] + weight_decay * theta[t - 1], Ne(weight_decay, 0)), (g[t], True))),
        Eq(m[t], beta1 * m[t - 1] + (1 - beta1) * g_wd[t]),
        Eq(u[t], Max(beta2 * u[t - 1], Abs(g_wd[t]) + eps)),
        Eq(theta[t], theta[t - 1] - lr / (1 - beta1**t) * (m[t] / u[t])),
    ],
    signature="lr betas eps weight_decay foreach * maximize differentiable capturable",
    use="sparse or heavy-tailed gradients",
)
