"""Adam with 8-bit states. Dettmers, Lewis, Shleifer & Zettlemoyer, 8-bit Optimizers via Block-wise
Quantization, ICLR 2022. https://arxiv.org/abs/2110.02861. Formats as bitsandbytes.optim.Adam8bit, whose
weight decay is decoupled."""
from optgen import load, stored

rule = stored(load("adam"), "int8", name="Adam8bit")
