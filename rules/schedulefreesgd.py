"""ScheduleFreeSGD. Defazio, Yang, Mehta, Mishchenko, Khaled & Cutkosky, The Road Less Scheduled, NeurIPS
2024, https://arxiv.org/abs/2405.15682, Equations 3 to 5. Numbers as schedulefree.SGDScheduleFree, with a
count for each parameter, which is y in training and the average x in evaluation: train(), eval()."""
from optgen import Eq, Max, Piecewise, Rule, hyper, t, tensors

theta, g, g_wd, z, a, l_max, w, W, c = tensors("theta g g_wd z a l_max w W c")
lr = hyper("lr", 1.0, at_least=0)
momentum = hyper("momentum", 0.9, above=0, below=1)
weight_decay = hyper("weight_decay", 0, at_least=0)
warmup_steps = hyper("warmup_steps", 0, at_least=0)
r = hyper("r", 0.0)
power = hyper("weight_lr_power", 2.0)

rule = Rule(
    param=theta, grad=g,
    state_keys={t: "step", z: "z", l_max: "lr_max", W: "weight_sum"},
    init={z: theta},
    equations=[
        Eq(a[t], lr * Piecewise((t / warmup_steps, t < warmup_steps), (1, True))),
        Eq(l_max[t], Max(l_max[t - 1], a[t])),
        Eq(w[t], t**r * l_max[t] ** power),
        Eq(W[t], W[t - 1] + w[t]),
        Eq(c[t], Piecewise((w[t] / W[t], W[t] > 0), (0, True))),
        Eq(g_wd[t], g[t] + weight_decay * theta[t - 1]),
        Eq(theta[t], theta[t - 1] + c[t] * (z[t - 1] - theta[t - 1])
           + a[t] * (momentum * (1 - c[t]) - 1) * g_wd[t]),
        Eq(z[t], z[t - 1] - a[t] * g_wd[t]),
    ],
    to_train=[Eq(theta[t], theta[t - 1] + (1 - momentum) * (z[t - 1] - theta[t - 1]))],
    to_eval=[Eq(theta[t], theta[t - 1] + (1 - 1 / momentum) * (z[t - 1] - theta[t - 1]))],
    use="training without a schedule",
)
