"""NAdam. Dozat, Incorporating Nesterov Momentum into Adam, ICLR Workshop 2016,
https://openreview.net/forum?id=OM0jvwB8jIp57ZJjtNEZ. Numbers as torch.optim.NAdam."""
from optgen import Eq, Ne, Piecewise, Rule, flag, hyper, sqrt, t, tensors

theta, theta_wd, g, g_wd, m, v, mu, mu_next, P, D = tensors("theta theta_wd g g_wd m v mu mu_next P D")
lr = hyper("lr", 2e-3, at_least=0)
beta1, beta2 = hyper("betas", (0.9, 0.999), at_least=0, below=1)
eps = hyper("eps", 1e-8, at_least=0)
weight_decay = hyper("weight_decay", 0, at_least=0)
psi = hyper("momentum_decay", 4e-3, at_least=0)
decoupled = flag("decoupled_weight_decay", False)
decays = Ne(weight_decay, 0)

rule = Rule(
    param=theta, grad=g,
    state_keys={t: "step", P: "mu_product", m: "exp_avg", v: "exp_avg_sq"},
    init={P: 1},
    equations=[
        Eq(theta_wd[t], Piecewise((theta[t - 1] * (1 - lr * weight_decay), decays & decoupled),
                                  (theta[t - 1], True))),
        Eq(g_wd[t], Piecewise((g[t] + weight_decay * theta[t - 1], decays & ~decoupled), (g[t], True))),
        Eq(mu[t], beta1 * (1 - 0.5 * 0.96 ** (t * psi))),
        Eq(mu_next[t], beta1 * (1 - 0.5 * 0.96 ** ((t + 1) * psi))),
        Eq(P[t], P[t - 1] * mu[t]),
        Eq(m[t], beta1 * m[t - 1] + (1 - beta1) * g_wd[t]),
        Eq(v[t], beta2 * v[t - 1] + (1 - beta2) * g_wd[t] ** 2),
        Eq(D[t], sqrt(v[t] / (1 - beta2**t)) + eps),
        Eq(theta[t], theta_wd[t] - lr * (1 - mu[t]) / (1 - P[t]) * (g_wd[t] / D[t])
           - lr * mu_next[t] / (1 - P[t] * mu_next[t]) * (m[t] / D[t])),
    ],
    signature="lr betas eps weight_decay momentum_decay decoupled_weight_decay * foreach maximize "
              "capturable differentiable",
    use="where Adam overshoots",
)
