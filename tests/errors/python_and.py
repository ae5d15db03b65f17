from optgen import Eq, Piecewise, Rule, flag, hyper, t, tensors

theta, g, m = tensors("theta g m")
lr = hyper("lr", 1e-3, at_least=0)
fast = flag("fast", False)

rule = Rule(
    param=theta, grad=g,
    equations=[
        Eq(m[t], Piecewise((g[t], t > 1 and fast), (m[t - 1], True))),
        Eq(theta[t], theta[t - 1] - lr * m[t]),
    ],
)
