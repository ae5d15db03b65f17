"""bf16_split16: a bfloat16 parameter with the lower half of its float32, as a signed whole number."""

from optgen.codecs import Part, of_param

codec = of_param("bfloat16 with 16 bits of residual: exactly float32", "Split", Part("_rest", "int16"))
