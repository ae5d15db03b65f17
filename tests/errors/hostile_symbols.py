import sympy

from optgen import Eq, Rule, t, tensors

theta, g = tensors("theta g")
evil = sympy.Symbol("__import__('os').system('true')")
base = sympy.IndexedBase("m\nimport os\n")
call = sympy.Function("print(1);f")

rule = Rule(
    param=theta, grad=g,
    equations=[
        Eq(base[t], base[t - 1] + g[t]),
        Eq(theta[t], theta[t - 1] - evil * base[t] - call(g[t])),
    ],
)
