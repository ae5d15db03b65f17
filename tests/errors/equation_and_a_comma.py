from optgen import Eq, Rule, t, tensors

theta, g, m = tensors("theta g m")
average = Eq(m[t], 0.9 * m[t - 1] + g[t]),
update = Eq(theta[t], theta[t - 1] - m[t])

rule = Rule(param=theta, grad=g, equations=[average, update])
