"""AdamW with states in 8-bit floats. Micikevicius et al., FP8 Formats for Deep Learning, 2022.
https://arxiv.org/abs/2209.05433. As torchao.optim.AdamWFp8: blocks of 256, here with a float32 absmax."""
from optgen import load, stored

rule = stored(load("adamw"), "fp8_e4m3", name="AdamWFp8")
