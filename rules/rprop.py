"""Rprop. Riedmiller & Braun, A Direct Adaptive Method for Faster Backpropagation Learning, IEEE ICNN 1993,
https://doi.org/10.1109/ICNN.1993.298623. Numbers as torch.optim.Rprop."""
from optgen import Eq, Piecewise, Rule, clip, hyper, sign, t, tensors

theta, g, g_used, q, f, D = tensors("theta g g_used q f D")
lr = hyper("lr", 1e-2, at_least=0)
eta_minus, eta_plus = hyper("etas", (0.5, 1.2), names="eta_minus eta_plus", above=0)
smallest, largest_step = hyper("step_sizes", (1e-6, 50), names="smallest largest_step")

rule = Rule(
    param=theta, grad=g,
    state_keys={t: "step", g_used: "prev", D: "step_size"},
    init={D: lr},
    equations=[
        Eq(q[t], g[t] * g_used[t - 1]),
        Eq(f[t], Piecewise((eta_plus, q[t] > 0), (eta_minus, q[t] < 0), (1, True))),
        Eq(D[t], clip(D[t - 1] * f[t], smallest, largest_step)),
        Eq(g_used[t], Piecewise((0, q[t] < 0), (g[t], True))),
        Eq(theta[t], theta[t - 1] - sign(g_used[t]) * D[t]),
    ],
    requires=[((eta_minus < 1) & (eta_plus > 1), "Invalid eta values: {eta_minus}, {eta_plus}")],
    signature="lr etas step_sizes * capturable foreach maximize differentiable",
    use="full batches",
)
