"""int4: blocks of 128, two codes in a byte; dynamic for what may be negative, evenly spaced above 0 for what is not.

The maps of the 4-bit AdamW of torchao: Li, Chen & Zhu, Memory Efficient Optimizers with 4-bit States, NeurIPS 2023,
https://arxiv.org/abs/2309.01507.
"""

from optgen.codecs import blockwise
from optgen.codecs._maps import dynamic, linear_above_zero

codec = blockwise(
    "4-bit codes, blocks of 128 with a float32 absmax",
    128,
    signed=dynamic(4, 3, signed=True),
    unsigned=linear_above_zero(16),
)
