from optgen import Eq, Rule, hyper, t, tensors

theta, g = tensors("theta g")
lr = hyper("lr", 1e-3, at_least=0)
lam = hyper("weight_decay", 0.1, names="lam")

rule = Rule(
    param=theta, grad=g,
    equations=[
        Eq(theta[t], theta[t - 1] - lr * g[t]),
    ],
)
