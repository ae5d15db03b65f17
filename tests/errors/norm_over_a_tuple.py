from optgen import Eq, Rule, cols, hyper, norm, rows, t, tensors

theta, g, m = tensors("theta g m")
lr = hyper("lr", 1e-3, at_least=0)

rule = Rule(
    param=theta, grad=g,
    equations=[
        Eq(m[t], norm(g[t], (rows, cols))),
        Eq(theta[t], theta[t - 1] - lr * m[t]),
    ],
)
