"""AdamW with 8-bit states. Dettmers, Lewis, Shleifer & Zettlemoyer, 8-bit Optimizers via Block-wise
Quantization, ICLR 2022. https://arxiv.org/abs/2110.02861. Formats as bitsandbytes.optim.AdamW8bit."""
from optgen import load, stored

rule = stored(load("adamw"), "int8", name="AdamW8bit")
