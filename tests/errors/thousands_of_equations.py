from optgen import Eq, Rule, t, tensors

theta, g, x = tensors("theta g x")

rule = Rule(
    param=theta, grad=g,
    equations=[Eq(x[0], g[t]), *(Eq(x[k + 1], x[k] / 2) for k in range(5000)), Eq(theta[t], theta[t - 1] - x[5000])],
)
