"""AdafactorHF. Shazeer & Stern, Adafactor: Adaptive Learning Rates with Sublinear Memory Cost, ICML 2018,
https://arxiv.org/abs/1804.04235, Algorithms 4 and 5. Numbers as transformers.Adafactor: what is None there
is a flag here, lr is read with relative_step=False only, and a vector has a second moment of its own."""
from optgen import Eq, Max, Min, Piecewise, Rule, cols, elems, flag, hyper, mean, rms, rows, sqrt, t, tensors

theta, g, rho, eta, beta2, q, r, c, v, u, s, m = tensors("theta g rho eta beta2 q r c v u s m")
lr = hyper("lr", 1e-3, at_least=0)
eps1, eps2 = hyper("eps", (1e-30, 1e-3), names="eps1 eps2", at_least=0)
clip_threshold = hyper("clip_threshold", 1.0, above=0)
decay_rate = hyper("decay_rate", -0.8, at_most=0)
beta1 = hyper("beta1", 0.9, at_least=0, below=1)
weight_decay = hyper("weight_decay", 0.0, at_least=0)
scale_parameter, relative_step = flag("scale_parameter", True), flag("relative_step", True)
warmup_init, use_first_moment = flag("warmup_init", False), flag("use_first_moment", False)

before = [
    Eq(rho[t], Piecewise((Min(1e-6 * t, 1 / sqrt(t)), warmup_init), (Min(1e-2, 1 / sqrt(t)), relative_step),
                         (lr, True))),
    Eq(eta[t], Piecewise((Max(eps2, rms(theta[t - 1], elems)) * rho[t], scale_parameter), (rho[t], True))),
    Eq(beta2[t], 1 - t**decay_rate),
    Eq(q[t], g[t] ** 2 + eps1),
]
row_and_column = [Eq(r[t], beta2[t] * r[t - 1] + (1 - beta2[t]) * mean(q[t], cols)),
                  Eq(c[t], beta2[t] * c[t - 1] + (1 - beta2[t]) * mean(q[t], rows)),
                  Eq(u[t], g[t] / (sqrt(r[t] / mean(r[t], rows)) * sqrt(c[t])))]
full = [Eq(v[t], beta2[t] * v[t - 1] + (1 - beta2[t]) * q[t]), Eq(u[t], g[t] / sqrt(v[t]))]
after = [
    Eq(s[t], eta[t] / Max(1, rms(u[t], elems) / clip_threshold) * u[t]),
    Eq(m[t], beta1 * m[t - 1] + (1 - beta1) * s[t]),
    Eq(theta[t], theta[t - 1] * (1 - weight_decay * eta[t])
       - Piecewise((m[t], use_first_moment), (s[t], True))),
]
vectors = Rule(param=theta, grad=g, state_keys={m: "exp_avg", v: "exp_avg_sq"},
               equations=[*before, *full, *after])
rule = Rule(param=theta, grad=g, state_keys={m: "exp_avg", r: "exp_avg_sq_row", c: "exp_avg_sq_col"},
            equations=[*before, *row_and_column, *after], min_ndim=2, otherwise=vectors,
            requires=[(~warmup_init | relative_step, "`warmup_init=True` requires `relative_step=True`")],
            use="LLM training with little memory")
