"""Names: what may be called what, since names reach paths, templates and compiler command lines."""

from __future__ import annotations

import builtins
import keyword
import re
import sys
from types import FrameType
from typing import Any

from optgen.errors import Loc, Problem, RuleError

IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}", re.ASCII)
SHAPE = "use an ASCII letter, then letters, digits or underscores, at most 64 in all"

# What torch's optimizers take besides their hyperparameters; a rule's `signature` may name these.
OPTIONS = ("foreach", "maximize", "capturable", "differentiable", "fused", "state_dtype")

_C_WORDS = """auto case char const default do double enum extern float goto inline int long register restrict return
short signed sizeof static struct switch typedef union unsigned void volatile main errno NULL INFINITY NAN""".split()
_MODULES = "np numpy math torch triton tl typing types collections functools optgen sympy optim".split()
_GENERATED = """state params grads param grad group groups hyper hypers step steps first self cls rows cols numel elems
model t closure loss init out update host kernel launch launcher i name part kept work new new_params new_state scalars
states requires flags defaults rule factor optimizer last_epoch annotations Any Array Sequence State Tensor ParamsT
ModuleType Optimizer Launcher Fixed ModalOptimizer Hyper Scalar UpdateRule RuleOptimizer RuleScheduler choose negated
cols_by_cols to_train to_eval cols_by_rows rows_by_rows check_state counts cos exp floor from_grad from_param largest
log maximum minimum number numbers per_col per_matrix per_row per_tensor sign sin sqrt tanh to_step total on_cpu on_gpu
begin keys random_bits seed stretches to_bfloat16 check_given Input Inputs Callable overload""".split()

KEYWORDS = frozenset([*keyword.kwlist, *keyword.softkwlist])
RESERVED = frozenset([*KEYWORDS, *dir(builtins), *_C_WORDS, *_MODULES, *_GENERATED, *OPTIONS])
FILES = frozenset([*KEYWORDS, *_C_WORDS, *_MODULES])  # the names of functions and of files do not meet


def caller(depth: int = 1) -> Loc:
    """The source lines of the call that is running `depth` frames above the function that asks."""
    frame: FrameType = sys._getframe(depth + 1)
    positions = list(frame.f_code.co_positions())[frame.f_lasti // 2]
    line = positions[0] or frame.f_lineno
    return Loc(frame.f_code.co_filename, line, max(line, positions[1] or line))


def name_problem(name: object, what: str, loc: Loc | None, reserved: frozenset[str] = RESERVED) -> Problem | None:
    """Why a name cannot stand in generated Python and C, or None if it can. `what` says what it names."""
    if type(name) is not str:  # a subclass may print as something else than it holds
        return Problem(f"the name of {what} is {shown(name)}, not a text", loc, "write it in quotes")
    if not name:
        return Problem(f"{what} has no name", loc, "give it one, such as name='MyRule' for a rule")
    if not IDENTIFIER.fullmatch(name):
        near = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_")
        instead = f", for example {near}" if IDENTIFIER.fullmatch(near) and near not in reserved else ""
        return Problem(f"{what} {name!r} is not a valid name", loc, SHAPE + instead)
    if name in reserved:
        hint = f"choose another name, for example {name}_0"
        return Problem(f"{what} {name!r} is reserved by Python, C or the generated code", loc, hint)
    return None


def check_identifier(name: object, what: str, loc: Loc | None, reserved: frozenset[str] = RESERVED) -> str:
    """`name` if it can stand in generated Python and C, else a RuleError. `what` says what it names."""
    problem = name_problem(name, what, loc, reserved)
    if problem:
        raise RuleError(problem.message, loc, problem.hint)
    return str(name)


def shown(value: Any) -> str:
    """A value of the user's in a message: a number or a text as Python writes it, anything else by its type."""
    kind = type(value).__name__
    plain = type(value) in (int, float, bool, str, type(None))
    return repr(value) if plain else f"{'an' if kind[:1] in 'aeioAEIO' or kind == 'ndarray' else 'a'} {kind}"
