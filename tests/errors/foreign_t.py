import sympy

from optgen import Eq, Rule, hyper, t, tensors

theta, g, m = tensors("theta g m")
lr = hyper("lr", 1e-3, at_least=0)
s = sympy.Symbol("t")

rule = Rule(
    param=theta, grad=g,
    equations=[
        Eq(m[s], g[s]),
        Eq(theta[t], theta[t - 1] - lr * m[s] * s),
    ],
)
