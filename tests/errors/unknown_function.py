import sympy

from optgen import Eq, Rule, hyper, t, tensors

theta, g, m = tensors("theta g m")
lr = hyper("lr", 1e-3, at_least=0)
total_variation = sympy.Function("total_variation")

rule = Rule(
    param=theta, grad=g,
    equations=[
        Eq(m[t], sympy.gamma(g[t]) + total_variation(g[t])),
        Eq(theta[t], theta[t - 1] - lr * m[t]),
    ],
)
