from optgen import Eq, Piecewise, Rule, given, hyper, t, tensors

theta, g, h, H = tensors("theta g h H")
lr = hyper("lr", 1e-3, at_least=0)

rule = Rule(
    param=theta, grad=g, inputs={H: "hessian"},
    equations=[
        Eq(h[t], Piecewise((h[t - 1] + H[t], given(H[t])), (h[t - 1], True))),
        Eq(theta[t], theta[t - 1] - lr * g[t] * h[t]),
    ],
)
