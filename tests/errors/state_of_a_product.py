from optgen import Eq, Rule, hyper, matmul, t, tensors, transpose

theta, g, m = tensors("theta g m")
lr = hyper("lr", 1e-3, at_least=0)

rule = Rule(
    param=theta, grad=g,
    equations=[
        Eq(m[t], m[t - 1] + matmul(transpose(g[t]), m[t - 1])),
        Eq(theta[t], theta[t - 1] - lr * m[t]),
    ],
)
