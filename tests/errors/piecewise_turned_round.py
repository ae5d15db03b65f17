from optgen import Eq, Piecewise, Rule, hyper, t, tensors

theta, g, m = tensors("theta g m")
lr = hyper("lr", 1e-3, at_least=0)

rule = Rule(
    param=theta, grad=g,
    equations=[
        Eq(m[t], Piecewise((t <= 5, g[t]), (True, m[t - 1]))),
        Eq(theta[t], theta[t - 1] - lr * m[t]),
    ],
)
