from optgen import Schedule, flag, t, total

fast = flag("fast", False)
rule = Schedule(value=total(t, 3) + fast)
