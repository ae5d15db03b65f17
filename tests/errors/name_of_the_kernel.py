# optgen build FILE --backend triton
from optgen import Eq, Piecewise, Rule, flag, t, tensors

theta, g = tensors("theta g")
chunk = flag("chunk", False)

rule = Rule(
    param=theta, grad=g,
    equations=[
        Eq(theta[t], theta[t - 1] - Piecewise((g[t], chunk), (2 * g[t], True))),
    ],
)
