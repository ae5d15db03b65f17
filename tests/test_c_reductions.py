"""Steps in C of rules with reductions: their numbers on all shapes, their bits, and what is left to eager code."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import needs
import pytest
import torch
from c_steps import assert_agree, eagerly_stepped, set_grads, some, stepped, twin
from reducing_rules import RULES
from small_rules import named
from torch import Tensor
from workshop import Workshop

from optgen import optim
from optgen.bounds import BF16, FP16, FP32, FP64
from optgen.build import build, compile
from optgen.dsl import literal
from optgen.errors import RuleError
from optgen.verify import cases
from optgen.verify.lockstep import COUNTS, run
from optgen.verify.runners import Storage, optimizer_class, torch_runner

pytestmark = needs.a_c_compiler
LARGE = {"flat": (cases.Shapes("larger than tiles", ((9001,), (3, 4099), (), (64, 65))),),
         "by rows": (cases.Shapes("larger than tiles", ((131, 67), (3, 4099), (2, 70, 5), (4200, 2))),
                     cases.Shapes("length 1", ((1, 5), (5, 1), (1, 1), (3, 1, 4))))}


@pytest.fixture(scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ModuleType]:
    """The PyTorch modules of all rules, with their steps in C beside them."""
    workshop = Workshop(tmp_path_factory.mktemp("reductions"))
    with literal():
        return {name: workshop.build(make(), ["numpy", "torch", "c"])["torch"] for name, make in RULES.items()}


def is_by_rows(name: str) -> bool:
    return name in ("factored", "past_of_a_statistic", "scaled_over_the_model", "mixed", "turned", "sized")


@pytest.mark.parametrize("name", RULES)
def test_every_number_lies_within_the_bound_of_the_oracle(
    name: str, modules: dict[str, ModuleType], two_threads: None
) -> None:
    with literal():
        made = RULES[name]()
    plain = [kept for kept in cases.shapes_for(made) if kept.layout == "plain" and kept.name != "large"]
    compared = 0
    for number, shapes in enumerate([*plain, *LARGE["by rows" if is_by_rows(name) else "flat"]]):
        for variant in cases.variants(made):
            for storage in (Storage(FP32, FP32), Storage(BF16, FP32) if number % 2 else Storage(FP16, FP16)):
                values = cases.parameters(shapes, storage.param, 1)
                runner = torch_runner(modules[name], values, variant.hypers, "plain", storage, fused=None)
                tally = run(made, runner, variant.hypers, shapes, storage, 1, COUNTS[:3])
                assert not tally.faults, f"{shapes.name} {storage} {variant.name}: {tally.faults[0]}"
                assert not tally.note, f"{shapes.name} {storage} {variant.name}: {tally.note}"
                compared += tally.elements
    assert compared > 1000


@pytest.mark.parametrize("name", RULES)
def test_float64_lies_within_the_bound_too(name: str, modules: dict[str, ModuleType]) -> None:
    with literal():
        made = RULES[name]()
    shapes = cases.Shapes("pair", ((7, 5), (2, 3, 4)), missing=True)
    for variant in cases.variants(made):
        storage = Storage(FP64, FP64)
        values = cases.parameters(shapes, FP64, 1)
        runner = torch_runner(modules[name], values, variant.hypers, "plain", storage, fused=None)
        tally = run(made, runner, variant.hypers, shapes, storage, 1, COUNTS[:4])
        assert not tally.faults, tally.faults[0]
        assert not tally.note


def optimizer(module: ModuleType, params: list[Tensor], fused: bool, **hypers: Any) -> Any:
    """An optimizer of the rule of a module."""
    made: Any = optimizer_class(module)
    return made([{"params": params, "fused": fused}], **hypers)


SHAPES = {True: ((301, 307), (99, 3), (64, 65), (3, 5000)), False: ((301, 307), (9999,), (), (64, 65))}


@pytest.mark.parametrize("name", RULES)
def test_any_number_of_threads_gives_the_same_bits(name: str, modules: dict[str, ModuleType]) -> None:
    results = []
    before = torch.get_num_threads()
    for threads in (1, 2, 3, 7):
        torch.set_num_threads(threads)
        a = some(*SHAPES[is_by_rows(name)])
        stepped(a, optimizer(modules[name], a, True, lr=0.1))
        results.append(a)
    torch.set_num_threads(before)
    for other in results[1:]:
        assert all(torch.equal(p, q) for p, q in zip(results[0], other, strict=True))


LAYOUTS: dict[str, Callable[[Tensor], Tensor]] = {
    "transposed": lambda x: x.transpose(-1, -2).contiguous().transpose(-1, -2),
    "channels_last": lambda x: x.contiguous(memory_format=torch.channels_last),
    "padded": lambda x: torch.nn.functional.pad(x, (2, 3))[..., 2:-3],
    "expanded": lambda x: x[..., :1].expand_as(x),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", RULES)
def test_gradients_and_parameters_may_lie_otherwise(
    name: str, layout: str, modules: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    make = torch.Generator().manual_seed(0)
    value, grad = (torch.randn(3, 5, 70, 9, generator=make) for _ in range(2))
    in_c, calls = value.clone().requires_grad_(), eagerly_stepped(modules[name].__package__, monkeypatch)
    other = LAYOUTS[layout if layout != "expanded" else "padded"](value).detach().requires_grad_()
    plain = value.clone().requires_grad_()
    laid, bare = LAYOUTS[layout](grad), LAYOUTS[layout](grad).contiguous()
    sides = ((in_c, True), (other, True), (plain, False))
    x, y, z = (optimizer(modules[name], [p], fused, lr=1.0) for p, fused in sides)
    for step in range(3):
        in_c.grad, other.grad, plain.grad = laid * (step + 1), laid * (step + 1), bare * (step + 1)
        x.step()
        assert not calls
        y.step()
        # Rows and columns of a parameter that lies otherwise do not follow one another.
        is_eager = layout in ("padded", "expanded") or is_by_rows(name)
        assert bool(calls) is is_eager
        z.step()
        calls.clear()
    assert_agree(in_c, plain, 64)
    assert_agree(other, plain, 64)


def test_values_of_the_model_need_all_tensors_in_one_call(
    modules: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A parameter of another dtype, layout, direction or without a fused step makes all of them eager, never a part."""
    calls = eagerly_stepped(modules["clipped"].__package__, monkeypatch)

    def check(change: Callable[[list[Tensor], Any], None], expected: bool) -> None:
        a, b = some((40, 30), (7,)), some((40, 30), (7,))
        x, y = (optimizer(modules["clipped"], side[:1], True) for side in (a, b))
        for side, one in ((a, x), (b, y)):
            one.add_param_group({"params": side[1:], "fused": True})
            change(side, one)
        y.param_groups[0]["fused"] = y.param_groups[1]["fused"] = False
        for step in range(3):
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


