"""Kernels of rules with reductions: their numbers on all shapes, their launches, and what is left to eager code."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parents[1]))

from c_steps import assert_agree, eagerly_stepped, set_grads, some, stepped, twin
from reducing_rules import RULES
from workshop import Workshop

from optgen import optim
from optgen._generated.triton_gpu import _phases
from optgen.bounds import BF16, FP16, FP32, FP64
from optgen.build import compile
from optgen.dsl import literal
from optgen.fused import devices
from optgen.listing import needs_matrix
from optgen.passes import lower
from optgen.verify import cases
from optgen.verify.lockstep import FEW, run
from optgen.verify.runners import Storage, optimizer_class, torch_runner

NAMES = tuple(RULES)
CHUNKS = cases.Shapes("several chunks", ((2500,), (3, 683), (), (4, 1)))  # of 1024; not all are whole
TILES = cases.Shapes("several tiles", ((130, 5), (3, 683), (2, 70, 4), (9, 264), (4, 1)))  # of at most 64 by 128
STORAGES = (Storage(FP32, FP32), Storage(BF16, FP32), Storage(FP16, FP16), Storage(BF16, BF16))
every = pytest.mark.parametrize("name", NAMES)


@pytest.fixture(scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ModuleType]:
    """The PyTorch modules of all rules, with their kernels beside them."""
    workshop = Workshop(tmp_path_factory.mktemp("reductions"))
    with literal():
        return {name: workshop.build(RULES[name](), ["numpy", "torch", "triton"])["torch"] for name in NAMES}


def test_all_of_these_rules_have_kernels() -> None:
    with literal():
        assert [name for name in RULES if "cuda" not in devices(lower(RULES[name]()))] == []


@every
def test_every_number_lies_within_the_bound_of_the_oracle(name: str, modules: dict[str, ModuleType]) -> None:
    with literal():
        made = RULES[name]()
    plain = [kept for kept in cases.shapes_for(made) if kept.layout == "plain" and kept.name != "large"]
    compared = 0
    several = TILES if needs_matrix(lower(made)) else CHUNKS
    for number, shapes in enumerate([*(() if several is TILES else plain), several]):
        for at, variant in enumerate(cases.variants(made), NAMES.index(name)):  # tiles are slow: one storage for each
            first = at if several is TILES else number
            for storage in [STORAGES[(first + k) % len(STORAGES)] for k in ((0, 2) if shapes is CHUNKS else (0,))]:
                compared += agree(made, modules[name], variant, shapes, storage)
    assert compared > 1000


@every
def test_float64_lies_within_the_bound_too(name: str, modules: dict[str, ModuleType]) -> None:
    with literal():
        made = RULES[name]()
    shapes = cases.Shapes("pair", ((7, 5), (2, 3, 4)), missing=True)
    for variant in cases.variants(made):
        agree(made, modules[name], variant, shapes, Storage(FP64, FP64))


def agree(made: Any, module: ModuleType, variant: cases.Variant, shapes: cases.Shapes, storage: Storage) -> int:
    """Asserts that the kernels step within the bound; returns how many numbers were compared."""
    values = cases.parameters(shapes, storage.param, 1)
    runner = torch_runner(module, values, variant.hypers, "plain", storage, fused=True)
    tally = run(made, runner, variant.hypers, shapes, storage, 1, FEW[::2] if shapes is TILES else FEW)
    assert not tally.faults, f"{shapes.name} {storage} {variant.name}: {tally.faults[0]}"
    assert not tally.note, f"{shapes.name} {storage} {variant.name}: {tally.note}"
    return tally.elements


def optimizer(module: ModuleType, params: list[Tensor], fused: bool, **hypers: Any) -> Any:
    """An optimizer of the rule of a module."""
    made: Any = optimizer_class(module)
    return made([{"params": params, "fused": fused}], **hypers)


LAYOUTS: dict[str, Callable[[Tensor], Tensor]] = {
    "transposed": lambda x: x.transpose(-1, -2).contiguous().transpose(-1, -2),
    "channels_last": lambda x: x.contiguous(memory_format=torch.channels_last),
    "padded": lambda x: torch.nn.functional.pad(x, (2, 3))[..., 2:-3],
}


@pytest.mark.parametrize("layout", LAYOUTS)
@every
def test_gradients_and_parameters_may_lie_otherwise(
    name: str, layout: str, modules: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A parameter in any dense order is stepped by kernels, a slice of something larger eagerly. Tiles are cut of what
    lies row by row only."""
    with literal():
        is_in_tiles = needs_matrix(lower(RULES[name]()))
    make = torch.Generator().manual_seed(0)
    value, grad = (torch.randn(2, 3, 5, 9, generator=make) for _ in range(2))
    there, plain = (LAYOUTS[layout](value).detach().requires_grad_(), value.clone().requires_grad_())
    calls = eagerly_stepped(modules[name].__package__ or "", monkeypatch)
    x, y = (optimizer(modules[name], [p], fused, lr=1.0) for p, fused in ((there, True), (plain, False)))
    for step in range(2):
        there.grad, plain.grad = LAYOUTS[layout](grad) * (step + 1), grad * (step + 1)
        calls.clear()
        x.step()
        assert bool(calls) is (layout == "padded" or is_in_tiles)
        y.step()
    assert_agree(there, plain, 64)


