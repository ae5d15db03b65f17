"""Running error bounds: what any correct backend may compute, element by element."""

from optgen.bounds.bounded import Bounded, Machine, magnitude
from optgen.bounds.formats import BF16, EXACT, FP16, FP32, FP64, Format
from optgen.bounds.reals import FLOAT, MULTI

__all__ = ["BF16", "EXACT", "FLOAT", "FP16", "FP32", "FP64", "MULTI", "Bounded", "Format", "Machine", "magnitude"]
