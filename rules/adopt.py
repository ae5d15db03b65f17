"""ADOPT. Taniguchi, Harada, Minegishi, Oshima, Jeong, Nagahara, Iiyama, Suzuki, Iwasawa & Matsuo, ADOPT:
Modified Adam Can Converge with Any beta2 with the Optimal Rate, NeurIPS 2024,
https://arxiv.org/abs/2411.02853, Algorithm 2. Numbers as timm.optim.Adopt(clip_exp=0.25)."""
from optgen import Eq, Max, Ne, Piecewise, Rule, clip, flag, hyper, sqrt, t, tensors

theta, theta_wd, g, g_wd, m, v, c, n = tensors("theta theta_wd g g_wd m v c n")
lr = hyper("lr", 1e-3, at_least=0)
beta1, beta2 = hyper("betas", (0.9, 0.9999), at_least=0, below=1)
eps = hyper("eps", 1e-6, at_least=0)
weight_decay = hyper("weight_decay", 0, at_least=0)
decoupled = flag("decoupled", False)
decays = Ne(weight_decay, 0)

rule = Rule(
    param=theta, grad=g,
    state_keys={t: "step", m: "exp_avg", v: "exp_avg_sq"},
    equations=[
        Eq(theta_wd[t], Piecewise((theta[t - 1] * (1 - lr * weight_decay), decays & decoupled),
                                  (theta[t - 1], True))),
        Eq(g_wd[t], Piecewise((g[t] + weight_decay * theta[t - 1], decays & ~decoupled), (g[t], True))),
        Eq(c[t], (t - 1) ** 0.25),
        Eq(n[t], clip(g_wd[t] / Max(sqrt(v[t - 1]), eps), -c[t], c[t])),
        Eq(m[t], Piecewise((m[t - 1], Eq(t, 1)), (beta1 * m[t - 1] + (1 - beta1) * n[t], True))),
        Eq(v[t], Piecewise((g_wd[t] ** 2, Eq(t, 1)), (beta2 * v[t - 1] + (1 - beta2) * g_wd[t] ** 2, True))),
        Eq(theta[t], Piecewise((theta[t - 1], Eq(t, 1)), (theta_wd[t] - lr * m[t], True))),
    ],
    use="where Adam's beta2 must be tuned",
)
