from optgen import Eq, Piecewise, Rule, flag, hyper, t, tensors

theta, g, m = tensors("theta g m")
lr = hyper("lr", 1e-3, at_least=0)
flags = [flag(f"f{k}", False) for k in range(9)]

rule = Rule(
    param=theta, grad=g,
    equations=[
        Eq(m[t], m[t - 1] + sum(Piecewise((g[t], f), (0, True)) for f in flags)),
        Eq(theta[t], theta[t - 1] - lr * m[t]),
    ],
)
