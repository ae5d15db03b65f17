from optgen import Eq, Rule, hyper, t, tensors

theta, g, m = tensors("theta g m")
lr = hyper("lr", 1e-3, at_least=0)
betas = hyper("betas", (0.9, 0.999))

rule = Rule(
    param=theta, grad=g,
    equations=[
        Eq(m[t], betas * m[t - 1]),
        Eq(theta[t], theta[t - 1] - lr * m[t]),
    ],
)
