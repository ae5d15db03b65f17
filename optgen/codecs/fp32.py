"""fp32: plain numbers, whatever dtype the parameter has."""

from optgen.codecs import plain

codec = plain("float32 numbers", "fp32")
