from optgen import Rule, t, tensors

theta, g = tensors("theta g")

rule = Rule(param=theta, grad=g, equations=[theta[t] == theta[t - 1] - g[t]])
