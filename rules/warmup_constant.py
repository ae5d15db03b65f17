"""WarmupConstant. Linear warmup from 0 over warmup_steps, then constant. Numbers as transformers'
get_constant_schedule_with_warmup."""
from optgen import Max, Piecewise, Schedule, hyper, t

warmup_steps = hyper("warmup_steps", None, at_least=0)

rule = Schedule(value=Piecewise((t / Max(warmup_steps, 1), t < warmup_steps), (1, True)), use="fine-tuning")
