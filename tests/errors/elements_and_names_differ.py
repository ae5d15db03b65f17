from optgen import Eq, Rule, hyper, t, tensors

theta, g = tensors("theta g")
lr = hyper("lr", 1e-3, at_least=0)
beta1, beta2 = hyper("betas", (0.9, 0.999), names="b1 b2 b3")

rule = Rule(
    param=theta, grad=g,
    equations=[
        Eq(theta[t], theta[t - 1] - lr * g[t]),
    ],
)
