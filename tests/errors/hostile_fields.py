from optgen import Eq, Rule, hyper, t, tensors

theta, g, m = tensors("theta g m")
lr = hyper("lr", 1e-3, at_least=0)

rule = Rule(
    param=theta, grad=g,
    equations=[
        Eq(m[t], 0.9 * m[t - 1] + g[t]),
        Eq(theta[t], theta[t - 1] - lr * m[t]),
    ],
    group_constants={"x\": print(1), \"y": True},
    ndim="2, fused=print(1)",
    sparse=1,
    use=None,
    typical_lr={"vision": ("1e-3", print)},
)
