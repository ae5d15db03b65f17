"""bf16: plain numbers, whatever dtype the parameter has."""

from optgen.codecs import plain

codec = plain("bfloat16 numbers, rounded to nearest", "bf16")
