"""States in codes in C, for rules with reductions: NumPy's codes, whatever rows a block goes through."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import needs
import numpy as np
import pytest
import torch
from c_codes import BY_ROWS, EVERY, FLAT, Pair, bits
from c_steps import assert_agree, eagerly_stepped, some, stepped, twin
from every_class import CLASSES, stored_in
from test_c_storage import grads_for, turned
from torch import Tensor

from optgen import Rule, load, optimizer, stored
from optgen.bounds import BF16, FP32
from optgen.build import build, compile
from optgen.codecs import check_storage, codecs
from optgen.dsl import literal
from optgen.errors import RuleError
from optgen.ir import ELEMENT
from optgen.passes import lower
from optgen.verify import cases
from optgen.verify.lockstep import FEW, run
from optgen.verify.runners import Storage, torch_runner
from optgen.verify.storage import decoder

pytestmark = needs.a_c_compiler
CODES = [name for name, codec in codecs().items() if codec.block]
SHAPES = {True: ((70, 61), (3, 4099), (2, 5, 129), (300, 7), (5, 512), (1, 1), (129, 1), (2, 3, 3, 50)),
          False: ((9001,), (3, 4099), (257,), (1,), (), (0,), (64, 128))}


def shapes_of(name: str) -> tuple[tuple[int, ...], ...]:
    return SHAPES[name in BY_ROWS]


def pair(name: str, params: list[Tensor]) -> Pair:
    return Pair(name, [p.detach() for p in params])


def memory(sides: Pair) -> list[Any]:
    """All bits of parameters and states."""
    return [bits(x).copy() for column in (sides.params, *filter(None, sides.states)) for x in column]


DTYPES = [*((name, torch.float32) for name in (*FLAT, *BY_ROWS)), ("of a tensor, int8", torch.float64),
          ("by rows, int8", torch.bfloat16), ("by rows, int4", torch.float64)]


@pytest.mark.parametrize(("name", "dtype"), DTYPES, ids=str)
def test_every_code_is_that_of_the_numpy_backend(name: str, dtype: torch.dtype) -> None:
    sides = pair(name, some(*shapes_of(name), dtype=dtype))
    for step in range(3):
        assert sides.step(grads_for(sides.params, step)) == []
        sides.assert_same()


@pytest.mark.parametrize("name", ["of a tensor, m int4, v fp8_e4m3", "by rows, int4", "summed last, v int8"])
def test_gradients_may_lie_otherwise(name: str) -> None:
    sides = pair(name, some((70, 61), (3, 11, 131), (2, 5000)))
    for step in range(3):
        assert sides.step([turned(g) for g in grads_for(sides.params, step)]) == []
        sides.assert_same()


def test_without_rows_a_parameter_may_lie_in_any_order() -> None:
    sides = pair("of a tensor, int8", [turned(p.detach()) for p in some((70, 61), (3, 11, 131))])
    for step in range(3):
        assert sides.step(grads_for(sides.params, step)) == []
        sides.assert_same()


@pytest.mark.parametrize("name", ["of a tensor, int8", "by rows, int4", "summed last, m int4, v fp8_e4m3"])
def test_any_number_of_threads_gives_the_same_bits(name: str) -> None:
    before = torch.get_num_threads()
    for threads in (2, 3, 7):
        torch.set_num_threads(threads)
        sides = pair(name, some((301, 307), (64, 65), (129, 1), (2, 20001)))
        for step in range(2):
            assert sides.step(grads_for(sides.params, step)) == []
        torch.set_num_threads(before)
        sides.assert_same()


@pytest.mark.parametrize("name", ["of a tensor, int8", "by rows, int4"])
def test_what_found_inf_forbids_is_not_done(name: str) -> None:
    sides = pair(name, some((70, 61)))
    sides.step(grads_for(sides.params, 0))
    before = memory(sides)
    assert sides.step(grads_for(sides.params, 1), found_inf=torch.ones(())) is None
    assert all(map(np.array_equal, before, memory(sides)))


def test_a_code_is_not_stored_in_a_pass_that_sums_over_rows() -> None:
    """Whose tiles would cut blocks. What is stored there without rows is cut between blocks."""
    with literal():
        texts = {name: build([EVERY[name][1]()], ["c"]).files["c_cpu/phased.c"] for name in (*FLAT, *BY_ROWS)
                 if "at times" not in name}  # of two variants, in one function
    for name, text in texts.items():
        phases = [part.partition("\n}\n")[0] for part in text.split("static void phase_")[1:]]
        assert any("    store_" in phase for phase in phases)
        both = any("    store_" in phase and "_parts = " in phase for phase in phases)
        assert both is name.startswith("of a model")


NAMES = [cls.__name__.lower() for cls in CLASSES if not cls.rule.elementwise and "cpu" in cls.rule.fused
         and not stored_in(cls)]  # fmt: skip


def coded(name: str, form: str) -> Rule:
    """A rule with every state in codes that may be."""
    plain = load(name)
    assert isinstance(plain, Rule)
    states = {v.name.removesuffix("_prev") for part in lower(plain).chain for step in part.steps for v in step.vars
              if v.key and v.axes == ELEMENT and not v.tensor_init}
    while True:
        rule = stored(plain, min_numel=0, name="Coded", **dict.fromkeys(sorted(states), form))
        try:
            check_storage(lower(rule))
        except RuleError as error:
            refused = {problem.message.partition(" ")[0] for problem in error.problems}
            assert refused & states
            states -= refused
        else:
            assert states
            return rule


def check_state(state: dict[str, Any], wanted: dict[str, Any], param: Tensor) -> int:
    """Numbers agree to some units in the last place, codes but where a number lies between two of them."""
    found = 0
    for key, value in state.items():
        if key == "step":
            continue
        other = torch.as_tensor(np.asarray(wanted[key]))
        assert value.shape == other.shape, key
        if value.dtype is not torch.uint8:
            assert_agree(value, other.to(value.dtype), 64)
            continue
        found += 1
        is_packed = value.shape != param.shape
        for mine, its in [(value & 15, other & 15), (value >> 4, other >> 4)] if is_packed else [(value, other)]:
            apart = (mine.int() - its.int()).abs()
            assert int(apart.max()) <= 1, key
            assert int(apart.sum()) <= 2 + value.numel() // 500, key
    return found


@pytest.mark.parametrize(("name", "form"), [(name, CODES[k % 4]) for k, name in enumerate(NAMES)])
def test_every_rule_steps_in_c_as_in_numpy(name: str, form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the variant that keeps the most, from where NumPy is."""
    rule = coded(name, form)
    numpy, cls = compile(rule, "numpy"), optimizer(rule)
    params = some((70, 61), (9, 512), (2, 3, 129), (5000,))
    arrays = [p.detach().numpy().copy() for p in params]
    hypers = max((v.hypers for v in cases.variants(rule)), key=lambda given: len(numpy.init(arrays, **given)[0]))
    made, kept = cls([{"params": params, "fused": True}], **hypers), numpy.init(arrays, **hypers)
    calls, compared = eagerly_stepped(cls.__module__.rpartition(".")[0], monkeypatch), 0
    for step in range(1, 4):
        grads = grads_for(params, step)
        for p, array, state, grad in zip(params, arrays, kept, grads, strict=True):
            p.grad = grad
            p.data.copy_(torch.from_numpy(array))
            for key, value in made.state[p].items():
                if key != "step" and isinstance(value, Tensor):
                    value.copy_(torch.as_tensor(np.asarray(state[key])))
        made.step()
        arrays, kept = numpy.step(arrays, [g.numpy() for g in grads], kept, step, **hypers)
        for p, array, state in zip(params, arrays, kept, strict=True):
            assert_agree(p.detach(), torch.from_numpy(array), 64)
            compared += check_state(made.state[p], state, p)
    assert compared
    assert not calls


