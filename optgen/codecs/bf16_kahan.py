"""bf16_kahan: a bfloat16 parameter with what its rounding lost, as Kahan's compensated sum keeps it.

Kahan, Pracniques: Further remarks on reducing truncation errors, Communications of the ACM 8(1), 1965.
"""

from optgen.codecs import Part, of_param

codec = of_param("bfloat16 with the rest that rounding loses in bfloat16", "Kahan", Part("_rest", "bf16"))
