from optgen import Eq, Rule, t, tensors

theta, g = tensors("theta g")
for t in range(3):
    pass

rule = Rule(param=theta, grad=g, equations=[Eq(theta[t], theta[t - 1] - g[t])])
