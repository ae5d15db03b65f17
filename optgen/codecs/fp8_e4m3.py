"""fp8_e4m3: blocks of 256 in 8-bit floats, scaled so that the largest of a block is the largest of the format."""

from optgen.codecs import blockwise
from optgen.codecs._maps import e4m3

codec = blockwise(
    "8-bit floats e4m3, blocks of 256 with a float32 absmax", 256, signed=e4m3(signed=True), unsigned=e4m3(signed=False)
)
