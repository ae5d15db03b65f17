"""WarmupLinear. Linear warmup from 0 over warmup_steps, then linear decay to 0, or to min_factor times the
initial learning rate, at total_steps, then constant. Numbers as transformers'
get_linear_schedule_with_warmup."""
from optgen import Max, Min, Piecewise, Schedule, hyper, t

total_steps = hyper("total_steps", None, at_least=1)
warmup_steps = hyper("warmup_steps", None, at_least=0)
min_factor = hyper("min_factor", 0.0, at_least=0, at_most=1)
progress = Min((t - warmup_steps) / Max(total_steps - warmup_steps, 1), 1)
decay = min_factor + (1 - min_factor) * (1 - progress)
warmup = t / Max(warmup_steps, 1)

rule = Schedule(value=Piecewise((warmup, t < warmup_steps), (decay, True)), use="fine-tuning")
