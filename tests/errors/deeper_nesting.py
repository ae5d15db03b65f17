from optgen import Eq, Rule, exp, t, tensors

theta, g = tensors("theta g")
deep = g[t]
for _ in range(2000):
    deep = exp(deep)

rule = Rule(param=theta, grad=g, equations=[Eq(theta[t], theta[t - 1] - deep)])
