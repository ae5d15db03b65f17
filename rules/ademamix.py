"""AdEMAMix. Pagliardini, Ablin & Grangier, The AdEMAMix Optimizer: Better, Faster, Older, ICLR 2025,
https://arxiv.org/abs/2409.03137, Algorithm 1. Numbers as pytorch_optimizer.AdEMAMix(weight_decouple=True)."""
from optgen import Eq, Min, Piecewise, Rule, exp, hyper, log, sqrt, t, tensors

theta, g, m, m_slow, v, A, B = tensors("theta g m m_slow v A B")
lr = hyper("lr", 1e-3, at_least=0)
beta1, beta2, beta3 = hyper("betas", (0.9, 0.999, 0.9999), at_least=0, below=1)
alpha = hyper("alpha", 5.0, at_least=0)
warmup = hyper("t_alpha_beta3", 0, at_least=0)  # steps in which alpha and beta3 grow; 0: they do not
eps = hyper("eps", 1e-8, at_least=0)
weight_decay = hyper("weight_decay", 0, at_least=0)
log_beta3 = log(beta1) * log(beta3) / ((1 - t / warmup) * log(beta3) + t / warmup * log(beta1))

rule = Rule(
    param=theta, grad=g,
    state_keys={t: "step", m: "exp_avg", v: "exp_avg_sq", m_slow: "exp_avg_slow"},
    equations=[
        Eq(A[t], Piecewise((Min(t * alpha / warmup, alpha), warmup > 0), (alpha, True))),
        Eq(B[t], Piecewise((Min(exp(log_beta3), beta3), warmup > 0), (beta3, True))),
        Eq(m[t], beta1 * m[t - 1] + (1 - beta1) * g[t]),
        Eq(v[t], beta2 * v[t - 1] + (1 - beta2) * g[t] ** 2),
        Eq(m_slow[t], B[t] * m_slow[t - 1] + (1 - B[t]) * g[t]),
        Eq(theta[t], theta[t - 1] * (1 - lr * weight_decay)
           - lr * ((m[t] / (1 - beta1**t) + A[t] * m_slow[t]) / (sqrt(v[t]) / sqrt(1 - beta2**t) + eps))),
    ],
    typical_lr={"pretraining": (1e-4, 1e-3)},
    use="LLM training over many tokens",
)
