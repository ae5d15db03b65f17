"""The language that rules are written in."""

from optgen.dsl.functions import (
    Abs,
    And,
    Max,
    Min,
    Ne,
    Not,
    Or,
    Piecewise,
    amax,
    clip,
    cos,
    exp,
    floor,
    log,
    matmul,
    mean,
    norm,
    pi,
    rms,
    sign,
    sin,
    sqrt,
    tanh,
    total,
    transpose,
)
from optgen.dsl.load import literal, load
from optgen.dsl.rule import Eq, Rule, Schedule
from optgen.dsl.symbols import cols, elems, first, flag, hyper, model, numel, rows, t, tensors

__all__ = [
    "Abs", "And", "Eq", "Max", "Min", "Ne", "Not", "Or", "Piecewise", "Rule", "Schedule", "amax", "clip", "cols", "cos",
    "elems", "exp", "first", "flag", "floor", "hyper", "literal", "load", "log", "matmul", "mean", "model", "norm", "numel",
    "pi", "rms", "rows", "sign", "sin", "sqrt", "t", "tanh", "tensors", "total", "transpose",
]