def test_values_of_the_model_need_all_tensors_in_one_call(
    modules: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A parameter of another dtype, layout, direction or without kernels makes all of them eager, never a part."""
    calls = eagerly_stepped(modules["clipped"].__package__ or "", monkeypatch)

    def check(change: Callable[[list[Tensor], Any], None], expected: bool) -> None:
        a, b = some((40, 30), (7,)), some((40, 30), (7,))
        x, y = (optimizer(modules["clipped"], side[:1], True) for side in (a, b))
        for side, one in ((a, x), (b, y)):
            one.add_param_group({"params": side[1:], "fused": True})
            change(side, one)
        y.param_groups[0]["fused"] = y.param_groups[1]["fused"] = False
        for step in range(2):
            for side, one in ((a, x), (b, y)):
                set_grads(side, step)
                calls.clear()
                one.step()
                assert bool(calls) is (expected or one is y)
        for p, q in zip(a, b, strict=True):
            assert_agree(p, q)

    check(lambda side, one: None, expected=False)
    check(lambda side, one: setattr(side[1], "data", side[1].data.double()), expected=True)
    check(lambda side, one: setattr(side[0], "data", torch.stack([side[0].data] * 2, -1)[..., 0]), expected=True)
    check(lambda side, one: one.param_groups[1].update(maximize=True), expected=True)
    check(lambda side, one: one.param_groups[1].update(fused=False), expected=True)
    check(lambda side, one: one.param_groups[1].update(lr=0.3), expected=False)


@pytest.fixture
def launched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is launched from now on."""
    calls: list[str] = []
    for name in ("each_chunk", "each_tensor", "_combine"):
        own = getattr(_phases.Launches, name)
        monkeypatch.setattr(
            _phases.Launches, name, lambda self, *rest, own=own, name=name: (calls.append(name), own(self, *rest))[1]
        )
    return calls


@pytest.mark.parametrize(
    ("name", "passes", "others"),
    [("LARS", 2, []), ("LAMB", 3, ["_combine"]), ("StableAdamW", 2, []), ("CautiousAdamW", 2, []), ("MARS", 2, []),
     ("Prodigy", 2, ["_combine", "_combine", "each_tensor"])],
)
def test_each_phase_is_one_launch_for_all_tensors(
    name: str, passes: int, others: list[str], launched: list[str]
) -> None:
    """One program more combines what all have in common, and one for each tensor stores its own number."""
    params = some((3, 70), (9,), (), (0, 3))
    settings = {"weight_decay": 0.1} if name in ("LAMB", "LARS") else {}
    stepped(params, getattr(optim, name)([{"params": params, "fused": True}], **settings), 1)
    assert sorted(launched) == sorted(["each_chunk"] * passes + others)


def test_a_state_that_a_store_rounds_is_computed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """LAMB's moments in bfloat16 are read back by no later launch: its update is that of the eager class."""
    made: Any = optimizer_class(module := compile("lamb", "torch"))
    calls = eagerly_stepped(module.__package__ or "", monkeypatch)
    a = some((30, 40))
    b = twin(a)
    for side, fused in ((a, True), (b, False)):
        group = {"params": side, "fused": fused, "state_dtype": torch.bfloat16}
        stepped(side, made([group], lr=0.5, weight_decay=0.1))
    assert len(calls) == 3  # steps of the eager twin alone
    assert_agree(a[0], b[0], 16)


def test_sums_are_the_same_in_every_run_and_beside_any_other_tensors() -> None:
    """Each chunk leaves its part in a place of its own, and parts are added up in order."""
    results = []
    for others in ((), ((5, 7), (300,)), ((0, 3), (1000,))):
        params = [*some((3, 1500)), *some(*others)]
        stepped(params, optim.LARS([{"params": params, "fused": True}], lr=0.1))
        results.append(params[0])
    assert all(torch.equal(results[0], other) for other in results[1:])


@pytest.mark.parametrize("elements", [1, 2**21, 2**21 + 1, 2**26, 3 * 2**30])
def test_a_large_tensor_leaves_few_parts(elements: int) -> None:
    """Each program of a later launch adds up all of them: 64 M elements in chunks of 4096 took twice the time."""
    chunk = _phases.chunk_of_parts(elements)
    assert -(-elements // chunk) <= 2048
    assert chunk == 1 or -(-elements // (chunk // 2)) > 2048
    assert chunk & (chunk - 1) == 0
