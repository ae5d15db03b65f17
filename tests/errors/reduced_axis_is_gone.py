from optgen import Eq, Rule, cols, hyper, mean, t, tensors, total

theta, g, r, x = tensors("theta g r x")
lr = hyper("lr", 1e-3, at_least=0)

rule = Rule(
    param=theta, grad=g,
    equations=[
        Eq(r[t], mean(g[t] ** 2, cols)),
        Eq(x[t], g[t] / total(r[t], cols)),
        Eq(theta[t], theta[t - 1] - lr * x[t]),
    ],
)
