from optgen import Eq, Rule, t, tensors

theta, g = tensors("theta g")

rule = Rule(param=theta, grad=g, equations=[Eq(theta[t], theta[t - 1] - 2 * g[t])], ndim=2, otherwise="adamw")
