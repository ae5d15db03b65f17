import sympy

from optgen import Rule, hyper, t, tensors

theta, g, m = tensors("theta g m")
lr = hyper("lr", 1e-3, at_least=0)

rule = Rule(
    param=theta, grad=g,
    equations=[
        sympy.Eq(m[t], m[t]),
        sympy.Eq(theta[t], theta[t - 1] - lr * m[t]),
    ],
)