@pytest.mark.parametrize("name", RULES)
def test_amp_scales_and_a_step_is_skipped_whole(name: str, modules: dict[str, ModuleType]) -> None:
    a = some(*SHAPES[is_by_rows(name)])
    b = twin(a)
    x, y = optimizer(modules[name], a, True), optimizer(modules[name], b, True)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    for infinite in (False, True, False):
        for side, one in ((a, x), (b, y)):
            set_grads(side, 5)
            if side is a:
                scaler.scale(torch.ones(()))
                for p in side:
                    p.grad *= scaler.get_scale()
                if infinite:
                    side[1].grad[0] = math.inf
                scaler.step(one)
                scaler.update()
            elif not infinite:
                one.step()
    for p, q in zip(a, b, strict=True):
        assert torch.equal(p, q)
        for key, value in x.state[p].items():
            assert torch.equal(value, y.state[q][key])


def test_a_step_allocates_a_small_part_of_its_parameters() -> None:
    """Of 4096 x 4096 elements partial sums of 64 rows each, and no copy."""
    code = (
        "import resource, torch; from small_rules import named; from optgen import optimizer\n"
        "p = torch.ones(4096, 4096, requires_grad=True); p.grad = torch.ones(4096, 4096)\n"
        "q = torch.ones(64, 64, requires_grad=True); q.grad = torch.ones(64, 64)\n"
        "made = optimizer(named('factored')); made([q]).step(); o = made([{'params': [p], 'fused': True}])\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "before = peak(); o.step(); print(peak() - before)"
    )
    where = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=where)
    assert int(done.stdout) < 0.1 * 4 * 4096**2 / 1024


@pytest.mark.parametrize(("state", "rounds"), [(torch.bfloat16, True), (torch.float32, False)])
def test_a_state_that_a_store_rounds_is_computed_again(
    state: torch.dtype, rounds: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LAMB's moments in bfloat16 are read back by no later pass: its update is that of the eager class."""
    module, asked = compile("lamb", "torch"), list[bool]()
    make: Any = optimizer_class(module)
    launcher = make.rule.fused["cpu"]().launcher
    own = type(launcher())._rounds
    monkeypatch.setattr(type(launcher()), "_rounds", lambda *given: asked.append(own(*given)) or asked[-1])
    a = some((30, 40))
    b = twin(a)
    for side, fused in ((a, True), (b, False)):
        group = {"params": side, "fused": fused, "state_dtype": state}
        stepped(side, make([group], lr=0.5, weight_decay=0.1))
    assert asked == [rounds]
    assert_agree(a[0], b[0], 16)


def test_a_product_is_refused_by_name() -> None:
    with pytest.raises(RuleError, match="the C backend has no products yet"):
        build([named("newton_schulz")], ["c"])


@pytest.mark.parametrize("name", ["Adafactor", "AdamMini"])
def test_a_rule_with_another_for_other_shapes_steps_both_in_c(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    a = some((70, 50), (9,), (), (3, 4, 5))
    b = twin(a)
    x, y = (getattr(optim, name)([{"params": side, "fused": fused}]) for side, fused in ((a, True), (b, False)))
    stepped(b, y)
    calls = eagerly_stepped("optgen._generated.pytorch", monkeypatch)
    stepped(a, x)
    assert not calls
    for p, q in zip(a, b, strict=True):
        assert_agree(p, q, 64)
        assert x.state[p].keys() == y.state[q].keys()
        for key, value in x.state[p].items():
            assert_agree(value, y.state[q][key], 64)
