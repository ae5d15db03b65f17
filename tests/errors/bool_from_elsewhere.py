from optgen import Eq, Piecewise, Rule, flag, t, tensors

theta, g = tensors("theta g")
fast = flag("fast", False)
at_start = t == 1
rule = Rule(
    param=theta, grad=g,
    equations=[Eq(theta[t], theta[t - 1] - Piecewise((g[t], fast & at_start), (0, True)))],
)
