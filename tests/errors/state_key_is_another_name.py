from optgen import Eq, Rule, hyper, t, tensors

theta, g, m, v = tensors("theta g m v")
lr = hyper("lr", 1e-3, at_least=0)

rule = Rule(
    param=theta, grad=g,
    equations=[
        Eq(m[t], 0.9 * m[t - 1] + g[t]),
        Eq(v[t], 0.9 * v[t - 1] + g[t] ** 2),
        Eq(theta[t], theta[t - 1] - m[t] / v[t]),
    ],
    state_keys={m: "v"},
)
