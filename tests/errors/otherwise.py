from optgen import Eq, Rule, t, tensors

theta, g = tensors("theta g")
plain = Rule(param=theta, grad=g, equations=[Eq(theta[t], theta[t - 1] - g[t])])

rule = Rule(param=theta, grad=g, equations=[Eq(theta[t], theta[t - 1] - 2 * g[t])], ndim=2, otherwise=plain)
