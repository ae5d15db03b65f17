from optgen import Eq, Rule, hyper, t, tensors

theta, g, m, u = tensors("theta g m u")
lr = hyper("lr", 1e-3, at_least=0)

rule = Rule(
    param=theta, grad=g,
    equations=[
        Eq(m[t], u[t] + g[t]),
        Eq(theta[t], theta[t - 1] - lr * m[t]),
    ],
)
