"""AdamW for bfloat16 parameters, rounded stochastically. Zamirai, Zhang, Aberger & De Sa, Revisiting BFloat16
Training, 2020. https://arxiv.org/abs/2010.06192. States have the parameter's dtype."""
from optgen import load, stored

rule = stored(load("adamw"), name="AdamWBF16", param="bf16_sr")
