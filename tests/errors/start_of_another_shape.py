from optgen import Eq, Rule, elems, norm, t, tensors

theta, g, m = tensors("theta g m")

rule = Rule(param=theta, grad=g, init={m: g}, equations=[
    Eq(m[t], norm(g[t], elems)),
    Eq(theta[t], theta[t - 1] - m[t - 1] * g[t]),
])
