"""The machine code of every Triton kernel, compiled ahead of time for GPUs that are not here, keeps its targets."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from dataclasses import fields, replace
from importlib import import_module
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from optgen.dsl.load import built_in_names, load
from optgen.passes import lower

pytest.importorskip("triton", reason="Triton, which compiles the kernels, is not installed")
aot, work = import_module("bench.aot"), import_module("bench.work")
ROOT = Path(__file__).parents[1]
RULES = [name for name in built_in_names() if aot.has_kernel(name)]
CODED = [name for name in RULES if lower(load(name)).rule.storage.keys() - {"param"}]
FAST, STRICT = False, True
MOST_REGISTERS = {FAST: 48, STRICT: 64}
# Whole accesses of bf16 mean 8 elements of each tensor in a thread: of five tensors or more that is above the target.
CROWDED = {FAST: 56, STRICT: 72}
MOST_WITH_SUMS = 80
MOST_OF_TILES = 96
MOST_WITH_CODES = 64
MOST_OF_NATIVE_CODES, MOST_WITH_A_MAP = 55, 92  # instructions of AdamW for an element
MOST_INSTRUCTIONS = {"fp32": 26, "mixed": 29, "bf16": 32}  # of AdamW for an element, fast
# More than that where parameters have a format. Eight elements share what chance draws, of which a thread has but four
# where an access has no more.
MOST_MORE = {"bf16_sr": {"mixed": 17, "bf16": 8}, "bf16_kahan": {"bf16": 7}, "bf16_split8": {"bf16": 8},
             "bf16_split16": {"mixed": 6}, "master": {"mixed": 5, "bf16": 6}}
MOST_MORE_IN_TILES = 12
MOST_BESIDE_CODES = {90: 96, 100: 112}  # registers, of kernels that draw or read more than four streams


def judged(
    rule: str, mix: str, strict: bool = FAST, target: int = 90, variant: bool | None = None, scaled: bool = False,
    storage: str = "",
) -> list[Any]:
    """Each pass; of the variants the one in which all static conditions hold, which keeps the most state."""
    whole = bool(lower(load(rule)).conditions) if variant is None else variant
    case = work.Case(rule, whole, mix, strict, target, scaled, storage=storage)
    return [aot.judge(replace(case, number=number)) for number in range(1, work.passes(case) + 1)]


def case_of(found: Any) -> Any:
    """The case of a verdict."""
    return work.Case(**{field.name: getattr(found, field.name) for field in fields(work.Case)})


def assert_lean(found: Any) -> None:
    """Nothing beside arithmetic and whole accesses of 16 bytes of the widest type, at the bytes that the rule needs."""
    assert found.spills == found.stack == found.local == 0
    needs = work.work_of(case_of(found))
    for loop in (found.main, found.tail):
        assert loop.fp64 == loop.atomics == loop.calls == 0
        # What is left of a row goes to the thread that writes it: a store, a load, two barriers.
        assert loop.shared <= (4 if loop is found.main else 8) * needs.left_of_rows
    assert found.main.predicated == needs.left_of_rows
    vector = 16 // max(needs.sizes)
    accesses = found.main.elements / vector
    assert found.main.loads == of_rows(widths(needs.read, vector, accesses), needs.of_rows * accesses)
    assert found.main.stores == of_rows(widths(needs.stored, vector, accesses), needs.left_of_rows)
    assert found.minimum <= found.main.bytes <= 1.02 * found.minimum
    if needs.tile:
        assert found.registers <= MOST_OF_TILES
        return
    if needs.name != "_step":
        assert found.registers <= MOST_WITH_SUMS
        return
    is_crowded = vector == 8 and len(needs.sizes) > 4
    assert found.registers <= (CROWDED if is_crowded else MOST_REGISTERS)[found.strict]


def of_rows(accesses: dict[str, float], count: float) -> dict[str, float]:
    """The accesses with some more, of a float32 each."""
    return {**accesses, "4": accesses.get("4", 0) + count} if count else accesses


def widths(sizes: list[float], vector: int, accesses: float) -> dict[str, float]:
    """How many accesses of each width, in bytes, take streams of these element sizes."""
    return {str(int(width * vector)): count * accesses for width, count in Counter(sizes).items()}


@pytest.mark.parametrize(("rule", "mix"), [  # each rule in one of the mixes; AdamW in all of them below
    (rule, list(work.MIXES)[k % len(work.MIXES)]) for k, rule in enumerate(name for name in RULES if name not in CODED)
])
def test_a_kernel_is_lean(rule: str, mix: str) -> None:
    for found in judged(rule, mix):
        assert_lean(found)


@pytest.mark.parametrize("mix", ["fp32", "bf16"])  # states have no other dtype in the third
@pytest.mark.parametrize("rule", CODED)
def test_a_kernel_with_codes_is_lean(rule: str, mix: str) -> None:
    """Codes come in whole accesses, too; beside them a thread reads a number of a table for each of them, and one that
    its block has in common, of which one thread writes the new one."""
    (found,) = judged(rule, mix, variant=False)
    assert_walks_codes(found)
    assert found.main.instructions <= MOST_WITH_A_MAP
    if rule == "adamwfp8":
        assert found.main.instructions <= MOST_OF_NATIVE_CODES


def test_codes_of_roots_are_as_fast_as_floats() -> None:
    (found,) = judged("adamw", "bf16", variant=False, storage="states=root8")
    assert_walks_codes(found)
    assert found.main.instructions <= MOST_OF_NATIVE_CODES


@pytest.mark.parametrize("storage", ["int8", "root8"])
def test_codes_beside_sums_take_no_more_than_whole_accesses(storage: str) -> None:
    case = work.Case("lamb", True, "fp32", FAST, 90, storage=storage)
    found = [aot.judge(replace(case, number=number)) for number in (1, 2, 3)]
    for each in found:
        assert each.spills == each.stack == each.local == 0
        assert each.registers <= MOST_OF_TILES
        assert each.main.fp64 == each.main.atomics == each.main.calls == each.main.shared == 0
        assert each.minimum == pytest.approx(each.main.bytes)
    assert [round(each.minimum) for each in found] == [4, 10, 16]


@pytest.mark.parametrize("form", ["bf16_sr", "master"])
def test_tiles_of_parameters_in_a_format_are_lean(form: str) -> None:
    """Chance is drawn once for eight elements of a row, too."""
    plain, found = judged("adafactor", "bf16"), judged("adafactor", "bf16", storage=f"param={form}")
    for mine, other in zip(found, plain, strict=True):
        assert_lean(mine)
        assert mine.main.instructions <= other.main.instructions + MOST_MORE_IN_TILES


@pytest.mark.parametrize("mix", ["fp32", "bf16"])
def test_codes_beside_sums_over_rows_take_no_more_than_whole_accesses(mix: str) -> None:
    """Codes are stored by a pass straight through rows, which reads values of columns in whole accesses."""
    *tiles, found = judged("adafactorhf", mix, storage="m=int8")
    for each in tiles:
        assert_lean(each)
    assert work.work_of(case_of(found)).name == "_span_1"
    assert found.spills == found.stack == found.local == 0
    assert found.registers <= (128 if mix == "fp32" else MOST_OF_TILES)
    assert found.main.fp64 == found.main.atomics == found.main.calls == found.main.shared == 0
    assert found.main.bytes == pytest.approx(found.minimum)
    vectors = found.main.elements / (4 if mix == "fp32" else 8)
    # Parameters and gradients, and four columns at a time; then codes, a number for each of these, and one of each row.
    assert found.main.loads["16"] == (3 if mix == "fp32" else 4) * vectors
    assert found.main.instructions <= 64


@pytest.mark.parametrize("strict", [FAST, STRICT])
def test_more_states_in_codes_take_the_registers_they_need(strict: bool) -> None:
    (found,) = judged("adamw8bit", "fp32", strict, variant=True)
    assert found.spills == found.stack == found.local == 0
    assert found.registers <= 200


@pytest.mark.parametrize(("form", "mix"), [(form, mix) for form, most in MOST_MORE.items() for mix in most])
def test_a_kernel_of_parameters_in_a_format_is_lean(form: str, mix: str) -> None:
    """What stands beside a parameter is one stream more; chance is drawn by each thread, and meets no other."""
    (found,) = judged("adamw", mix, variant=False, storage=f"param={form}")
    assert_lean(found)
    assert found.main.instructions <= MOST_INSTRUCTIONS[mix] + MOST_MORE[form][mix]


BESIDE_CODES = (("int8", "bf16_sr", 100), ("int4", "bf16_kahan", 90), ("fp8_e4m3", "bf16_split8", 100))


@pytest.mark.parametrize(("states", "form", "target"), BESIDE_CODES)
def test_a_kernel_with_codes_beside_such_parameters_spills_nothing(states: str, form: str, target: int) -> None:
    (found,) = judged("adamw", "bf16", target=target, variant=False, storage=f"states={states},param={form}")
    assert_walks_codes(found, MOST_BESIDE_CODES[target])


def assert_walks_codes(found: Any, registers: int = MOST_WITH_CODES) -> None:
    assert found.spills == found.stack == found.local == 0
    assert found.registers <= registers
    for loop in (found.main, found.tail):
        assert loop.fp64 == loop.atomics == loop.calls == loop.shared == 0
    needs = work.work_of(case_of(found))
    vector = int(16 // max(needs.sizes))
    accesses, (read, stored, _) = found.main.elements / vector, needs.shared
    loads = Counter(widths(needs.read, vector, accesses))
    loads["4"] += needs.decoded * found.main.elements + read
    stores = Counter(widths(needs.stored, vector, accesses))
    stores["4"] += stored
    assert (found.main.loads, found.main.stores) == (loads, stores)
    assert found.main.predicated == stored
    assert found.minimum == pytest.approx(found.main.bytes)


@pytest.mark.parametrize("variant", [False, True])
@pytest.mark.parametrize("target", [80, 90, 100])
@pytest.mark.parametrize("mix", work.MIXES)
def test_adamw_is_lean_on_every_target_and_correctly_rounded_too(mix: str, target: int, variant: bool) -> None:
    for strict in (FAST, STRICT):
        (found,) = judged("adamw", mix, strict, target, variant)
        assert_lean(found)
        if not strict and not variant:
            assert found.main.instructions <= MOST_INSTRUCTIONS[mix]


@pytest.mark.parametrize("mix", work.MIXES)
def test_a_scale_costs_one_multiplication_an_element(mix: str) -> None:
    (plain,), (scaled,) = judged("adamw", mix, variant=False), judged("adamw", mix, variant=False, scaled=True)
    assert_lean(scaled)
    assert 0 < scaled.main.instructions - plain.main.instructions <= 1.5


@pytest.mark.parametrize("rule", RULES)
def test_a_prologue_compiles_to_a_few_registers(rule: str) -> None:
    """It takes 128 tensors a program: its arithmetic, in float64, does not matter, nor do some registers more."""
    found = aot.prologue(rule, bool(lower(load(rule)).conditions), 90)
    assert found.registers <= MOST_WITH_SUMS
    assert found.local == found.shared == 0


def test_the_figures_are_printed_and_written(tmp_path: Path) -> None:
    out = tmp_path / "figures.json"
    command = [sys.executable, "-m", "bench.gpu_static", "lion", "--target", "90", "--json", str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    told = json.loads(out.read_text(encoding="utf-8"))["verdicts"]
    assert sorted((v["mix"], v["strict"]) for v in told) == sorted(product(work.MIXES, (FAST, STRICT)))
    assert all(f"{v['main']['instructions']:.1f}" in done.stdout for v in told)


def test_a_process_that_interprets_kernels_says_that_it_cannot_compile_them() -> None:
    done = subprocess.run([sys.executable, "-m", "bench.gpu_static", "lion"], cwd=ROOT, capture_output=True, text=True,
                          env={**os.environ, "TRITON_INTERPRET": "1"}, check=False)
    assert done.returncode == 2
    assert "TRITON_INTERPRET is set" in done.stdout
