from optgen import Eq, Rule, t, tensors

theta, g = tensors("theta g")


def rule():
    return Rule(param=theta, grad=g, equations=[Eq(theta[t], theta[t - 1] - g[t])])
