"""Languages: how functions and operators are spelled in what optgen generates."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

TOLD = frozenset(["float_place"])  # functions whose numbers are constants of the language, of no type of their own
MULTIPLIED_OUT = 4  # x**n up to here is printed as a product: exact in every language, where a power function is not


@dataclass(frozen=True, slots=True)
class Language:
    """How functions and operators are spelled. `power` and `divide` are operators if they hold no braces."""

    name: str
    functions: Mapping[str, str]
    power: str = "{}**{}"
    divide: str = ""
    divide_scalar: str = ""  # of a scalar by a tensor, where the operator would multiply by the reciprocal
    where: str = "{1} if {0} else {2}"
    choose: str = ""  # of a host condition that may be a tensor, where its value may not be read
    and_: str = "{} and {}"
    or_: str = "{} or {}"
    not_: str = "not {}"
    pi: str = "math.pi"
    integer: str = "{}"
    decimal: str = "{}"
    ratio: str = "{} / {}"
    mixed: Mapping[str, str] = field(default_factory=dict)  # of a tensor and a scalar, where that is written otherwise
    multiplied_out: int = MULTIPLIED_OUT
    one_minus_power: str = ""  # 1 - x**y, where that would cancel
    whole_power: str = ""  # above that, where `power` is not as accurate as multiplying
    filled: str = ""  # a scalar as a tensor like another, where a branch of scalars would lose the compute dtype
    spread: str = ""  # a tensor with the axes of another, where a choice of the host would lose some of them
    alone: str = (
        "{}"  # a number that is an argument or a branch, where it needs a type that an operand takes from the other
    )


HOST = Language(
    "host Python",
    {
        "sqrt": "math.sqrt({})",
        "exp": "math.exp({})",
        "log": "math.log({})",
        "Abs": "abs({})",
        "sign": "float(({0} > 0) - ({0} < 0))",
        "Max": "max({}, {})",
        "Min": "min({}, {})",
        "floor": "math.floor({})",
        "cos": "math.cos({})",
        "sin": "math.sin({})",
        "tanh": "math.tanh({})",
    },
    multiplied_out=0,
)
SCALAR = Language(
    "PyTorch scalars",
    {
        "sqrt": "sqrt({})",
        "exp": "exp({})",
        "log": "log({})",
        "Abs": "abs({})",
        "sign": "sign({})",
        "Max": "maximum({}, {})",
        "Min": "minimum({}, {})",
        "floor": "floor({})",
        "cos": "cos({})",
        "sin": "sin({})",
        "tanh": "tanh({})",
    },
    choose="choose({0}, lambda: {1}, lambda: {2})",
    and_="{} & {}",
    or_="{} | {}",
    not_="negated({})",
    multiplied_out=0,
)
NUMPY = Language(
    "NumPy",
    {
        "sqrt": "np.sqrt({})",
        "exp": "np.exp({})",
        "log": "np.log({})",
        "Abs": "np.abs({})",
        "sign": "np.sign({})",
        "Max": "np.maximum({}, {})",
        "Min": "np.minimum({}, {})",
        "floor": "np.floor({})",
        "cos": "np.cos({})",
        "sin": "np.sin({})",
        "tanh": "np.tanh({})",
        "copysign": "np.copysign({}, {})",
        "float_place": "float_place({}, {}, {}, {})",
        "bfloat16": "to_bfloat16({})",
    },
    where="np.where({}, {}, {})",
    filled="np.full_like({}, {})",
    spread="np.full_like({}, {})",
    and_="{} & {}",
    or_="{} | {}",
    not_="~{}",
)
TORCH = Language(
    "PyTorch",
    {
        "sqrt": "torch.sqrt({})",
        "exp": "torch.exp({})",
        "log": "torch.log({})",
        "Abs": "torch.abs({})",
        "sign": "torch.sign({})",
        "Max": "torch.maximum({}, {})",
        "Min": "torch.minimum({}, {})",
        "floor": "torch.floor({})",
        "cos": "torch.cos({})",
        "sin": "torch.sin({})",
        "tanh": "torch.tanh({})",
        "copysign": "torch.copysign({}, {})",
        "float_place": "float_place({}, {}, {}, {})",
        "bfloat16": "to_bfloat16({})",
    },
    where="torch.where({}, {}, {})",
    choose="choose({0}, lambda: {1}, lambda: {2})",
    filled="torch.full_like({}, {})",
    spread="{1}.expand_as({0})",
    and_="{} & {}",
    or_="{} | {}",
    not_="~{}",
    mixed={"Max": "torch.clamp({}, min={})", "Min": "torch.clamp({}, max={})"},
    divide_scalar="torch.div({}, {})",
)
TRITON = Language(
    "Triton",
    {
        "sqrt": "sqrt({}, STRICT)",
        "exp": "tl.exp({})",
        "log": "tl.log({})",
        "Abs": "tl.abs({})",
        "sign": "sign({})",
        "Max": "maximum({}, {})",
        "Min": "minimum({}, {})",
        "floor": "tl.floor({})",
        "cos": "tl.cos({})",
        "sin": "tl.sin({})",
        "tanh": "tanh({})",
        "copysign": "copysign({}, {})",
        "float_place": "float_place({}, {}, {}, {})",
    },
    power="power({}, {})",
    whole_power="whole_power({}, {})",
    divide="div({}, {}, STRICT)",
    where="tl.where({}, {}, {})",
    and_="{} & {}",
    or_="{} | {}",
    not_="~{}",
    pi=repr(math.pi),
    multiplied_out=16,
    alone="tl.full((), {}, COMPUTE)",
)
TRITON_SCALAR = replace(
    TRITON,
    name="Triton scalars",
    functions={**TRITON.functions, "sqrt": "tl.sqrt({})"},
    divide="",
    one_minus_power="one_minus_power({}, {})",
    alone="fp64({})",
)
C = Language(
    "C",
    {
        "sqrt": "sqrt({})",
        "exp": "exponential({})",
        "log": "log({})",
        "Abs": "fabs({})",
        "sign": "sign({})",
        "Max": "maximum({}, {})",
        "Min": "minimum({}, {})",
        "floor": "floor({})",
        "cos": "cos({})",
        "sin": "sin({})",
        "tanh": "tanh({})",
        "copysign": "copysign({}, {})",
        "float_place": "float_place({}, {}, {}, {})",
        "bfloat16": "to_bfloat16({})",
    },
    power="power({}, {})",
    where="({} ? {} : {})",
    and_="{} && {}",
    or_="{} || {}",
    not_="!{}",
    pi=f"(real){math.pi!r}",
    integer="{}",
    decimal="(real){}",
    ratio="(real){} / {}",
    alone="(real){}",
)
TEXT = Language(
    "text",
    {
        "sqrt": "sqrt({})",
        "exp": "exp({})",
        "log": "log({})",
        "Abs": "|{}|",
        "sign": "sign({})",
        "Max": "max({}, {})",
        "Min": "min({}, {})",
        "floor": "floor({})",
        "cos": "cos({})",
        "sin": "sin({})",
        "tanh": "tanh({})",
        "bfloat16": "bfloat16({})",
        "total": "total({}, {})",
        "mean": "mean({}, {})",
        "norm": "norm({}, {})",
        "rms": "rms({}, {})",
        "amax": "amax({}, {})",
        "matmul": "matmul({}, {})",
        "transpose": "transpose({})",
    },
    pi="pi",
    multiplied_out=0,
)
