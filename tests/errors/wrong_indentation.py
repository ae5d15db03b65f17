from optgen import t

  rule = t
