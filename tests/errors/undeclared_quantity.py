import sympy

from optgen import Eq, Rule, t, tensors

theta, g = tensors("theta g")
m = sympy.IndexedBase("m")

rule = Rule(param=theta, grad=g, equations=[Eq(m[t], g[t]), Eq(theta[t], theta[t - 1] - m[t])])