@pytest.mark.parametrize("decay", [0.1, 0.0])
def test_a_class_steps_in_c_whatever_its_variant_stores(decay: float, monkeypatch: pytest.MonkeyPatch) -> None:
    with literal():
        cls = optimizer(EVERY["of elements at times, int8"][1]())
    a = some((70, 61), (5000,))
    b = twin(a)
    x, y = (cls([{"params": params, "fused": fused}], weight_decay=decay) for params, fused in ((a, True), (b, False)))
    stepped(b, y)
    eager = eagerly_stepped(cls.__module__.rpartition(".")[0], monkeypatch)
    stepped(a, x)
    assert not eager
    for p, q in zip(a, b, strict=True):
        assert_agree(p, q)
        assert x.state[p].keys() == y.state[q].keys()
        assert ("m_absmax" in x.state[p]) is (decay > 0)
        assert all(torch.equal(value, y.state[q][key]) for key, value in x.state[p].items())


@pytest.mark.parametrize("name", ["stableadamw", "adammini"])
def test_every_number_lies_within_the_bound_of_the_oracle(name: str) -> None:
    rule = coded(name, "int8")
    shapes, storage = cases.Shapes("blocks", ((3, 171), (7, 600), (5000,))), Storage(BF16, FP32)
    variant = cases.variants(rule)[0]
    values, read = cases.parameters(shapes, storage.param, 1), decoder(compile(rule, "numpy"))
    runner = torch_runner(compile(rule, "torch"), values, variant.hypers, "plain", storage, fused=True, read=read)
    tally = run(rule, runner, variant.hypers, shapes, storage, 1, FEW)
    assert not tally.faults, tally.faults[0]
    assert tally.decided
    assert not tally.note


def test_a_step_allocates_a_small_part_of_its_parameters() -> None:
    """Partial sums and no copy of 2048 x 2048 numbers, beside the states that the first step makes."""
    code = (
        "import resource, torch; from optgen import optimizer\n"
        "made = optimizer('adammini', storage='int8')\n"
        "p = torch.ones(2048, 2048, requires_grad=True); p.grad = torch.ones(2048, 2048)\n"
        "q = torch.ones(64, 64, requires_grad=True); q.grad = torch.ones(64, 64)\n"
        "made([{'params': [q], 'fused': True}]).step(); o = made([{'params': [p], 'fused': True}])\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "before = peak(); o.step(); o.step()\n"
        "print(peak() - before - sum(x.nbytes for x in o.state[p].values()) // 1024)"
    )
    where = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=where)
    assert int(done.stdout) < 0.25 * 2048**2 / 1024
