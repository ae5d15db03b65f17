import sympy

from optgen import Eq, Rule, hyper, t, tensors

theta, g, m, v = tensors("theta g m v")
lr = hyper("lr", 1e-3, at_least=0)

rule = Rule(
    param=theta, grad=g,
    equations=[
        Eq(m[t], g[t] ** 1000),
        Eq(v[t], sympy.Integer(10) ** 10 ** 10),
        Eq(theta[t], theta[t - 1] - lr * m[t]),
    ],
)
