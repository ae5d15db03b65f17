"""bf16_sr: a bfloat16 parameter, rounded up or down by chance, so that small updates are not lost on average."""

from optgen.codecs import of_param

codec = of_param("bfloat16, rounded stochastically", "Stochastic")
