"""Work: what the kernels of a rule must do, read off its equations: streams, bytes by the element, passes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import product

import triton.language as tl

from bench.workloads import optimizer_rule
from optgen.backends._formats import held, is_coded
from optgen.backends._triton_kernels import Kernel as Launch
from optgen.backends._triton_launches import variant_for
from optgen.codecs import BITS, Codec, codec_of
from optgen.dsl.formats import with_storage
from optgen.fused import ORDER, flag_names, kind_of
from optgen.ir import Phase, Role, Step, reads
from optgen.listing import is_elementwise, needs_matrix
from optgen.passes import Program, lower, without_copies
from optgen.passes.phase import phase

TYPES = {"fp32": tl.float32, "bf16": tl.bfloat16, "fp16": tl.float16, "fp64": tl.float64}
MIXES = {"fp32": "fp32 fp32 fp32", "mixed": "bf16 bf16 fp32", "bf16": "bf16 bf16 bf16"}  # of p, g and the states
PLACES = {Role.PARAM: 0, Role.GRAD: 1, Role.STATE: 2, Role.INPUT: 1}  # in a mix
TURN = 256  # elements that the one warp of a kernel with codes takes at a time


@dataclass(frozen=True, slots=True)
class Case:
    """A kernel to judge. variant: whether all static conditions hold, or none. mix: a name in MIXES.

    scaled: whether it unscales gradients and heeds found_inf. number: which pass over memory, from 1. storage: formats
    beside those of the rule itself, as `optgen build` takes them.
    """

    rule: str
    variant: bool
    mix: str
    strict: bool
    target: int
    scaled: bool = False
    number: int = 1
    storage: str = ""


@dataclass(frozen=True, slots=True)
class Work:
    """A kernel's name in its module, the bytes that it must read and write for an element, by stream, its constants
    beside the usual ones, and the bytes of an element of each stream of the whole step. What is stored beside a
    parameter is a stream, too.

    decoded: of how many streams codes are read. shared: how many numbers a thread reads, and how many it writes, in a
    turn, of what blocks of codes have in common, and their bytes by the element. tile: whether a kernel goes over
    tiles. of_rows, left_of_rows: how many numbers it then reads and leaves for each row. of_cols: how many it reads for
    each element where it goes straight through rows.
    """

    name: str
    read: list[float]
    stored: list[float]
    flags: dict[str, bool]
    sizes: list[float]
    decoded: int
    shared: tuple[int, int, float]
    tile: bool = False
    of_rows: int = 0
    left_of_rows: int = 0
    of_cols: int = 0


def cases(
    rules: Sequence[str],
    targets: Sequence[int],
    stricts: Sequence[bool] = (False, True),
    storages: Sequence[str] = ("",),
) -> Iterator[Case]:
    """Every rule and storage, with all static conditions and with none, every mix, strict and fast, target and pass."""
    for rule, storage in product(rules, storages):
        variants = (False, True) if program_of(rule, storage).conditions else (False,)
        for rest in product(variants, MIXES, stricts, targets):
            case = Case(rule, *rest, storage=storage)
            yield from (replace(case, number=number) for number in range(1, passes(case) + 1))


@cache
def program_of(rule: str, storage: str = "") -> Program:
    """A built-in rule, or the one at a path, as backends see it. storage: of a case."""
    loaded = optimizer_rule(rule)
    return without_copies(lower(with_storage(loaded, storage) if storage else loaded))


def passes(case: Case) -> int:
    """How many passes over memory the variant of a case makes."""
    return len(_passes(case)[1])


def work_of(case: Case) -> Work:
    """What the kernel of a case must do."""
    step, found = _passes(case)
    name, part = found[case.number - 1]
    streams = [v.name for v in step.of_role(*ORDER) if kind_of(step, v.name) == "element"]
    past = {w.value: w.into for w in step.writes}  # what an earlier pass has stored may be read back
    known = (name if name in streams else past.get(name) for name in part.loads)
    loads = [name for name in known if name in streams]
    read, stored, sizes = (
        [size for name in of for size in _sizes(step, name, case.mix)]
        for of in (loads, [w.into for w in part.stores], streams)
    )
    program = program_of(case.rule, case.storage)
    flags = dict(zip(flag_names(program), step.variant.values(), strict=True))
    flags |= {} if name == "_step" else {"ROUNDS": _rounds(case)}
    vectors = TURN // (32 * int(16 // max(sizes)))
    names = loads, [w.into for w in part.stores]
    blocks = [[made.block for name in of if (made := _coded(step, name))] for of in names]
    read_by_one = sum(min(vectors, TURN // block) for block in blocks[0])
    shared = read_by_one, len(blocks[1]), sum(4 / block for of in blocks for block in of)
    is_tile = not isinstance(part, Phase) and needs_matrix(program) and part.each == "chunk"
    is_span = not isinstance(part, Phase) and part.each == "span"
    read_of = {n: kind_of(step, n) for s in part.body for n in reads(s) if is_tile or is_span}
    of_rows, of_cols = ([kind for kind in read_of.values() if kind == wanted] for wanted in ("row", "col"))
    left = [s for s in part.body if is_tile and kind_of(step, s.target) == "row"]
    lines = len(of_rows), len(left), len(of_cols) if is_span else 0
    return Work(name, read, stored, flags, sizes, len(blocks[0]), shared, is_tile, *lines)


def _coded(step: Step, name: str) -> Codec | None:
    """The format of a stream, if its elements are codes."""
    return codec_of(step.var(name)) if is_coded(step.var(name)) else None


def _passes(case: Case) -> tuple[Step, list[tuple[str, Phase | Launch]]]:
    """The variant of a case, and its kernels that go over all elements."""
    program = program_of(case.rule, case.storage)
    step = next(s for s in program.steps if all(value is case.variant for value in s.variant.values()))
    if is_elementwise(program):
        return step, [("_step", part) for part in phase(step, everywhere=True)]
    kernels = variant_for(program, step, _rounds(case)).kernels
    return step, [(kernel.name, kernel) for kernel in kernels if kernel.each in ("chunk", "span")]


def _rounds(case: Case) -> bool:
    """Whether storing a state rounds it."""
    param, _, state = MIXES[case.mix].split()
    return state != ("fp64" if param == "fp64" else "fp32")


def _sizes(step: Step, name: str, mix: str) -> list[float]:
    """The bytes of an element of a stream, and of what is stored beside it of a parameter."""
    if made := _coded(step, name):
        return [1 / made.parts[0].elements]
    kind, made = MIXES[mix].split()[PLACES[step.var(name).role]], held(step.var(name))
    beside = made.parts[1:] if made and kind == "bf16" else ()
    return [int(TYPES[kind].primitive_bitwidth) // 8, *(BITS[part.dtype] / 8 for part in beside)]
