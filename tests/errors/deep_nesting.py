from optgen import Eq, Rule, sqrt, t, tensors

theta, g = tensors("theta g")
deep = g[t]
for _ in range(300):
    deep = sqrt(deep + 1)

rule = Rule(param=theta, grad=g, equations=[Eq(theta[t], theta[t - 1] - deep)])
