"""AdamW with 4-bit states. Li, Chen & Zhu, Memory Efficient Optimizers with 4-bit States, NeurIPS 2023.
https://arxiv.org/abs/2309.01507. Formats as torchao.optim.AdamW4bit."""
from optgen import load, stored

rule = stored(load("adamw"), "int4", name="AdamW4bit")
