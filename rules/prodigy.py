"""Prodigy. Mishchenko & Defazio, Prodigy: An Expeditiously Adaptive Parameter-Free Learner, ICML 2024,
https://arxiv.org/abs/2306.06101, Algorithm 4. Numbers as prodigyopt.Prodigy with slice_p=1; growth_rate=0 is
its inf, beta3=0 its None."""
from optgen import Abs, Eq, Max, Min, Ne, Piecewise, Rule, flag, hyper, model, sqrt, t, tensors, total

theta, g, g_wd, m, v, s, p0, a = tensors("theta g g_wd m v s p0 a")
b3, r, den, d, d_hat, d_max, d_new = tensors("b3 r den d d_hat d_max d_new")
lr = hyper("lr", 1.0, at_least=0)
beta1, beta2 = hyper("betas", (0.9, 0.999), at_least=0, below=1)
beta3 = hyper("beta3", 0, at_least=0, below=1)
eps = hyper("eps", 1e-8, above=0)
weight_decay = hyper("weight_decay", 0, at_least=0)
decouple, corrected = flag("decouple", True), flag("use_bias_correction", False)
safeguard = flag("safeguard_warmup", False)
d0, d_coef = hyper("d0", 1e-6, above=0), hyper("d_coef", 1.0)
growth = hyper("growth_rate", 0, at_least=0)

rule = Rule(
    param=theta, grad=g,
    state_keys={t: "step", m: "exp_avg", v: "exp_avg_sq", r: "d_numerator"},
    init={p0: theta, d: d0, d_max: d0},
    equations=[
        Eq(b3[t], Piecewise((beta3, Ne(beta3, 0)), (sqrt(beta2), True))),
        Eq(a[t], d[t - 1] * Piecewise((lr * (sqrt(1 - beta2**t) / (1 - beta1**t)), corrected), (lr, True))),
        Eq(g_wd[t], Piecewise((g[t], decouple), (g[t] + weight_decay * theta[t - 1], True))),
        Eq(p0[t], p0[t - 1]),
        Eq(r[t], b3[t] * r[t - 1] + total(d[t - 1] / d0 * a[t] * (g_wd[t] * (p0[t] - theta[t - 1])), model)),
        Eq(m[t], beta1 * m[t - 1] + (1 - beta1) * d[t - 1] * g_wd[t]),
        Eq(v[t], beta2 * v[t - 1] + (1 - beta2) * (d[t - 1] * g_wd[t]) ** 2),
        Eq(s[t], b3[t] * s[t - 1] + d[t - 1] / d0 * Piecewise((d[t - 1], safeguard), (a[t], True)) * g_wd[t]),
        Eq(den[t], total(Abs(s[t]), model)),
        Eq(d_hat[t], Piecewise((d_coef * r[t] / den[t], den[t] > 0), (d[t - 1], True))),
        Eq(d_max[t], Max(d_max[t - 1], d_hat[t])),
        Eq(d_new[t], Piecewise((Max(d[t - 1], d_hat[t]), Eq(d[t - 1], d0)), (d[t - 1], True))),
        Eq(d[t], Piecewise((Min(d_max[t], d_new[t] * growth), Ne(growth, 0)), (d_max[t], True))),
        Eq(theta[t], Piecewise((theta[t - 1] * (1 - weight_decay * a[t]), decouple), (theta[t - 1], True))
           - a[t] * m[t] / (sqrt(v[t]) + d[t] * eps)),
    ],
    use="training without choosing a learning rate")
