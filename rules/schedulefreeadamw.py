"""ScheduleFreeAdamW. Defazio, Yang, Mehta, Mishchenko, Khaled & Cutkosky, The Road Less Scheduled, NeurIPS
2024, https://arxiv.org/abs/2405.15682, Algorithm 1. Numbers as schedulefree.AdamWScheduleFree, with a
count for each parameter, which is y in training and the average x in evaluation: train(), eval()."""
from optgen import Eq, Max, Piecewise, Rule, hyper, sqrt, t, tensors

theta, g, z, v, n, a, l_max, w, W, c = tensors("theta g z v n a l_max w W c")
lr = hyper("lr", 2.5e-3, at_least=0)
beta1, beta2 = hyper("betas", (0.9, 0.999), above=0, below=1)
eps = hyper("eps", 1e-8, at_least=0)
weight_decay = hyper("weight_decay", 0, at_least=0)
warmup_steps = hyper("warmup_steps", 0, at_least=0)
r = hyper("r", 0.0)
power = hyper("weight_lr_power", 2.0)

rule = Rule(
    param=theta, grad=g,
    state_keys={t: "step", z: "z", v: "exp_avg_sq", l_max: "lr_max", W: "weight_sum"},
    init={z: theta},
    equations=[
        Eq(a[t], lr * Piecewise((t / warmup_steps, t < warmup_steps), (1, True))),
        Eq(l_max[t], Max(l_max[t - 1], a[t])),
        Eq(w[t], t**r * l_max[t] ** power),
        Eq(W[t], W[t - 1] + w[t]),
        Eq(c[t], Piecewise((w[t] / W[t], W[t] > 0), (0, True))),
        Eq(v[t], beta2 * v[t - 1] + (1 - beta2) * g[t] ** 2),
        Eq(n[t], g[t] / (sqrt(v[t] / (1 - beta2**t)) + eps) + weight_decay * theta[t - 1]),
        Eq(theta[t], theta[t - 1] + c[t] * (z[t - 1] - theta[t - 1])
           + a[t] * (beta1 * (1 - c[t]) - 1) * n[t]),
        Eq(z[t], z[t - 1] - a[t] * n[t]),
    ],
    to_train=[Eq(theta[t], theta[t - 1] + (1 - beta1) * (z[t - 1] - theta[t - 1]))],
    to_eval=[Eq(theta[t], theta[t - 1] + (1 - 1 / beta1) * (z[t - 1] - theta[t - 1]))],
    use="training without a schedule",
)
