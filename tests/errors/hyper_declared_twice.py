from optgen import Eq, Rule, hyper, t, tensors

theta, g, m = tensors("theta g m")
lr = hyper("lr", 1e-3, at_least=0)
beta = hyper("beta", 0.9)
other = hyper("beta", 0.99)

rule = Rule(
    param=theta, grad=g,
    equations=[
        Eq(m[t], beta * m[t - 1] + (1 - other) * g[t]),
        Eq(theta[t], theta[t - 1] - lr * m[t]),
    ],
)
