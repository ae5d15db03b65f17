"""int8: blocks of 256 in Dettmers' dynamic map, as bitsandbytes stores 8-bit states."""

from optgen.codecs import blockwise
from optgen.codecs._maps import dynamic

codec = blockwise(
    "8-bit dynamic map, blocks of 256 with a float32 absmax, as bitsandbytes",
    256,
    signed=dynamic(8, 7, signed=True),
    unsigned=dynamic(8, 7, signed=False),
)
