"""fp16: plain numbers, whatever dtype the parameter has."""

from optgen.codecs import plain

codec = plain("float16 numbers, rounded to nearest", "fp16")
