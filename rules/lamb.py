"""LAMB. You, Li, Reddi, Hseu, Kumar, Bhojanapalli, Song, Demmel, Keutzer & Hsieh, Large Batch Optimization
for Deep Learning: Training BERT in 76 minutes, ICLR 2020, https://arxiv.org/abs/1904.00962, Algorithm 2.
Numbers as timm.optim.Lamb: the norm of all gradients together is limited, and nothing is adapted where
weight_decay is 0. max_grad_norm=inf limits nothing."""
from optgen import Eq, Max, Ne, Piecewise, Rule, elems, flag, hyper, model, norm, sqrt, t, tensors

theta, g, g_clip, G, m, v, u, w_norm, u_norm, r = tensors("theta g g_clip G m v u w_norm u_norm r")
lr = hyper("lr", 1e-3, at_least=0)
beta1, beta2 = hyper("betas", (0.9, 0.999), at_least=0, below=1)
eps = hyper("eps", 1e-6, at_least=0)
weight_decay = hyper("weight_decay", 0.01, at_least=0)
max_grad_norm = hyper("max_grad_norm", 1.0, above=0)
always_adapt = flag("always_adapt", False)
adapts = Ne(weight_decay, 0) | always_adapt

rule = Rule(
    param=theta, grad=g,
    state_keys={m: "exp_avg", v: "exp_avg_sq"},
    equations=[
        Eq(G[t], norm(g[t], model)),
        Eq(g_clip[t], g[t] / Max(1, G[t] / max_grad_norm)),
        Eq(m[t], beta1 * m[t - 1] + (1 - beta1) * g_clip[t]),
        Eq(v[t], beta2 * v[t - 1] + (1 - beta2) * g_clip[t] ** 2),
        Eq(u[t], m[t] / (1 - beta1**t) / (sqrt(v[t]) / sqrt(1 - beta2**t) + eps)
           + weight_decay * theta[t - 1]),
        Eq(w_norm[t], norm(theta[t - 1], elems)),
        Eq(u_norm[t], norm(u[t], elems)),
        Eq(r[t], Piecewise((w_norm[t] / u_norm[t], (w_norm[t] > 0) & (u_norm[t] > 0)), (1, True))),
        Eq(theta[t], theta[t - 1] - Piecewise((lr * r[t] * u[t], adapts), (lr * u[t], True))),
    ],
    use="large batches",
)
