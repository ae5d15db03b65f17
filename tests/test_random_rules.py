"""Random rules agree with the oracle on NumPy and PyTorch; any that does not is shrunk to the smallest."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from random_rules import Drawn, random_rules
from workshop import Workshop

from optgen import equations
from optgen.bounds import BF16, FP32, FP64
from optgen.dsl import Rule
from optgen.verify import cases
from optgen.verify.lockstep import Tally, run
from optgen.verify.runners import Storage, numpy_runner, torch_runner

SHAPES = cases.Shapes("several", ((3, 5), (4,), ()), missing=True)
MATRICES = cases.Shapes("matrices", ((3, 5), (2, 4, 3)), missing=True)
STORAGES = {"numpy": (Storage(FP32, FP32), Storage(FP64, FP64)),
            "torch": (Storage(FP32, FP32), Storage(BF16, BF16), Storage(FP64, FP64))}
RARE = 4  # float64 is judged in mpmath, which is slow: every fourth variant
FEATURES = ("time", "host", "flag")


def agree(rule: Rule, workshop: Workshop, seen: Counter[str]) -> None:
    """Asserts that every backend, dtype and variant stays within the bound of the oracle."""
    modules = workshop.build(rule)
    shapes = MATRICES if _needs_matrices(rule) else SHAPES
    for number, variant in enumerate(cases.variants(rule)):
        for backend, storages in STORAGES.items():
            for storage in storages:
                if storage.param is FP64 and (seen["rules"] + number) % RARE:
                    continue
                tally = compared(rule, backend, modules, variant, storage, shapes)
                seen["elements"] += tally.elements
                seen["decided"] += tally.decided
                assert not tally.faults, "\n".join([
                    *equations.text(rule), f"init {rule.init}", f"{backend} {storage}, {variant.name}",
                    tally.faults[0]])


def compared(rule: Rule, backend: str, modules: dict[str, object], variant: cases.Variant, storage: Storage,
             shapes: cases.Shapes) -> Tally:
    make = numpy_runner if backend == "numpy" else torch_runner
    values = cases.parameters(shapes, storage.param, 1)
    runner = make(modules[backend], values, variant.hypers, "plain", storage)
    return run(rule, runner, variant.hypers, shapes, storage, 1)


def _needs_matrices(rule: Rule) -> bool:
    return all(len(shape) > 1 for shapes in cases.shapes_for(rule) for shape in shapes.shapes)


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    return Workshop(tmp_path_factory.mktemp("random"))


def explore(workshop: Workshop, count: int) -> Counter[str]:
    """Tries so many rules and counts what they were made of."""
    seen: Counter[str] = Counter()

    @settings(max_examples=count, deadline=None, suppress_health_check=list(HealthCheck))
    @given(random_rules())
    def holds(drawn: Drawn) -> None:
        agree(drawn.rule, workshop, seen)
        seen.update(["rules", *drawn.features])
        seen[f"{len(drawn.rule.equations)} equations"] += 1

    holds()
    return seen


def enough(seen: Counter[str], count: int) -> None:
    """Asserts that the rules were as varied as they should be, and that the comparisons meant something."""
    assert seen["rules"] >= count
    for feature in FEATURES:
        assert seen[feature] >= seen["rules"] / 3, seen
    assert seen["reduction"] >= seen["rules"] / 5, seen
    assert {f"{n} equations" for n in range(2, 6)} <= seen.keys()
    assert seen["decided"] >= 0.9 * seen["elements"], seen


def test_random_rules_agree_with_the_oracle(workshop: Workshop) -> None:
    enough(explore(workshop, 60), 60)


@pytest.mark.slow
def test_five_hundred_random_rules_agree_with_the_oracle(workshop: Workshop) -> None:
    enough(explore(workshop, 500), 500)
