from optgen import Rule, t, tensors

theta, g = tensors("theta g")
rule = Rule(param=theta, grad=g, equations=[Eq(theta[t], g[t])])
