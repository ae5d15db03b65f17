from optgen import Schedule

rule = Schedule(value="1 / (1 + t)")
