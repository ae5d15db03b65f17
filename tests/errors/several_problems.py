import sympy

from optgen import Eq, Rule, hyper, t, tensors

theta, g, m, u, v = tensors("theta g m u v")
lr = hyper("lr", 1e-3, at_least=0)
beta = sympy.Symbol("beta")

rule = Rule(
    param=theta, grad=g,
    equations=[
        Eq(m[t], 0.9 * m[t - 3] + u[t]),
        Eq(v[t], sympy.erf(v[t])),
        Eq(v[t], beta),
        Eq(theta[t], theta[t] - lr * m[t]),
    ],
    requires=[(lr > 1, "lr is small")],
)
