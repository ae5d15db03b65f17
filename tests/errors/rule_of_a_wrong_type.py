from optgen import Eq, t, tensors

theta, g = tensors("theta g")
rule = [Eq(theta[t], g[t])]
