"""Compile generated Triton kernels ahead of time for a named GPU, and judge their machine code."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from types import ModuleType
from typing import Any

import triton
import triton.language as tl
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

import optgen._built
from bench import sass
from bench.sass import Kernel, Loop
from bench.workloads import optimizer_rule
from optgen.build import compile
from optgen.dsl.load import load
from optgen.dsl.rule import Rule
from optgen.fused import devices
from optgen.ir import Role, Step
from optgen.passes import lower
from optgen.passes.phase import phase

TYPES = {"fp32": tl.float32, "bf16": tl.bfloat16, "fp16": tl.float16, "fp64": tl.float64}
MIXES = {"fp32": "fp32 fp32 fp32", "mixed": "bf16 bf16 fp32", "bf16": "bf16 bf16 bf16"}  # of p, g and the states
WARPS = 4


@dataclass(frozen=True, slots=True)
class Case:
    """A kernel to judge. variant: whether all static conditions hold, or none. mix: a name in MIXES.

    scaled: whether it unscales gradients and heeds found_inf.
    """

    rule: str
    variant: bool
    mix: str
    strict: bool
    target: int
    scaled: bool = False


@dataclass(frozen=True, slots=True)
class Figures:
    """A loop: instructions and bytes by the element; all else is what a thread does in a turn. Widths are in bytes.

    elements: how many a thread takes in a turn, told by what it stores, since ptxas may unroll a loop.
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
    siblings = [sys.modules[f"{module.__package__}.{name}"] for name in ("_device", "_runtime", "_tables")]
    sources = [Path(m.__file__ or "").read_text() for m in (module, *siblings, sass, sys.modules[__name__])]
    key = hashlib.sha256(repr([triton.__version__, case, *sources]).encode()).hexdigest()
    found = _cached(key)
    if found is None:
        found = asdict(_judge(module, case))
        _keep(key, json.dumps(found))
    return Verdict(**{**found, "main": Figures(**found["main"]), "tail": Figures(**found["tail"])})


def _judge(module: ModuleType, case: Case) -> Verdict:
    read, stored, flags = _variant(case)
    kernel = _compile(module, case, flags, read)
    main = max(kernel.loops, key=lambda loop: (max(loop.loads, default=0), loop.bytes))
    tail = max((loop for loop in kernel.loops if loop is not main), key=lambda loop: (loop.predicated, loop.bytes))
    return Verdict(
        **asdict(case),
        registers=kernel.registers,
        spills=kernel.spills,
        stack=kernel.stack,
        local=kernel.local,
        minimum=sum(read) + sum(stored),
        main=_figures(main, sum(stored)),
        tail=_figures(tail, sum(stored)),
    )


def has_kernel(name: str) -> bool:
    """Whether a built-in rule, or the one at a path, has a Triton kernel."""
    rule = load(name)
    return isinstance(rule, Rule) and "cuda" in devices(lower(rule))


def cases(rules: Sequence[str], targets: Sequence[int], stricts: Sequence[bool] = (False, True)) -> Iterator[Case]:
    """Every rule, with all its static conditions and with none, every mix, strict and fast, every target."""
    for rule in rules:
        variants = (False, True) if lower(optimizer_rule(rule)).conditions else (False,)
        yield from (Case(rule, *rest) for rest in product(variants, MIXES, stricts, targets))


def _variant(case: Case) -> tuple[list[int], list[int], tuple[bool, ...]]:
    """The bytes that the variant must read and write for an element, by stream, and its static conditions."""
    program = lower(optimizer_rule(case.rule))
    step = next(s for s in program.steps if all(value is case.variant for value in s.variant.values()))
    (part,) = phase(step, everywhere=True)
    read = [_size(step, name, case.mix) for name in part.loads]
    written = [_size(step, write.into, case.mix) for write in part.stores]
    return read, written, tuple(step.variant.values())


def _size(step: Step, name: str, mix: str) -> int:
    place = (Role.PARAM, Role.GRAD, Role.STATE).index(step.var(name).role)
    return int(TYPES[MIXES[mix].split()[place]].primitive_bitwidth) // 8


def _compile(module: ModuleType, case: Case, flags: tuple[bool, ...], read: Sequence[int]) -> Kernel:
    types = [TYPES[name] for name in MIXES[case.mix].split()]
    vector = 16 // max(read)
    block = sys.modules[f"{module.__package__}._runtime"].block_of(vector, case.strict, len(read))
    names = module._step.arg_names
    streams = [name for name in names if name.endswith("_type")]
    chosen = names[names.index(streams[-1]) + 1 : names.index("MAXIMIZE")]
    constants = {
        **dict(zip(streams, [types[0], types[1], *[types[2]] * len(streams)], strict=False)),
        **dict(zip(chosen, flags, strict=True)),
        "MAXIMIZE": False, "SCALED": case.scaled, "STRICT": case.strict, "BLOCK": block, "VEC": vector,
        "COMPUTE": TYPES["fp64" if types[0] is tl.float64 else "fp32"],
    }  # fmt: skip
    scalar = "*fp64" if types[0] is tl.float64 else "*fp32"
    tables = dict.fromkeys(("words", "records", "gradients"), "*i64")
    given = {**tables, "scalars": scalar, "grad_scale": "*fp32", "found_inf": "*fp32", "chunk": "i32"}
    return _read(module._step, given, constants, case.target, fusion=not case.strict)


def prologue(rule: str, variant: bool, target: int) -> Kernel:
    """Compile and read the prologue of a rule, with all static conditions or none."""
    module, case = compile(rule, "triton"), Case(rule, variant, "fp32", False, target)
    names = module._prologue.arg_names
    chosen = names[len(names) - 2 - len(_variant(case)[2]) : -2]
    constants = {
        **{name: tl.float32 if name == "t_type" else tl.float64 for name in names if name.endswith("_type")},
        **dict(zip(chosen, _variant(case)[2], strict=True)),
        "SCALED": True, "TENSORS": 128,
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


def _figures(loop: Loop, stored: int) -> Figures:
    elements = sum(width * count for width, count in loop.stores.items()) / stored
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
