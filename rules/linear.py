"""Linear. Linear decay to 0, or to min_factor times the initial learning rate, over total_steps, then
constant."""
from optgen import Min, Schedule, hyper, t

total_steps = hyper("total_steps", None, at_least=1)
min_factor = hyper("min_factor", 0.0, at_least=0, at_most=1)
progress = Min(t / total_steps, 1)

rule = Schedule(value=min_factor + (1 - min_factor) * (1 - progress), use="fine-tuning")
