"""Lion with an 8-bit state. Dettmers, Lewis, Shleifer & Zettlemoyer, 8-bit Optimizers via Block-wise
Quantization, ICLR 2022. https://arxiv.org/abs/2110.02861. Formats as bitsandbytes.optim.Lion8bit."""
from optgen import load, stored

rule = stored(load("lion"), "int8", name="Lion8bit")
