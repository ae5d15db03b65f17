"""Muon. Jordan, Jin, Boza, You, Cesista, Newhouse & Bernstein, Muon: An optimizer for hidden layers in neural
networks, 2024, https://kellerjordan.github.io/posts/muon; match_rms_adamw: Liu et al., Muon is Scalable for
LLM Training, 2025, https://arxiv.org/abs/2502.16982. Numbers as torch.optim.Muon, its iteration in bfloat16;
ns_dtype=None keeps that as precise as the step. Non-matrices follow AdamW, same lr, weight_decay and eps."""
from optgen import (Eq, Max, Piecewise, Rule, cols, elems, flag, hyper, load, matmul, norm, rounded, rows,
                    sqrt, structural, t, tensors, transpose)

theta, g, B, u, X, A, P = tensors("theta g B u X A P")
lr = hyper("lr", 1e-3, at_least=0, refusal="Learning rate should be >= 0 but is: {}")
weight_decay = hyper("weight_decay", 0.1, at_least=0, refusal="weight decay should be >= 0 but is: {}")
momentum = hyper("momentum", 0.95, at_least=0, refusal="momentum should be >= 0 but is: {}")
nesterov = flag("nesterov", True)
a, b, c = hyper("ns_coefficients", (3.4445, -4.775, 2.0315), names="a b c")
eps = hyper("eps", 1e-7)
n = structural("ns_steps", 5, below=100)
adjusted = structural("adjust_lr_fn", None, [(None, "original"), ("match_rms_adamw",)],
                      refusal="Adjust learning rate function {} is not supported")
low = structural("ns_dtype", "bfloat16", [("bfloat16",), (None,)])
scale = 0.2 * sqrt(Max(rows, cols)) if adjusted.value == "match_rms_adamw" else sqrt(Max(1, rows / cols))
tall = rows > cols

rule = Rule(
    param=theta, grad=g,
    state_keys={B: "momentum_buffer"},
    equations=[
        Eq(B[t], momentum * B[t - 1] + (1 - momentum) * g[t]),
        Eq(u[t], rounded(Piecewise((momentum * B[t] + (1 - momentum) * g[t], nesterov), (B[t], True)), low)),
        Eq(X[0], rounded(u[t] / Max(rounded(norm(u[t], elems), low), eps), low)),
        *(equation for k in range(n.value) for equation in (  # A is the smaller square of X
            Eq(A[k], rounded(Piecewise((matmul(transpose(X[k]), X[k]), tall),
                                       (matmul(X[k], transpose(X[k])), True)), low)),
            Eq(P[k], rounded(b * A[k] + c * matmul(A[k], A[k]), low)),
            Eq(X[k + 1], rounded(a * X[k] + Piecewise((matmul(X[k], P[k]), tall), (matmul(P[k], X[k]), True)),
                                 low)))),
        Eq(theta[t], theta[t - 1] * (1 - lr * weight_decay) - lr * scale * X[n.value]),
    ],
    ndim=2, otherwise=load("adamw"), structural=[n, adjusted, low],
    signature="lr weight_decay momentum nesterov ns_coefficients eps ns_steps adjust_lr_fn * ns_dtype betas "
              "amsgrad maximize foreach differentiable",
    use="the matrices of hidden layers")
