from optgen import Eq, Rule, t, tensors

theta, g = tensors("theta g")
twice = g[t]
for _ in range(25):
    twice = twice * twice

rule = Rule(param=theta, grad=g, equations=[Eq(theta[t], theta[t - 1] - twice)])
