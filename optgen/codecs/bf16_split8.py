"""bf16_split8: a bfloat16 parameter with eight bits of the lower half of its float32, as a signed whole number."""

from optgen.codecs import Part, of_param

codec = of_param("bfloat16 with 8 bits of residual", "Split", Part("_rest", "int8"))
