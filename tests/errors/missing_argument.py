from optgen import Rule, tensors

theta, g = tensors("theta g")
rule = Rule(param=theta)
