"""Machine code of NVIDIA GPUs: the resources of a kernel, and what one turn of each of its loops does."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import triton

INSTRUCTION = re.compile(r"/\*[0-9a-f]{4,}\*/\s+(?:@(!?U?P[\dT]+)\s+)?([A-Z][\w.]*)\s*(.*?)\s*;")
LABEL = re.compile(r"^\s*([.$]?[\w.$]+):\s*$")
CONDITION = re.compile(r"!?U?P[0-6]\b")
WIDTHS = {".256": 32, ".128": 16, ".64": 8, ".U16": 2, ".S16": 2, ".U8": 1, ".S8": 1}
FP64 = frozenset(["DADD", "DFMA", "DMUL", "DSETP", "DMNMX"])
ATOMIC = frozenset(["ATOM", "ATOMG", "ATOMS", "RED", "REDG"])


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction: its guard, its name with modifiers, and the label it jumps to."""

    guard: str
    name: str
    target: str

    @property
    def op(self) -> str:
        """The name without modifiers."""
        return self.name.split(".")[0]

    @property
    def width(self) -> int:
        """Bytes that a thread moves, if it is an access of memory."""
        return next((width for text, width in WIDTHS.items() if text in self.name), 4)

    @property
    def streams(self) -> bool:
        """Whether it reads or writes global memory."""
        return self.op in ("LDG", "STG")


@dataclass(frozen=True, slots=True)
class Loop:
    """One turn of a loop. `loads` and `stores` count accesses of global memory by width in bytes."""

    instructions: int
    loads: Mapping[int, int]
    stores: Mapping[int, int]
    predicated: int
    calls: int
    fp64: int
    atomics: int
    shared: int

    @property
    def bytes(self) -> int:
        """Bytes of global memory that a thread moves in a turn."""
        return sum(width * count for widths in (self.loads, self.stores) for width, count in widths.items())


@dataclass(frozen=True, slots=True)
class Kernel:
    """A kernel's resources and loops, in the order of their code. `spills` counts accesses of local memory."""

    registers: int
    stack: int
    local: int
    shared: int
    spills: int
    loops: tuple[Loop, ...]


def read(cubin: bytes) -> Kernel:
    """Disassemble a binary that holds one kernel."""
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(cubin)
        file.flush()
        usage = _run(triton.knobs.nvidia.cuobjdump.path, "-res-usage", file.name)
        blocks = _blocks(_run(triton.knobs.nvidia.nvdisasm.path, "-c", file.name))
    used = {name: int(value) for name, value in re.findall(r"(REG|STACK|LOCAL|SHARED):(\d+)", usage)}
    spills = sum(i.op in ("LDL", "STL") for block in blocks for i in block.code)
    return Kernel(used["REG"], used["STACK"], used["LOCAL"], used["SHARED"], spills, tuple(_loops(blocks)))


def _run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@dataclass(slots=True)
class _Block:
    """Straight-line code and the numbers of the blocks that can follow it."""

    code: list[Instruction]
    following: tuple[int, ...] = ()


def _blocks(text: str) -> list[_Block]:
    blocks, labels, ways = [_Block([])], dict[str, int](), dict[int, bool]()
    for line in text.splitlines():
        if found := INSTRUCTION.search(line):
            guard, name, operands = found.groups()
            target = re.search(r"`\(([^)]+)\)", operands)
            one = Instruction(guard or "", name, target[1] if target else "")
            blocks[-1].code.append(one)
            if _jumps(one):
                two_way = one.guard not in ("", "PT", "UPT") or bool(CONDITION.match(operands))
                ways[len(blocks) - 1] = two_way
                blocks.append(_Block([]))
        elif found := LABEL.match(line):
            if blocks[-1].code:
                blocks.append(_Block([]))
            labels[found[1]] = len(blocks) - 1
    for number, block in enumerate(blocks):
        to = labels.get(block.code[-1].target) if number in ways else None
        falls = ways.get(number, True) and number + 1 < len(blocks)
        block.following = (*([] if to is None else [to]), *([number + 1] if falls else []))
    return blocks


def _jumps(instruction: Instruction) -> bool:
    far = instruction.op == "CALL" and instruction.target.startswith(".L_x")  # ptxas jumps far by a call to a label
    return far or instruction.op in ("BRA", "BRX", "EXIT", "JMP", "JMX", "RET")


def _loops(blocks: list[_Block]) -> Iterator[Loop]:
    """The natural loops: an edge back to a block that every way to its start passes through makes one."""
    dominators = _dominators(blocks)
    latches: dict[int, set[int]] = {}
    for number, block in enumerate(blocks):
        for to in block.following:
            if to in dominators[number]:
                latches.setdefault(to, set()).add(number)
    for header, ends in sorted(latches.items()):
        way = _usual_way(blocks, header, ends)
        code = [one for number in way for one in blocks[number].code if one.op != "NOP"]
        yield _loop(code)


def _dominators(blocks: list[_Block]) -> list[set[int]]:
    everything = set(range(len(blocks)))
    found = [{0}, *(everything for _ in blocks[1:])]
    before: list[list[int]] = [
        [n for n, block in enumerate(blocks) if k in block.following] for k in range(len(blocks))
    ]
    changed = True
    while changed:
        changed = False
        for k in range(1, len(blocks)):
            new = {k} | (set.intersection(*(found[n] for n in before[k])) if before[k] else set())
            changed |= new != found[k]
            found[k] = new
    return found


def _usual_way(blocks: list[_Block], header: int, ends: set[int]) -> tuple[int, ...]:
    """The way from the header to one of the ends that moves the most bytes, then calls and executes the least."""
    best: dict[int, tuple[tuple[int, int, int], tuple[int, ...]] | None] = {}

    def go(number: int) -> tuple[tuple[int, int, int], tuple[int, ...]] | None:
        if number in best:
            return best[number]
        best[number] = None  # an inner way round is not gone
        code = blocks[number].code
        weight = (sum(i.width for i in code if i.streams), -sum(_calls(i) for i in code), -len(code))
        rest = [found for to in blocks[number].following if to != header and (found := go(to))]
        rest += [((0, 0, 0), ())] if number in ends else []
        if rest:
            most, way = max(rest)
            best[number] = ((weight[0] + most[0], weight[1] + most[1], weight[2] + most[2]), (number, *way))
        return best[number]

    found = go(header)
    assert found is not None, "the end of a loop can be reached from its header"
    return found[1]


def _calls(instruction: Instruction) -> bool:
    return instruction.op == "CALL" and not _jumps(instruction)


def _loop(code: list[Instruction]) -> Loop:
    return Loop(
        instructions=len(code),
        loads=dict(sorted(Counter(i.width for i in code if i.op == "LDG").items())),
        stores=dict(sorted(Counter(i.width for i in code if i.op == "STG").items())),
        predicated=sum(i.streams and i.guard not in ("", "PT") for i in code),
        calls=sum(map(_calls, code)),
        fp64=sum(i.op in FP64 or "64H" in i.name for i in code),
        atomics=sum(i.op in ATOMIC for i in code),
        shared=sum(i.op in ("LDS", "STS", "LDSM", "STSM", "BAR") for i in code),
    )
