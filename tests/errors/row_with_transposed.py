from optgen import Eq, Rule, hyper, matmul, t, tensors, transpose

theta, g, x = tensors("theta g x")
lr = hyper("lr", 1e-3, at_least=0)

rule = Rule(
    param=theta, grad=g,
    equations=[
        Eq(x[t], g[t] + matmul(g[t], transpose(g[t]))),
        Eq(theta[t], theta[t - 1] - lr * x[t]),
    ],
)
