# optgen build FILE --backend triton
from optgen import Eq, Rule, hyper, matmul, t, tensors, transpose

theta, g = tensors("theta g")
lr = hyper("lr", 1e-3, at_least=0)

rule = Rule(
    param=theta, grad=g,
    equations=[
        Eq(theta[t], theta[t - 1] - lr * matmul(matmul(g[t], transpose(g[t])), g[t])),
    ],
)
