import sympy

from optgen import Eq, Rule, hyper, t, tensors

theta, g, m = tensors("theta g m")
lr = hyper("lr", 1e-3, at_least=0)
momentum = hyper("momentum", 0.9)
momentun, x = sympy.symbols("momentun x")

rule = Rule(
    param=theta, grad=g,
    equations=[
        Eq(m[t], momentum * m[t - 1] + g[t]),
        Eq(theta[t], theta[t - 1] - lr * momentun * m[t] - x),
    ],
)
