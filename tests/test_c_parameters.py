"""Parameters in storage formats in C: NumPy's bits, in one pass and in phases, on any processor and any threads."""

from __future__ import annotations

import ctypes
import itertools
import subprocess
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import needs
import numpy as np
import pytest
import torch
from c_steps import eagerly_stepped
from test_parameter_formats import FORMATS
from test_parameter_formats_torch import as_numpy, class_of, draw, every_kind, given, leaves, part_of, same, train
from torch.nn import Parameter

import optgen
from optgen import Eq, Piecewise, Rule, amax, cols, elems, flag, hyper, rows, stored, t, tensors
from optgen.build import build
from optgen.dsl import literal
from optgen.dsl.functions import Abs
from optgen.errors import RuleError

pytestmark = needs.a_c_compiler
HEADERS = Path(__file__).parents[1] / "optgen" / "runtime" / "c_cpu"
FLAGS = "-std=c99 -O3 -fopenmp-simd -shared -fPIC -Dreal=float -Dgrad_type=fp32 -DSTORED=1 -DSCALARS=1".split()
DRAW = """
#include "_numbers.h"
#include "_group.h"
#include "_parameters.h"
void bits(uint16_t *out, double seed, double step, int64_t number, int64_t start, int64_t count)
{
    union chance chance;
    struct tensor tensor = {count, 0, number};
    memcpy(out, draw(&chance, &tensor, seed, step, start, count), count * sizeof *out);
}
"""
CPUS = {"this one": ["-march=native"], "AVX2": ["-mavx2"], "any": [], "no x86": ["-U__SSE2__"]}


@cache
def modules(make: Any, form: str, **states: str) -> tuple[ModuleType, Any]:
    """The module for NumPy of a rule, and its class."""
    with literal():
        rule = stored(make(), name="Kept", min_numel=0, param=form, **states)
    return optgen.compile(rule, "numpy"), optgen.optimizer(rule)


def taken_over() -> Rule:
    """The parameter becomes the first gradient, and stays so."""
    theta, g = tensors("theta g")
    return Rule(param=theta, grad=g, name="Taken", equations=[
        Eq(theta[t], Piecewise((g[t], t <= 1), (theta[t - 1], True)))])  # fmt: skip


