"""Names: what may be called what, since names reach paths, templates and compiler command lines."""

from __future__ import annotations

import builtins
import keyword
import re
import sys
from types import FrameType

from optgen.errors import Loc, RuleError

IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}", re.ASCII)

_C_WORDS = """auto case char const default do double enum extern float goto inline int long register restrict return
short signed sizeof static struct switch typedef union unsigned void volatile main errno NULL INFINITY NAN""".split()
_GENERATED = """np math torch triton tl state params grads param grad group groups hyper step first self cls rows cols
numel elems model t closure loss init out update host kernel launch i fused foreach maximize capturable differentiable
state_dtype defaults optim functools""".split()

RESERVED = frozenset([*keyword.kwlist, *keyword.softkwlist, *dir(builtins), *_C_WORDS, *_GENERATED])


def caller(depth: int = 1) -> Loc:
    """The source lines of the call that is running `depth` frames above the function that asks."""
    frame: FrameType = sys._getframe(depth + 1)
    positions = list(frame.f_code.co_positions())[frame.f_lasti // 2]
    line = positions[0] or frame.f_lineno
    return Loc(frame.f_code.co_filename, line, max(line, positions[1] or line))


def check_identifier(name: object, what: str, loc: Loc | None) -> str:
    """`name` if it can stand in generated Python and C, else a RuleError. `what` says what it names."""
    if not isinstance(name, str) or not IDENTIFIER.fullmatch(name):
        raise RuleError(
            f"{what} {name!r} is not a valid name",
            loc,
            "use an ASCII letter, then letters, digits or underscores, at most 64 in all",
        )
    if name in RESERVED:
        raise RuleError(
            f"{what} {name!r} is reserved by Python, C or the generated code",
            loc,
            f"choose another name, for example {name}_0",
        )
    return name
