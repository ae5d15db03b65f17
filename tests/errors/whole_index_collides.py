from optgen import Eq, Rule, hyper, t, tensors

theta, g, x, x_0 = tensors("theta g x x_0")
lr = hyper("lr", 1e-3, at_least=0)

rule = Rule(
    param=theta, grad=g,
    equations=[
        Eq(x[0], g[t]),
        Eq(x_0[t], 2 * g[t]),
        Eq(theta[t], theta[t - 1] - x[0] - x_0[t]),
    ],
)
