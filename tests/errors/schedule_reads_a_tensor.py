from optgen import Schedule, t, tensors

theta = tensors("theta")
rule = Schedule(value=1 / (1 + t) * theta[t])
