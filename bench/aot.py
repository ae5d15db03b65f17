"""Compile generated Triton kernels ahead of time for a named GPU, and judge their machine code."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from itertools import product
from pathlib import Path
from types import ModuleType
from typing import Any

import triton
import triton.language as tl
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

import optgen._built
import optgen.backends._triton_phases as launches
from bench import sass
from bench.sass import Kernel, Loop
from bench.workloads import optimizer_rule
from optgen.build import compile
from optgen.dsl.load import load
from optgen.dsl.rule import Rule
from optgen.fused import ORDER, devices, flag_names, kind_of, scalars, streams
from optgen.ir import Phase, Role, Step
from optgen.listing import is_elementwise
from optgen.passes import Program, lower, without_copies
from optgen.passes.phase import phase

TYPES = {"fp32": tl.float32, "bf16": tl.bfloat16, "fp16": tl.float16, "fp64": tl.float64}
MIXES = {"fp32": "fp32 fp32 fp32", "mixed": "bf16 bf16 fp32", "bf16": "bf16 bf16 bf16"}  # of p, g and the states
PLACES = {Role.PARAM: 0, Role.GRAD: 1, Role.STATE: 2, Role.INPUT: 1}  # in a mix
WARPS = 4


@dataclass(frozen=True, slots=True)
class Case:
    """A kernel to judge. variant: whether all static conditions hold, or none. mix: a name in MIXES.

    scaled: whether it unscales gradients and heeds found_inf. number: which pass over memory, from 1.
    """

    rule: str
    variant: bool
    mix: str
    strict: bool
    target: int
    scaled: bool = False
    number: int = 1


@dataclass(frozen=True, slots=True)
class Work:
    """A kernel's name in its module, the bytes that it must read and write for an element, by stream, its constants
    beside the usual ones, and the bytes of an element of each stream of the whole step."""

    name: str
    read: list[int]
    stored: list[int]
    flags: dict[str, bool]
    sizes: list[int]


@dataclass(frozen=True, slots=True)
class Figures:
    """A loop: instructions and bytes by the element; all else is what a thread does in a turn. Widths are in bytes.

    elements: how many a thread takes in a turn, told by what it stores or else loads, since ptxas may unroll a loop.
    """

    elements: float
    instructions: float
    bytes: float
    loads: dict[str, int]
    stores: dict[str, int]
    predicated: int
    calls: int
    fp64: int
    atomics: int
    shared: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the machine code of a case shows. minimum: the bytes per element that the rule must move."""

    rule: str
    variant: bool
    mix: str
    strict: bool
    target: int
    scaled: bool
    number: int
    registers: int
    spills: int
    stack: int
    local: int
    minimum: int
    main: Figures
    tail: Figures


def judge(case: Case) -> Verdict:
    """Compile and read one kernel, or take both from the cache."""
    module = compile(case.rule, "triton")
    used = ("_device", "_reductions", "_runtime", "_tables")
    siblings = [sys.modules[f"{module.__package__}.{name}"] for name in used]
    sources = [Path(m.__file__ or "").read_text() for m in (module, *siblings, sass, sys.modules[__name__])]
    key = hashlib.sha256(repr([triton.__version__, case, *sources]).encode()).hexdigest()
    found = _cached(key)
    if found is None:
        found = asdict(_judge(module, case))
        _keep(key, json.dumps(found))
    return Verdict(**{**found, "main": Figures(**found["main"]), "tail": Figures(**found["tail"])})


def _judge(module: ModuleType, case: Case) -> Verdict:
    work = work_of(case)
    kernel = compiled(module, case)
    main = max(kernel.loops, key=lambda loop: (max(loop.loads, default=0), loop.bytes))
    others = (loop for loop in kernel.loops if loop is not main and bool(loop.stores) is bool(work.stored))
    tail = max(others, key=lambda loop: (loop.predicated, loop.bytes))
    return Verdict(
        **asdict(case),
        registers=kernel.registers,
        spills=kernel.spills,
        stack=kernel.stack,
        local=kernel.local,
        minimum=sum(work.read) + sum(work.stored),
        main=_figures(main, work),
        tail=_figures(tail, work),
    )


def has_kernel(name: str) -> bool:
    """Whether a built-in rule, or the one at a path, has a Triton kernel."""
    rule = load(name)
    return isinstance(rule, Rule) and "cuda" in devices(lower(rule))


def cases(rules: Sequence[str], targets: Sequence[int], stricts: Sequence[bool] = (False, True)) -> Iterator[Case]:
    """Every rule, with all its static conditions and with none, every mix, strict and fast, target and pass."""
    for rule in rules:
        variants = (False, True) if _program(rule).conditions else (False,)
        for rest in product(variants, MIXES, stricts, targets):
            case = Case(rule, *rest)
            yield from (replace(case, number=number) for number in range(1, passes(case) + 1))


