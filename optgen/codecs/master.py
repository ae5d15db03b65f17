"""master: a bfloat16 parameter that is a rounded copy of float32 master weights."""

from optgen.codecs import Part, of_param

codec = of_param("bfloat16 with float32 master weights", "Master", Part("_master", "fp32"))
