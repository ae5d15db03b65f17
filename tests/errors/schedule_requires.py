from optgen import Schedule, hyper, t

total_steps = hyper("total_steps", 10, above=0)

rule = Schedule(value=1 - t / total_steps, requires=[(total_steps > t, "too late")])
