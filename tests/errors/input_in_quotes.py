from optgen import Eq, Rule, hyper, t, tensors

theta, g, h, H = tensors("theta g h H")
lr = hyper("lr", 1e-3, at_least=0)

rule = Rule(
    param=theta, grad=g, inputs={"H": "hessian"},
    equations=[
        Eq(h[t], h[t - 1] + H[t]),
        Eq(theta[t], theta[t - 1] - lr * g[t] * h[t]),
    ],
)
