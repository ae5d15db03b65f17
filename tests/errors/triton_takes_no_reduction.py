# optgen build FILE --backend triton
from optgen import Eq, Rule, elems, hyper, norm, t, tensors

theta, g = tensors("theta g")
lr = hyper("lr", 1e-3, at_least=0)

rule = Rule(
    param=theta, grad=g,
    equations=[
        Eq(theta[t], theta[t - 1] - lr * g[t] / norm(g[t], elems)),
    ],
)
