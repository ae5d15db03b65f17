"""More than 2^31 elements: kernels whose arithmetic is proved, and steps on the CPU that are made.

The kernel's last chunk is run in interpreted/.
"""

from __future__ import annotations

import re
import resource
from collections.abc import Callable
from importlib import import_module
from typing import Any

import needs
import numpy as np
import pytest
import torch

from optgen import optim
from optgen._generated.numpy_ref import sgd

Interval = tuple[int, int]
LINE = re.compile(r"\s*(%\w+) = ([\w.]+) ?(.*?)(?: ?\{(.*)\})? : (.*) loc\(.*")
LOOP = re.compile(r"\s*scf\.for (%\w+) = (%\w+) to (%\w+) step (%\w+) .*")
WORD, CHUNK, PROGRAMS = (-(2**63), 2**63 - 1), (1024, 65536), (0, 2**31 - 1)


def ends(function: Callable[[int, int], int]) -> Callable[[Interval, Interval], Interval]:
    """A function that is monotonic in each argument, on intervals."""

    def on_intervals(a: Interval, b: Interval) -> Interval:
        values = [function(x, y) for x in a for y in b]
        return min(values), max(values)

    return on_intervals


ARITHMETIC: dict[str, Callable[[Interval, Interval], Interval]] = {
    "arith.addi": ends(lambda x, y: x + y),
    "arith.muli": ends(lambda x, y: x * y),
    "arith.divsi": ends(lambda x, y: int(x / y)),
    "arith.shrsi": ends(lambda x, y: x >> y),
    "arith.minsi": ends(min),
    "arith.andi": lambda a, b: (0, b[1]),  # of a mask, which is a constant here
    # A word stands for a chunk that starts within its tensor, as test_words_cover_each_element_once holds.
    "arith.subi": lambda a, b: (1, a[1] - b[0]),
}
COPIES = {"arith.extsi", "arith.trunci", "tt.splat", "tt.expand_dims", "tt.broadcast"}


def farthest_offset(text: str) -> int:
    """The farthest offset of an address, in elements, that a kernel computes, whatever its words, with chunks as CHUNK.

    Raises OverflowError where an integer may not hold what is put into it, by interval arithmetic on Triton's own code.
    """
    known: dict[str, Interval] = {"%chunk": CHUNK}
    farthest = 0
    for line in text.splitlines():
        loop, found = LOOP.fullmatch(line), LINE.fullmatch(line)
        if loop:
            name, start, end, step = loop.groups()
            known[name] = known[start][0], known[end][1] - 1
            if known[end][1] + known[step][1] >= 2**31:
                raise OverflowError(line)
        if not found:
            continue
        name, operation, given, attributes, kind = found.groups()
        names = re.findall(r"%\w+", given)
        if operation == "tt.addptr":
            farthest = max(farthest, known[names[1]][1])
            continue
        bits = re.search(r"i(32|64)>?$", kind.split(" -> ")[-1].split(" to ")[-1])
        if not bits or operation == "arith.cmpi":
            continue
        known[name] = value(operation, attributes or given, [known.get(n, WORD) for n in names])
        if not -(2 ** (int(bits[1]) - 1)) <= known[name][0] <= known[name][1] < 2 ** (int(bits[1]) - 1):
            raise OverflowError(line)
    return farthest


def value(operation: str, given: str, operands: list[Interval]) -> Interval:
    """What an operation may give."""
    match operation:
        case "arith.constant":
            return int(given), int(given)
        case "tt.get_program_id":
            return PROGRAMS
        case "tt.load":
            return WORD
        case "tt.make_range":
            return 0, int(given.split()[2]) - 1
        case "arith.select":
            return min(operands[1][0], operands[2][0]), max(operands[1][1], operands[2][1])
        case _ if operation in COPIES:
            return operands[0]
        case _:
            return ARITHMETIC[operation](operands[0], operands[1])


@needs.triton
@pytest.mark.parametrize("name", ["adamw", "lion", "rprop"])
def test_no_address_of_a_kernel_overflows(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    triton, aot = import_module("triton"), import_module("bench.aot")
    texts = []
    own = triton.compile

    def kept(*given: Any, **options: Any) -> Any:
        compiled = own(*given, **options)
        texts.append(compiled.asm["ttir"])
        return compiled

    monkeypatch.setattr(triton, "compile", kept)
    case = aot.Case(name, False, "bf16", False, 90)
    aot.compiled(aot.compile(name, "triton"), case)
    assert texts[0].count("scf.for") == 2
    assert farthest_offset(texts[0]) == (2**30 - 1) * 65536


NARROW = """
    %word = tt.load %words : !tt.ptr<i64> loc(#loc)
    %mask = arith.constant 1073741823 : i64 loc(#loc)
    %start = arith.andi %word, %mask : i64 loc(#loc)
    %narrow = arith.trunci %start : i64 to i32 loc(#loc)
    %at = arith.muli %narrow, %chunk : i32 loc(#loc)
"""


def test_the_proof_fails_for_an_address_in_32_bits() -> None:
    with pytest.raises(OverflowError, match=re.escape("%at = arith.muli")):
        farthest_offset(NARROW)


LENGTH = 2**31 + 3000
PLACES = [0, 1, 2**31 - 1, 2**31, 2**31 + 1, LENGTH - 2, LENGTH - 1]


@pytest.mark.slow
@needs.a_c_compiler
def test_a_step_in_c_reaches_them() -> None:
    """The gradient is one element, read with stride 0; nothing but the parameter has its size."""
    needs.memory(2**32)
    module = import_module("optgen._generated.c_cpu.sgd")
    param = torch.zeros(LENGTH, dtype=torch.bfloat16)
    param[0], param[-1] = 1.0, 1.0
    grad = torch.ones(1, dtype=torch.bfloat16).expand(LENGTH)
    flags = module.flags(momentum=0.0, weight_decay=0.0, nesterov=False)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert module.launcher().step([param], [grad], [None], [0], [{"lr": 0.5}], flags) == []
    assert param[PLACES].tolist() == [0.5, -0.5, -0.5, -0.5, -0.5, -0.5, 0.5]
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < 1.5 * 2 * LENGTH


@pytest.mark.slow
def test_an_eager_step_reaches_them() -> None:
    """Of bf16, so 4 GiB; the gradient's pages are never written, so they are the one page of zeros."""
    needs.memory(2**32)
    param = torch.from_numpy(np.zeros(LENGTH, np.int16)).view(torch.bfloat16)
    param[PLACES] = 1.0
    param.grad = torch.from_numpy(np.zeros(LENGTH, np.int16)).view(torch.bfloat16)
    param.grad[PLACES] = 2.0
    optim.SGD([param.requires_grad_()], lr=0.25, fused=False).step()
    assert param.detach()[PLACES].tolist() == [0.5] * len(PLACES)
    assert not param.detach()[2:LENGTH:2**29 + 1].any()


@pytest.mark.slow
def test_numpy_reaches_them() -> None:
    needs.memory(2**33)
    param, grad = np.zeros(LENGTH, np.float32), np.zeros(LENGTH, np.float32)
    param[PLACES], grad[PLACES] = 1.0, 2.0
    sgd.step([param], [grad], [{}], 1, lr=0.25, out=True)
    assert param[PLACES].tolist() == [0.5] * len(PLACES)
    assert not param[2:LENGTH:2**29 + 1].any()
