from optgen import Rule, hyper, tensors

theta, g, m = tensors("theta g m")
lr = hyper("lr", 1e-3, at_least=0)

rule = Rule(
    param=theta, grad=g,
    equations=[
    ],
)
