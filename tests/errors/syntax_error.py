from optgen import t

rule = (1 +
