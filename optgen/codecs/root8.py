"""root8: blocks of 256 in 8-bit codes of roots: the square root of what may be negative, the fourth of what is not.

A sum of squares spans twice as many decades as what is squared, so its root is taken twice; it is never rounded to 0.
"""

from optgen.codecs import blockwise
from optgen.codecs._maps import fourth_power_above_zero, square

codec = blockwise(
    "8-bit codes of square and fourth roots, blocks of 256 with a float32 absmax",
    256,
    signed=square(256),
    unsigned=fourth_power_above_zero(256),
)
