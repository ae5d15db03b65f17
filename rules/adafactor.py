"""Adafactor. Shazeer & Stern, Adafactor: Adaptive Learning Rates with Sublinear Memory Cost, ICML 2018,
https://arxiv.org/abs/1804.04235, Algorithms 4 and 5. Numbers as torch.optim.Adafactor: lr bounds the
relative step, and scales the weight decay."""
from optgen import Eq, Max, Min, Rule, cols, elems, hyper, machine_eps, mean, rms, rows, sqrt, t, tensors

theta, g, rho, alpha, w, R, C, V, U = tensors("theta g rho alpha w R C V U")
lr = hyper("lr", 1e-2, at_least=0, refusal="Learning rate should be >= 0 but is: {}")
beta2_decay = hyper("beta2_decay", -0.8, at_most=0, refusal="beta2_decay should be <= 0 but is: {}")
eps1, eps2 = hyper("eps", (machine_eps, 1e-3), names="eps1 eps2")
d = hyper("d", 1.0, at_least=1, refusal="Clipping threshold d should be >= 1 but is: {}")
weight_decay = hyper("weight_decay", 0.0, at_least=0, refusal="weight_decay should be >= 0 but is: {}")

before = [
    Eq(rho[t], Min(lr, 1 / sqrt(t))),
    Eq(alpha[t], Max(eps2, rms(theta[t - 1], elems)) * rho[t]),
    Eq(w[t], t**beta2_decay),
]
factored = [
    Eq(R[t], R[t - 1] + w[t] * (mean(g[t] ** 2, cols) - R[t - 1])),
    Eq(C[t], C[t - 1] + w[t] * (mean(g[t] ** 2, rows) - C[t - 1])),
    Eq(U[t], g[t] / sqrt(Max(R[t] * C[t] / Max(mean(R[t], rows), eps1), eps1**2))),
]
full = [
    Eq(V[t], V[t - 1] + w[t] * (g[t] ** 2 - V[t - 1])),
    Eq(U[t], g[t] / sqrt(Max(V[t], eps1**2))),
]
update = Eq(theta[t], theta[t - 1] * (1 - lr * weight_decay) - alpha[t] / Max(1, rms(U[t], elems) / d) * U[t])
vectors = Rule(param=theta, grad=g, state_keys={t: "step", V: "variance"}, equations=[*before, *full, update])

rule = Rule(
    param=theta, grad=g, state_keys={t: "step", R: "row_var", C: "col_var"},
    equations=[*before, *factored, update], min_ndim=2, otherwise=vectors,
    requires=[(eps1 >= 0, "epsilon1 should be >= 0 but is: {eps1}"),
              (eps2 >= 0, "epsilon2 should be >= 0 but is: {eps2}")],
    signature="lr beta2_decay eps d weight_decay * foreach maximize",
    use="LLM training with little memory",
)
