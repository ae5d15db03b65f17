import sympy

from optgen import Eq, Rule, hyper, t, tensors

theta, g, m, v = tensors("theta g m v")
lr = hyper("lr", 1e-3, at_least=0)

rule = Rule(
    param=theta, grad=g,
    equations=[
        Eq(m[t], m[t - 1] + float('inf')),
        Eq(v[t], float('nan') * g[t] + 1 / sympy.Integer(0)),
        Eq(theta[t], theta[t - 1] - lr * m[t]),
    ],
)
