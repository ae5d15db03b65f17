from optgen import Eq, Rule, hyper, t, tensors

theta, g, m = tensors("theta g m")
lr = hyper("lr", 1e-3, at_least=0)
beta = hyper("beta", 0.9, minimum=0)

rule = Rule(
    param=theta, grad=g,
    equations=[
        Eq(m[t], 0.9 * m[t - 1] + g[t]),
        Eq(theta[t], theta[t - 1] - lr * m[t]),
    ],
)
