"""RAdam. Liu, Jiang, He, Chen, Liu, Gao & Han, On the Variance of the Adaptive Learning Rate and Beyond,
ICLR 2020, https://arxiv.org/abs/1908.03265, Algorithm 2. Numbers as torch.optim.RAdam."""
from optgen import Eq, Ne, Piecewise, Rule, flag, hyper, sqrt, t, tensors

theta, theta_wd, g, g_wd, m, v, m_hat, rho, rho_inf, r, u = tensors(
    "theta theta_wd g g_wd m v m_hat rho rho_inf r u")
lr = hyper("lr", 1e-3, at_least=0)
beta1, beta2 = hyper("betas", (0.9, 0.999), at_least=0, below=1)
eps = hyper("eps", 1e-8, at_least=0)
weight_decay = hyper("weight_decay", 0, at_least=0)
decoupled = flag("decoupled_weight_decay", False)
decays = Ne(weight_decay, 0)

rule = Rule(
    param=theta, grad=g,
    state_keys={t: "step", m: "exp_avg", v: "exp_avg_sq"},
    equations=[
        Eq(theta_wd[t], Piecewise((theta[t - 1] * (1 - lr * weight_decay), decays & decoupled),
                                  (theta[t - 1], True))),
        Eq(g_wd[t], Piecewise((g[t] + weight_decay * theta[t - 1], decays & ~decoupled), (g[t], True))),
        Eq(m[t], beta1 * m[t - 1] + (1 - beta1) * g_wd[t]),
        Eq(v[t], beta2 * v[t - 1] + (1 - beta2) * g_wd[t] ** 2),
        Eq(m_hat[t], m[t] / (1 - beta1**t)),
        Eq(rho_inf[t], 2 / (1 - beta2) - 1),
        Eq(rho[t], rho_inf[t] - 2 * t * beta2**t / (1 - beta2**t)),
        Eq(r[t], Piecewise((sqrt((rho[t] - 4) * (rho[t] - 2) * rho_inf[t]
                                 / ((rho_inf[t] - 4) * (rho_inf[t] - 2) * rho[t])), rho[t] > 5), (1, True))),
        Eq(u[t], Piecewise((r[t] * sqrt(1 - beta2**t) / (sqrt(v[t]) + eps), rho[t] > 5), (1, True))),
        Eq(theta[t], theta_wd[t] - lr * m_hat[t] * u[t]),
    ],
    signature="lr betas eps weight_decay decoupled_weight_decay * foreach maximize capturable differentiable",
    use="training without a warmup",
)
