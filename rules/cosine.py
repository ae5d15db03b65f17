"""Cosine. Cosine annealing without restarts over total_steps, then constant. Loshchilov & Hutter, SGDR:
Stochastic Gradient Descent with Warm Restarts, ICLR 2017, https://arxiv.org/abs/1608.03983, equation 5."""
from optgen import Min, Schedule, cos, hyper, pi, t

total_steps = hyper("total_steps", None, at_least=1)
min_factor = hyper("min_factor", 0.0, at_least=0, at_most=1)
progress = Min(t / total_steps, 1)

rule = Schedule(value=min_factor + (1 - min_factor) * ((1 + cos(pi * progress)) / 2), use="pretraining")
