"""Codecs: how one stored quantity lives in memory. The file name is the registry; each module has one `codec`.

A codec is a few numbers and two formulas, from which every backend prints its own functions: no format is written
once per backend. A format of plain numbers has no formulas, only the dtype of what is stored.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module, resources
from typing import Any

from optgen.errors import OptgenError, Problem, RuleError
from optgen.ir import ELEMENT, Place, Role, Var
from optgen.passes import Program
from optgen.passes.ranges import fragile_roots

Lines = tuple[tuple[str, Any], ...]  # names, which may be given again, and expressions of those before
BITS = {"uint8": 8, "int8": 8, "int16": 16, "bf16": 16, "fp16": 16, "fp32": 32}


@dataclass(frozen=True, slots=True)
class Code:
    """A map of numbers from -1 to 1, or from 0 to 1, to whole numbers from 0 to `levels` - 1, and back.

    encode: lines from `x` to a number, whose whole part is limited to the codes there are.
    decode: lines from `code` to a number. The last line of each is the result, and has no name.
    """

    levels: int
    encode: Lines
    decode: Lines


@dataclass(frozen=True, slots=True)
class Part:
    """A tensor of what is stored. suffix: of its key. elements: so many of the quantity to one number of it."""

    suffix: str
    dtype: str
    elements: int = 1


@dataclass(frozen=True, slots=True)
class Codec:
    """A storage format.

    parts: what is stored of a quantity, the codes or numbers first, under the key of the state.
    block: so many elements, one after the other in memory, share one largest absolute value, by which they are
    divided before they are encoded; 0 for plain numbers.
    signed, unsigned: the code of what may be negative, and of what never is.
    for_param: whether it holds a parameter, whose own tensor, of bfloat16, is then the first part.
    kind: what stores it, by its name in every backend: Numbers or Blockwise, and for a parameter Stochastic, Kahan,
    Split or Master.
    """

    about: str
    parts: tuple[Part, ...]
    block: int = 0
    signed: Code | None = None
    unsigned: Code | None = None
    for_param: bool = False
    kind: str = "Numbers"
    name: str = ""

    def code(self, var: Var) -> Code:
        """How a quantity is encoded."""
        found = self.unsigned if var.is_nonnegative else self.signed
        assert found is not None, f"{self.name} stores plain numbers"
        return found

    def bytes_per_element(self) -> float:
        """What is stored of an element on average, in bytes."""
        return sum(BITS[part.dtype] / 8 / part.elements for part in self.parts)

    def refusal(self, var: Var) -> str:
        """Empty if it can hold a quantity, else the reason why it cannot."""
        if self.for_param != (var.role is Role.PARAM):
            return "that is a format of parameters" if self.for_param else "that is a format of states"
        if var.place is Place.HOST:
            return "the state is one number on the host"
        if self.block and var.axes != ELEMENT:
            return "it is for states with a number for each element"
        if self.block and var.tensor_init and var.role is Role.STATE:
            return "the state starts as a parameter or gradient, whose small numbers beside large ones it would lose"
        return ""


def blockwise(about: str, block: int, signed: Code, unsigned: Code) -> Codec:
    """Codes with one largest absolute value in fp32 for each block. Codes of at most 16 levels lie two in a byte."""
    halves = {code.levels <= 16 for code in (signed, unsigned)}
    codes = Part("", "uint8", 2 if halves == {True} else 1)
    return Codec(about, (codes, Part("_absmax", "fp32", block)), block, signed, unsigned, kind="Blockwise")


def plain(about: str, dtype: str) -> Codec:
    """Plain numbers."""
    return Codec(about, (Part("", dtype),))


def of_param(about: str, kind: str, *beside: Part) -> Codec:
    """A bfloat16 parameter, and what is stored beside it."""
    return Codec(about, (Part("", "bf16"), *beside), for_param=True, kind=kind)


@cache
def codecs() -> Mapping[str, Codec]:
    """All formats, by name."""
    folder = resources.files(__name__)
    names = sorted(f.name.removesuffix(".py") for f in folder.iterdir() if f.name.endswith(".py"))
    return {
        name: replace(import_module(f"{__name__}.{name}").codec, name=name) for name in names if name[0] != "_"
    }


def codec(name: str) -> Codec:
    """A format. Raises OptgenError for one that there is not."""
    if name not in codecs():
        raise OptgenError(f"there is no storage format {name!r}\nhint: choose one of {', '.join(codecs())}")
    return codecs()[name]


def codec_of(var: Var) -> Codec | None:
    """The format that a rule asks for, None where it asks for none or for plain numbers of the default dtype."""
    return codec(var.codec) if var.codec else None


def coded(program: Program) -> dict[str, Var]:
    """The quantities of any variant that are stored in a format with a block, by name."""
    found = {v.name: v for step in program.steps for v in step.of_role(Role.PARAM, Role.STATE) if v.codec}
    return {name: var for name, var in found.items() if codec(var.codec).block}


def check_storage(program: Program) -> None:
    """Raises RuleError for a quantity that its format cannot hold, OptgenError for a format that there is not."""
    problems = list(dict.fromkeys(problem for part in program.chain for problem in _problems(part)))
    if problems:
        raise RuleError.several(problems)


def _problems(program: Program) -> Iterator[Problem]:
    yield from _rounded_apart(program)
    if program.modes and "param" in program.rule.storage:
        yield Problem("a rule that changes its parameters with the mode keeps them as they are", program.rule.loc,
                      "leave param out of what is stored in another format")
    loc, keys = program.rule.loc, {v.key for step in program.steps for v in step.of_role(Role.STATE)}
    for var in (v for step in program.steps for v in step.vars if v.codec):
        name, reason = var.name.removesuffix("_prev"), codec(var.codec).refusal(var)
        if reason:
            hint = f"leave {name} out of what is stored so, or choose another format"
            yield Problem(f"{name} cannot be stored as {var.codec}: {reason}", loc, hint)
        for key in companions(var)[var.role is Role.STATE :]:
            if key in keys:
                yield Problem(f"the state key {key!r} is that of what {var.codec} stores beside {name}", loc,
                              "choose another key")


def _rounded_apart(program: Program) -> Iterator[Problem]:
    """States that may only be rounded together."""
    for step in program.steps:
        narrow = {v.name: v.codec for v in step.of_role(Role.STATE) if v.codec not in ("", "fp32")}
        for argument, read in fragile_roots(program.rule, step) if narrow else ():
            for name in sorted(read & narrow.keys()):
                others = ", ".join(sorted(other.removesuffix("_prev") for other in read - {name}))
                argument = str(argument).replace("_prev", "")
                yield Problem(
                    f"{name.removesuffix('_prev')} cannot be stored as {narrow[name]}: {argument} stands under a root, "
                    f"and may be negative once it is rounded apart from {others}",
                    program.rule.loc, "leave these states as they are, or store them as fp32",
                )  # fmt: skip


def companions(var: Var) -> list[str]:
    """The keys in a checkpoint of what is stored of a state, the first of which is its own, or beside a parameter."""
    parts = codec(var.codec).parts if var.codec else ()
    if var.role is Role.PARAM:
        return [f"param{part.suffix}" for part in parts[1:]]
    return [f"{var.key}{part.suffix}" for part in parts] or [var.key]
