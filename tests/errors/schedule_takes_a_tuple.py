from optgen import Schedule, hyper, t

a, b = hyper("powers", (0.5, 0.9))
rule = Schedule(value=(1 + t) ** -a + b)