@pytest.mark.parametrize("form", FORMATS)
def test_any_number_is_stored_and_loaded_as_numpy_does(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    numpy, cls = modules(taken_over, form)
    values = every_kind()
    p = Parameter(torch.zeros(values.size, dtype=torch.bfloat16))
    p.grad_dtype = torch.float32
    optimizer, arrays = cls([{"params": [p], "fused": True}], **given(form)), [as_numpy(p).copy()]
    state, p.grad = numpy.init(arrays), torch.from_numpy(values)
    calls = eagerly_stepped(cls.__module__.rpartition(".")[0], monkeypatch)
    for step in range(1, 4):
        with np.errstate(all="ignore"):
            optimizer.step()
            arrays, state = numpy.step(arrays, [values], state, step, **given(form))
        found = as_numpy(p)
        if needs.INTERPRETED:  # where the nearest of a NaN is any
            found = np.where(p.detach().isnan().numpy(), 0x7FC0, found)
        assert np.array_equal(found, arrays[0])
        assert all(np.array_equal(as_numpy(optimizer.state[p][key]), x, equal_nan=True) for key, x in state[0].items())
    assert not calls


@needs.compiler("gcc")
@pytest.mark.parametrize("cpu", CPUS)
def test_random_bits_are_the_same_on_any_processor(cpu: str, tmp_path: Path) -> None:
    """Those of PyTorch, which are NumPy's: from any element on, and where the counter's upper half changes."""
    (tmp_path / "draw.c").write_text(DRAW)
    command = ["gcc", *FLAGS, *CPUS[cpu], f"-I{HEADERS}", "-o", str(tmp_path / "draw.so"), str(tmp_path / "draw.c")]
    subprocess.run([*command, "-lm"], check=True)
    bits = ctypes.CDLL(str(tmp_path / "draw.so")).bits
    bits.argtypes = [ctypes.c_void_p, ctypes.c_double, ctypes.c_double, *[ctypes.c_int64] * 3]
    chance = part_of("_parameters", "bf16_sr").Chance
    for start, count in ((0, 4096), (0, 1), (7, 4096), (1024, 1000), (3, 6), (2**35 - 100, 333), (2**36 - 8, 16)):
        found = np.empty(count, np.uint16)
        bits(found.ctypes.data, 2.0**32 - 1, 12.0, 77, start, count)
        assert np.array_equal(found, chance(2**32 - 1, 12, 77, start).bits(torch.empty(count)).numpy()), (start, count)


def of_largest() -> Rule:
    """Reductions whose result no order of summation changes."""
    theta, g, m = tensors("theta g m")
    lr = hyper("lr", 0.01, at_least=0)
    return Rule(param=theta, grad=g, name="Largest", min_ndim=2, equations=[
        Eq(m[t], m[t - 1] + g[t] / (amax(Abs(g[t]), rows) + amax(Abs(g[t]), cols))),
        Eq(theta[t], theta[t - 1] - lr * m[t] / amax(Abs(m[t]), elems))])  # fmt: skip


def of_tensor() -> Rule:
    """The same without rows."""
    theta, g = tensors("theta g")
    lr = hyper("lr", 0.01, at_least=0)
    update = [Eq(theta[t], theta[t - 1] - lr * g[t] / amax(Abs(g[t]), elems))]
    return Rule(param=theta, grad=g, name="Largest", equations=update)


CODED = [(form, of_largest, {"m": states}) for form, states in zip(FORMATS, itertools.cycle(("int8", "int4")))]


@pytest.mark.parametrize(
    ("form", "make", "states"), [*itertools.product(FORMATS, (of_largest, of_tensor), ({},)), *CODED]
)
def test_phases_step_as_numpy_to_the_bit(
    form: str, make: Any, states: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    numpy, cls = modules(make, form, **states)
    params = leaves((70, 61), (3, 4099), (2, 5, 7), (129, 1))
    wide = {} if states else {"state_dtype": torch.float32}
    optimizer = cls([{"params": params, "fused": True, **wide}], **given(form))
    arrays = [as_numpy(p).copy() for p in params]
    state = numpy.init(arrays)
    calls = eagerly_stepped(cls.__module__.rpartition(".")[0], monkeypatch)
    for step in range(1, 4):
        for at, p in enumerate(params):
            p.grad = draw(*p.shape, seed=10 * step + at).bfloat16()
            if at == 0:  # which lies otherwise than its parameter
                p.grad = p.grad.t().contiguous().t()
        optimizer.step()
        grads = [p.grad.float().numpy() for p in params if p.grad is not None]
        arrays, state = numpy.step(arrays, grads, state, step, **given(form))
        assert all(np.array_equal(as_numpy(p), array) for p, array in zip(params, arrays, strict=True))
        for p, kept in zip(params, state, strict=True):
            assert all(np.array_equal(as_numpy(optimizer.state[p][key]), x) for key, x in kept.items())
    assert not calls


@pytest.mark.parametrize(("form", "name"), [*((form, "lion") for form in FORMATS), ("bf16_kahan", "lamb")][
    -2 if needs.INTERPRETED else 0:])  # kernels take time
def test_a_group_of_several_dtypes_is_stepped_as_it_is_eagerly(form: str, name: str) -> None:
    """Where a rule looks at all tensors together, too; the last digit of a norm depends on how it is summed."""
    def group() -> list[Parameter]:
        return [*leaves((50, 90), (7,)), *leaves((50, 90), (), dtype=torch.float32)]

    a, b = group(), group()
    x = class_of(form, name)([{"params": a, "fused": True}], **given(form))
    y = class_of(form, name)([{"params": b, "fused": False}], **given(form))
    for step in range(4):
        for side in (x, y):
            side.param_groups[0]["lr"] = 1e-3 * (step + 1)
            train(side, range(step, step + 1))
    if name == "lion":
        assert same(x, y)
    for p, q in zip(a, b, strict=True):
        torch.testing.assert_close(p.float(), q.float(), rtol=2.0**-7, atol=1e-6)
        assert x.state[p].keys() == y.state[q].keys()


def test_chance_is_the_same_on_any_number_of_threads(two_threads: None) -> None:
    def found() -> Any:
        params = leaves((1001,), (16_003,), (4099, 5), (3,))
        optimizer = class_of("bf16_sr", "sgd", "")([{"params": params, "fused": True}], lr=0.01, seed=1)
        train(optimizer, range(3))
        return optimizer

    by_two = found()
    torch.set_num_threads(1)
    assert same(by_two, found())


def test_a_seed_that_is_changed_between_two_steps_counts() -> None:
    a, b = leaves((5000,)), leaves((5000,))
    x = class_of("bf16_sr")([{"params": a, "fused": True}], seed=1)
    y = class_of("bf16_sr")([{"params": b, "fused": False}], seed=1)
    for seed in (1, 1, 300, 300):
        for side in (x, y):
            side.param_groups[0]["seed"] = seed
            train(side, range(seed, seed + 1))
    assert same(x, y)
    x.param_groups[0]["seed"] = -1
    with pytest.raises(ValueError, match=r"^Invalid seed value: -1"):
        train(x, range(1))


@pytest.mark.parametrize("form", FORMATS)
def test_a_step_allocates_nothing_of_a_parameters_size(form: str) -> None:
    optimizer = class_of(form)([{"params": leaves((1024, 1024)), "fused": True}])
    train(optimizer, range(2))
    with torch.profiler.profile(profile_memory=True) as profile:
        optimizer.step()
    assert max((abs(event.cpu_memory_usage) for event in profile.events()), default=0) < 4096


@pytest.mark.parametrize(("form", "name"), [("bf16_kahan", "theta_rest_at"), ("bf16_kahan", "store_kahan"),
                                            ("bf16_sr", "draw"), ("bf16_sr", "theta_chance"), ("master", "held")])
def test_names_of_a_step_with_a_parameter_in_a_format_are_not_for_rules(form: str, name: str) -> None:
    theta, g = tensors("theta g")
    with literal():
        if name == "held":  # a flag, which is a macro
            new = Piecewise((theta[t - 1] - g[t], flag(name, False)), (theta[t - 1], True))
        else:
            new = theta[t - 1] - hyper(name, 0.1) * g[t]
        rule = Rule(param=theta, grad=g, name="Taken", equations=[Eq(theta[t], new)])
        assert build([rule], ["c"]).files["c_cpu/taken.c"]
        with pytest.raises(RuleError, match=f"the name '{name}' is one that the generated kernel uses itself"):
            build([stored(rule, name="Kept", param=form)], ["c"])
