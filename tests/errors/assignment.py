from optgen import Rule, t, tensors

theta, g = tensors("theta g")
theta[t] = theta[t - 1] - g[t]

rule = Rule(param=theta, grad=g, equations=[])
