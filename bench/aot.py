"""Compile generated Triton kernels ahead of time for a named GPU, and judge their machine code."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
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
from bench.work import MIXES, PLACES, TURN, TYPES, Case, Work, program_of, work_of
from optgen.backends._formats import is_coded, is_random
from optgen.build import compile
from optgen.dsl.load import load
from optgen.dsl.rule import Rule
from optgen.fused import devices, streams
from optgen.passes import lower

WARPS = 4
REGISTERS = 64  # at most, of a kernel with codes of few states and no sums


@dataclass(frozen=True, slots=True)
class Figures:
    """A loop: instructions and bytes by the element; all else is what a thread does in a turn. Widths are in bytes.

    elements: how many a thread takes in a turn, told by what it stores or else loads, since ptxas may unroll a loop.
    bytes: without those of the table of what codes stand for, which stays in cache.
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
    storage: str
    registers: int
    spills: int
    stack: int
    local: int
    minimum: float
    main: Figures
    tail: Figures


def judge(case: Case) -> Verdict:
    """Compile and read one kernel, or take both from the cache."""
    module = compile(case.rule, "triton", storage=case.storage or None)
    used = {f"{module.__package__}.{name}" for name in ("_device", "_matrices", "_reductions", "_runtime", "_tables")}
    used |= {getattr(x, "__module__", "") for x in vars(module).values()} & sys.modules.keys()
    siblings = [sys.modules[name] for name in sorted(used) if name.startswith(f"{module.__package__}._")]
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
    tail, vector = _masked(kernel.loops, main, work), 16 / max(work.sizes)
    return Verdict(
        **asdict(case),
        registers=kernel.registers,
        spills=kernel.spills,
        stack=kernel.stack,
        local=kernel.local,
        minimum=sum(work.read) + sum(work.stored) + work.shared[2],
        main=_figures(main, work, vector),
        tail=_figures(tail, work, vector / WARPS),
    )


def _masked(loops: Sequence[Loop], main: Loop, work: Work) -> Loop:
    """The masked loop. That over tiles comes after the main one; those before it add up parts."""
    if work.tile:
        return loops[loops.index(main) + 1]
    others = (loop for loop in loops if loop is not main and bool(loop.stores) is bool(work.stored))
    return max(others, key=lambda loop: (loop.predicated, loop.bytes))


def has_kernel(name: str) -> bool:
    """Whether a built-in rule, or the one at a path, has a Triton kernel."""
    rule = load(name)
    return isinstance(rule, Rule) and "cuda" in devices(lower(rule))


def compiled(module: ModuleType, case: Case) -> Kernel:
    """Compile and read the kernel of a case."""
    work, types = work_of(case), [TYPES[name] for name in MIXES[case.mix].split()]
    vector = int(16 // max(work.sizes))
    function, stored = getattr(module, work.name), streams(program_of(case.rule, case.storage))
    constants = {
        **{f"{name}_type": types[PLACES[var.role]] for name, var in stored.items() if not is_coded(var)},
        **work.flags, "MAXIMIZE": False, "SCALED": case.scaled, "STRICT": case.strict, "VEC": vector,
        "BLOCK": sys.modules[f"{module.__package__}._runtime"].block_of(vector, case.strict, len(work.sizes)),
        "COMPUTE": TYPES["fp64" if types[0] is tl.float64 else "fp32"],
    }  # fmt: skip
    options = {"num_warps": WARPS}
    if "numbers" in function.arg_names and not work.tile:
        is_simple = work.name == "_step" and not (case.strict or any(map(is_random, stored.values())))
        is_limited = is_simple and len(work.sizes) <= 4
        options = {"num_warps": 1, **({"maxnreg": REGISTERS} if is_limited else {})}
        constants["BLOCK"] = TURN
    if "COLS" in function.arg_names:
        constants["ROWS"], constants["COLS"] = sys.modules[f"{module.__package__}._matrices"].turn_of(vector)
    constants = {name: value for name, value in constants.items() if name in function.arg_names}
    scalar = "*fp64" if types[0] is tl.float64 else "*fp32"
    given = {**dict.fromkeys(("words", "records", "gradients"), "*i64"), "grad_scale": "*fp32", "found_inf": "*fp32"}
    given |= dict.fromkeys(("scalars", "parts", "shares", "common", "lines", "planes"), scalar)
    given |= {"chunk": "i32", "tall": "i32", "numbers": "*fp32"}
    given = {name: kind for name, kind in given.items() if name in function.arg_names}
    return _read(function, given, constants, case.target, {**options, "enable_fp_fusion": not case.strict})


def prologue(rule: str, variant: bool, target: int) -> Kernel:
    """Compile and read the prologue of a rule, with all static conditions or none."""
    module, flags = compile(rule, "triton"), work_of(Case(rule, variant, "fp32", False, target)).flags
    names = module._prologue.arg_names
    constants = {
        **{name: tl.float32 if name == "t_type" else tl.float64 for name in names if name.endswith("_type")},
        **{name: value for name, value in flags.items() if name in names}, "SCALED": True, "TENSORS": 128,
    }  # fmt: skip
    given = {"clocks": "*i64", "hypers": "*fp64", "scalars": "*fp32", "found_inf": "*fp32", "count": "i32"}
    return _read(module._prologue, given, constants, target, {"num_warps": WARPS, "enable_fp_fusion": False})


def _read(
    function: Any, given: Mapping[str, str], constants: dict[str, Any], target: int, options: dict[str, Any]
) -> Kernel:
    """Compile a kernel. given: the types of its arguments that are no constants."""
    names = function.arg_names
    signature = {name: given.get(name, "constexpr") for name in names}
    divisible = {(names.index(name),): [["tt.divisibility", 16]] for name in given}
    source = ASTSource(function, signature, constants, divisible)
    return sass.read(triton.compile(source, target=GPUTarget("cuda", target, 32), options=options).asm["cubin"])


def _figures(loop: Loop, work: Work, vector: float) -> Figures:
    """vector: how many elements of a row a thread takes, for which it reads what there is of the row."""
    by_element = work.decoded + work.of_cols + work.of_rows / vector
    left = work.shared[1] + work.left_of_rows
    moved, size, shared = (
        (loop.stores, sum(work.stored), left)
        if work.stored
        else (loop.loads, sum(work.read) + 4 * by_element, work.shared[0])
    )
    elements = (sum(width * count for width, count in moved.items()) - 4 * shared) / size
    streams = loop.bytes - 4 * (by_element * elements + work.shared[0] + left)
    return Figures(
        elements,
        loop.instructions / elements,
        streams / elements + work.shared[2],
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
