"""Agreement: one rule on every backend against the oracle, in turns of storage."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from workshop import Workshop

from optgen.bounds import BF16, FP16, FP32, FP64
from optgen.dsl import Rule, matmul
from optgen.verify import cases
from optgen.verify.lockstep import COUNTS, FEW, run
from optgen.verify.runners import Runner, Storage, machine_of, numpy_runner, torch_runner
from optgen.verify.storage import decoder

SHAPES = cases.Shapes("several", ((3, 5), (4,), ()), missing=True)
MATRICES = cases.Shapes("matrices", ((3, 5), (2, 4, 3)), missing=True)
BLOCKS = 3, 91  # of codes, of which some are cut
WHOLE = (2, 8, 32), (4, 3)  # in several matrices none is, or a kernel leaves them; in float64 there is but one
PAIR = cases.Shapes("pair", ((3, 5), ()))  # an interpreted program takes its time, and t is no matter of the kernel
SINGLE, DOUBLE, HALF, BRAIN, MIXED = (
    Storage(FP32, FP32), Storage(FP64, FP64), Storage(FP16, FP16), Storage(BF16, BF16), Storage(BF16, FP32))
MOST_VARIANTS = 3  # of one rule; other rules begin with another variant


@dataclass(frozen=True)
class Backend:
    """How a backend is driven: by which module, what it stores, in turns. A fused one takes no product, and an
    interpreted one no formats beside sums over rows and columns."""

    module: str
    runner: Callable[..., Runner]
    storages: tuple[Storage, ...]  # few of float64: its judge is mpmath, which is slow
    fused: bool = False
    interpreted: bool = False
    every: int = 1  # rule is tried on it

    def takes(self, rule: Rule) -> bool:
        """Whether it can step a rule in this process."""
        if self.interpreted and os.environ.get("TRITON_INTERPRET") != "1":
            return False
        return not self.fused or not any(equation.rhs.has(matmul) for equation in rule.equations)


BACKENDS = {
    "numpy": Backend("numpy", numpy_runner, (SINGLE, SINGLE, SINGLE, DOUBLE)),
    "torch": Backend("torch", torch_runner, (BRAIN, SINGLE, MIXED, SINGLE, HALF, SINGLE, DOUBLE)),
    "triton": Backend("torch", partial(torch_runner, fused=True), (SINGLE, MIXED, HALF, SINGLE, DOUBLE), fused=True,
                      interpreted=True),
    # Without a wish a CPU takes the step in C. The compiler runs for each rule, variant and storage.
    "c": Backend("torch", partial(torch_runner, fused=None), (SINGLE, SINGLE, MIXED, DOUBLE), fused=True, every=6),
}
TURNS = max(len(backend.storages) for backend in BACKENDS.values())  # until each backend had each of its storages


def agree(rule: Rule, turn: int, fused: bool, workshop: Workshop, seen: Counter[str]) -> None:
    """Asserts that every backend stays within the bound of the oracle; counts what was compared.

    Parameters in a format are of bfloat16.
    """
    backends = {name: backend for name, backend in BACKENDS.items()
                if turn % backend.every == 0 and backend.takes(rule)}
    modules, form = workshop.build(rule, [*backends]), rule.storage.get("param", "")
    read, has_codes = decoder(modules["numpy"], form), bool(rule.storage.keys() - {"param"})
    is_matrix = all(len(s) > 1 for kind in cases.shapes_for(rule) for s in kind.shapes)
    every = cases.variants(rule)
    for number in range(turn, turn + min(len(every), MOST_VARIANTS)):
        variant = every[number % len(every)]
        for name, backend in backends.items():
            storage = MIXED if form else backend.storages[turn // backend.every % len(backend.storages)]
            shapes = MATRICES if is_matrix else PAIR if backend.fused else SHAPES
            if has_codes:
                others = [s if len(s) < 3 else WHOLE[storage is DOUBLE] for s in shapes.shapes[1:]]
                shapes = replace(shapes, shapes=(shapes.shapes[0] if storage is DOUBLE else BLOCKS, *others))
            counts = FEW if backend.fused else COUNTS
            values = cases.parameters(shapes, storage.param, 1)
            runner = backend.runner(modules[backend.module], values, variant.hypers, "plain", storage, read=read)
            machine = machine_of(storage, runner, read)
            tally = run(rule, runner, variant.hypers, shapes, storage, 1, counts, machine)
            seen.update({"elements": tally.elements, "decided": tally.decided, f"comparisons on {name}": 1})
            assert not tally.faults, f"{name} {storage}, {variant.name}: {tally.faults[0]}"
            assert not tally.note, f"{name} {storage}, {variant.name}: {tally.note}"
    seen["fused"] += fused
