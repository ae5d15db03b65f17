from optgen import Eq, Rule, hyper, t, tensors

theta, g, m, m_prev = tensors("theta g m m_prev")
lr = hyper("lr", 1e-3, at_least=0)

rule = Rule(
    param=theta, grad=g,
    equations=[
        Eq(m_prev[t], g[t]),
        Eq(m[t], m[t - 1] + m_prev[t]),
        Eq(theta[t], theta[t - 1] - lr * m[t]),
    ],
)
