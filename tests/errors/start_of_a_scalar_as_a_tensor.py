from optgen import Eq, Rule, t, tensors

theta, g, m = tensors("theta g m")

rule = Rule(param=theta, grad=g, init={m: theta}, equations=[
    Eq(m[t], 1 / t),
    Eq(theta[t], theta[t - 1] - m[t - 1] * g[t]),
])