@cache
def _program(rule: str) -> Program:
    return without_copies(lower(optimizer_rule(rule)))


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
        [_size(step, name, case.mix) for name in of] for of in (loads, [w.into for w in part.stores], streams)
    )
    program = _program(case.rule)
    flags = dict(zip(flag_names(program), step.variant.values(), strict=True))
    return Work(name, read, stored, {**flags, **({} if name == "_step" else {"ROUNDS": _rounds(case)})}, sizes)


def _passes(case: Case) -> tuple[Step, list[tuple[str, Phase | launches.Kernel]]]:
    """The variant of a case, and its kernels that go over all elements."""
    program = _program(case.rule)
    step = next(s for s in program.steps if all(value is case.variant for value in s.variant.values()))
    if is_elementwise(program):
        return step, [("_step", part) for part in phase(step, everywhere=True)]
    variant = launches.Variant(program, step, _rounds(case), streams(program), scalars(program), launches.Places())
    return step, [(kernel.name, kernel) for kernel in variant.kernels if kernel.each == "chunk"]


def _rounds(case: Case) -> bool:
    """Whether storing a state rounds it."""
    param, _, state = MIXES[case.mix].split()
    return state != ("fp64" if param == "fp64" else "fp32")


def _size(step: Step, name: str, mix: str) -> int:
    return int(TYPES[MIXES[mix].split()[PLACES[step.var(name).role]]].primitive_bitwidth) // 8


def compiled(module: ModuleType, case: Case) -> Kernel:
    """Compile and read the kernel of a case."""
    work, types = work_of(case), [TYPES[name] for name in MIXES[case.mix].split()]
    vector = 16 // max(work.sizes)
    function = getattr(module, work.name)
    constants = {
        **{f"{name}_type": types[PLACES[v.role]] for name, v in streams(_program(case.rule)).items()},
        **work.flags, "MAXIMIZE": False, "SCALED": case.scaled, "STRICT": case.strict, "VEC": vector,
        "BLOCK": sys.modules[f"{module.__package__}._runtime"].block_of(vector, case.strict, len(work.sizes)),
        "COMPUTE": TYPES["fp64" if types[0] is tl.float64 else "fp32"],
    }  # fmt: skip
    scalar = "*fp64" if types[0] is tl.float64 else "*fp32"
    given = {**dict.fromkeys(("words", "records", "gradients"), "*i64"), "grad_scale": "*fp32", "found_inf": "*fp32"}
    given |= {**dict.fromkeys(("scalars", "parts", "shares", "common"), scalar), "chunk": "i32"}
    given = {name: kind for name, kind in given.items() if name in function.arg_names}
    return _read(function, given, constants, case.target, fusion=not case.strict)


def prologue(rule: str, variant: bool, target: int) -> Kernel:
    """Compile and read the prologue of a rule, with all static conditions or none."""
    module, flags = compile(rule, "triton"), work_of(Case(rule, variant, "fp32", False, target)).flags
    names = module._prologue.arg_names
    constants = {
        **{name: tl.float32 if name == "t_type" else tl.float64 for name in names if name.endswith("_type")},
        **{name: value for name, value in flags.items() if name in names}, "SCALED": True, "TENSORS": 128,
    }  # fmt: skip
    given = {"clocks": "*i64", "hypers": "*fp64", "scalars": "*fp32", "found_inf": "*fp32", "count": "i32"}
    return _read(module._prologue, given, constants, target, fusion=False)


def _read(function: Any, given: Mapping[str, str], constants: dict[str, Any], target: int, fusion: bool) -> Kernel:
    """Compile a kernel. given: the types of its arguments that are no constants."""
    names = function.arg_names
    signature = {name: given.get(name, "constexpr") for name in names}
    divisible = {(names.index(name),): [["tt.divisibility", 16]] for name in given}
    source = ASTSource(function, signature, constants, divisible)
    options = {"num_warps": WARPS, "enable_fp_fusion": fusion}
    return sass.read(triton.compile(source, target=GPUTarget("cuda", target, 32), options=options).asm["cubin"])


def _figures(loop: Loop, work: Work) -> Figures:
    moved, size = (loop.stores, sum(work.stored)) if work.stored else (loop.loads, sum(work.read))
    elements = sum(width * count for width, count in moved.items()) / size
    return Figures(
        elements,
        loop.instructions / elements,
        loop.bytes / elements,
        {str(width): count for width, count in loop.loads.items()},
        {str(width): count for width, count in loop.stores.items()},
        loop.predicated,
        loop.calls,
        loop.fp64,
        loop.atomics,
        loop.shared,
    )


def _folder() -> Path:
    return optgen._built.folder().parent / "gpu_static"


def _cached(key: str) -> Any:
    try:
        return json.loads((_folder() / key).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _keep(key: str, text: str) -> None:
    """Write aside and rename, so that nobody reads half of it. A folder that cannot be written keeps nothing."""
    try:
        _folder().mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=_folder())
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(name).replace(_folder() / key)
    except OSError:
        return
