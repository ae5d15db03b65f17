"""Constant. The learning rate stays as it is."""
from optgen import Schedule

rule = Schedule(value=1, use="fine-tuning, debugging")
