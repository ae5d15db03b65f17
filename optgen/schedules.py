"""The prebuilt learning-rate schedules, for `from optgen.schedules import WarmupCosine`. Needs torch, not SymPy."""

from optgen._generated.pytorch.constant import Constant
from optgen._generated.pytorch.cosine import Cosine
from optgen._generated.pytorch.linear import Linear
from optgen._generated.pytorch.warmup_constant import WarmupConstant
from optgen._generated.pytorch.warmup_cosine import WarmupCosine
from optgen._generated.pytorch.warmup_linear import WarmupLinear

__all__ = ["Constant", "Cosine", "Linear", "WarmupConstant", "WarmupCosine", "WarmupLinear"]
