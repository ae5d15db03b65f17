from optgen import Eq, Piecewise, Rule, flag, hyper, t, tensors

theta, g, m = tensors("theta g m")
lr = hyper("lr", 1e-3, at_least=0)
fast = flag("fast", False)
l2 = Piecewise((1, (lr != 0) & ~fast), (0, True))

rule = Rule(
    param=theta, grad=g,
    equations=[
        Eq(m[t], Piecewise((g[t], (t > 5) & (t != 7)), (m[t - 1] + l2, True))),
        Eq(theta[t], theta[t - 1] - lr * m[t]),
    ],
)
