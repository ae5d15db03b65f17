from optgen import Eq, Rule, hyper, load, t, tensors

theta, g, eps = tensors("theta g eps")
lr, beta1 = hyper("lr", 1e-3), hyper("betas", 0.9)

rule = Rule(
    param=theta, grad=g, ndim=2, otherwise=load("adamw"),
    equations=[
        Eq(eps[t], g[t] ** 2),
        Eq(theta[t], theta[t - 1] - lr * beta1 * eps[t]),
    ],
)
