"""Parameters in bfloat16 that lose no update: chance against its laws, the others against what they must keep."""

from __future__ import annotations

from functools import cache
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

import optgen
from optgen import load, stored
from optgen.codecs import codecs
from optgen.dsl.rule import Rule
from optgen.errors import OptgenError

FORMATS = [name for name, codec in codecs().items() if codec.for_param]
KEPT = [name for name in FORMATS if name != "bf16_sr"]


def rule(name: str) -> Rule:
    loaded = load(name)
    assert isinstance(loaded, Rule)
    return loaded


@cache
def module_of(form: str, name: str = "adamw", states: str = "") -> ModuleType:
    return optgen.compile(stored(rule(name), states, name="Kept", param=form), "numpy")


def runtime(name: str) -> ModuleType:
    return __import__(f"{module_of('bf16_sr').__package__}._parameters", fromlist=[name])


def format_of(name: str) -> Any:
    made = module_of(name)
    return getattr(__import__(f"{made.__package__}._{name}", fromlist=[name]), name)


def numbers(seed: int, count: int = 100_000) -> Any:
    draw = np.random.default_rng(seed)
    return (draw.standard_normal(count) * 10.0 ** draw.uniform(-30, 30, count)).astype(np.float32)


def bits(values: Any) -> Any:
    """The bits of bfloat16, as torch rounds."""
    return torch.from_numpy(values).to(torch.bfloat16).view(torch.uint16).numpy()


def wide(param: Any) -> Any:
    return torch.from_numpy(param).view(torch.bfloat16).float().numpy()


def test_random_bits_are_those_of_philox() -> None:
    """The answers that its authors give for a counter and a key of zeros, and of ones, of 7 and of 10 rounds."""
    philox = runtime("philox").philox
    for word, rounds, answer in (
        (0, 7, "5f6fb709 0d893f64 4f121f81 4f730a48"),
        (0, 10, "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        (0xFFFFFFFF, 10, "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ):
        counter = [np.full(1, word, np.uint64)] * 4
        assert " ".join(f"{int(x[0]):08x}" for x in philox(counter, (word, word), rounds)) == answer


def test_bits_depend_on_all_that_they_should_and_on_nothing_else() -> None:
    random_bits = runtime("random_bits").random_bits
    first = random_bits(1, 2, 3, 1000)
    assert np.array_equal(first[:77], random_bits(1, 2, 3, 77))
    for other in (random_bits(0, 2, 3, 1000), random_bits(1, 3, 3, 1000), random_bits(1, 2, 4, 1000)):
        assert (first == other).mean() < 0.01


def test_chance_takes_one_of_the_two_neighbours_and_is_right_on_average() -> None:
    form, random_bits, count = format_of("bf16_sr"), runtime("random_bits").random_bits, 1_000_000
    for part in (0.1, 0.5, 0.97):
        values = np.full(count, 1 + part * 2.0**-7, np.float32)
        found = wide(form.store(values, random_bits(3, 1, 0, count)))
        assert set(np.unique(found)) == {1.0, 1.0 + 2.0**-7}
        error = found.astype(np.float64) - values
        assert abs(error.mean()) < 4 * error.std() / np.sqrt(count)
    values = numbers(0)
    found = wide(form.store(values, random_bits(0, 1, 0, values.size)))
    cut = wide((values.view(np.uint32) >> 16).astype(np.uint16))
    step = wide(((values.view(np.uint32) >> 16) + 1).astype(np.uint16))
    assert ((found == cut) | (found == step)).all()
    assert 0.4 < (found == cut).mean() < 0.6


@pytest.mark.parametrize("name", FORMATS)
def test_a_number_that_bfloat16_holds_and_infinities_and_nans_stay(name: str) -> None:
    values = np.concatenate([wide(bits(numbers(1, 1000))), [0, np.inf, -np.inf, np.nan]]).astype(np.float32)
    form = format_of(name)
    if name == "bf16_sr":
        kept = form.load(form.store(values, np.full(values.size, 0xFFFF, np.uint16)))
    else:
        kept = form.load(*form.store(values))
    assert np.array_equal(kept, values, equal_nan=True)


@pytest.mark.parametrize(
    ("name", "most"), [("bf16_kahan", 2.0**-17), ("bf16_split8", 2.0**-15), ("bf16_split16", 0), ("master", 0)]
)
def test_what_is_kept_beside_a_parameter_keeps_its_digits(name: str, most: float) -> None:
    values, form = numbers(2), format_of(name)
    param, beside = form.store(values)
    assert (np.abs(form.load(param, beside) - values) <= most * np.abs(values)).all()
    assert np.array_equal(form.load(param, None), wide(param))
    nearest = bits(values).astype(int)
    ties = (values.view(np.uint32) & 0xFFFF) == 0x8000
    assert (np.abs(param.astype(int) - nearest) <= ties).all()


def test_master_weights_that_others_have_changed_are_left() -> None:
    form = format_of("master")
    param, master = form.store(numbers(3, 100))
    param[7] = bits(np.array([42.0], np.float32))[0]
    found = form.load(param, master)
    assert found[7] == 42
    assert np.array_equal(np.delete(found, 7), np.delete(master, 7))


@pytest.mark.parametrize("states", ["", "int8"])
@pytest.mark.parametrize("name", KEPT)
def test_a_step_is_that_of_float32_from_the_numbers_that_are_kept(name: str, states: str) -> None:
    coded, form = module_of(name, "adamw", states), format_of(name)
    other = optgen.compile(stored(rule("adamw"), states, name="Coded") if states else "adamw", "numpy")
    draw = np.random.default_rng(4)
    params: list[Any] = [bits(draw.standard_normal((65, 70)).astype(np.float32)), bits(np.ones(3, np.float32))]
    state, theirs = coded.init(params), [wide(p) for p in params]
    their_state = other.init(theirs)
    key = "param_master" if name == "master" else "param_rest"
    for t in range(1, 6):
        grads = [draw.standard_normal(p.shape).astype(np.float32) for p in params]
        params, state = coded.step(params, grads, state, t)
        theirs, their_state = other.step(theirs, grads, their_state, t)
        for mine, kept, exact in zip(params, state, theirs, strict=True):
            expected = form.store(exact)
            assert np.array_equal(mine, expected[0])
            assert np.array_equal(kept[key], expected[1])
        theirs = [form.load(p, s[key]) for p, s in zip(params, state, strict=True)]


def test_small_updates_are_lost_to_nearest_and_to_nothing_else() -> None:
    def gone(form: str) -> float:
        params: list[Any] = [bits(np.ones(4096, np.float32))]
        module = module_of(form)
        state = module.init(params)
        for t in range(1, 101):
            params, state = module.step(params, [np.ones(4096, np.float32)], state, t, lr=1e-4, weight_decay=0)
        return float((1 - wide(params[0])).mean())

    for name in FORMATS:
        assert gone(name) == pytest.approx(0.01, rel=0.05 if name == "bf16_sr" else 0.25), name
    assert float((1 - wide(bits(np.full(1, 1 - 1e-4, np.float32)))).mean()) == 0


def test_chance_is_the_same_again_and_another_with_another_seed() -> None:
    module, param = module_of("bf16_sr"), bits(numbers(5, 5000).clip(-1, 1))
    grads = [np.random.default_rng(6).standard_normal(5000).astype(np.float32)]
    (first,), _ = module.step([param], grads, module.init([param]), 1, seed=1)
    (again,), _ = module.step([param], grads, module.init([param]), 1, seed=1)
    (other,), _ = module.step([param], grads, module.init([param]), 1, seed=2)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_what_a_step_is_given_besides_the_gradient_is_a_number() -> None:
    coded, plain = module_of("master", "sophia"), optgen.compile("sophia", "numpy")
    param, grads, given = bits(numbers(8, 50).clip(-1, 1)), [np.ones(50, np.float32)], [np.linspace(0.1, 0.9, 50)]
    _, (kept,) = coded.step([param], grads, coded.init([param]), 1, hessian=given)
    (wanted,), _ = plain.step([wide(param)], grads, plain.init([wide(param)]), 1, hessian=given)
    assert np.array_equal(kept["param_master"], wanted)


def test_out_writes_the_bits_where_the_parameter_lies() -> None:
    module = module_of("bf16_split16")
    params, grads = [bits(numbers(7, 50).clip(-1, 1))], [np.ones(50, np.float32)]
    expected, kept = module.step(params, grads, module.init(params), 1)
    given = [params[0].copy()]
    state = module.init(given)
    found, _ = module.step(given, grads, state, 1, out=True)
    assert found[0] is given[0]
    assert np.array_equal(given[0], expected[0])
    assert np.array_equal(state[0]["param_rest"], kept[0]["param_rest"])


def test_what_is_no_parameter_in_bfloat16_is_refused() -> None:
    module = module_of("bf16_kahan")
    with pytest.raises(ValueError, match=r"parameter 0 is float32 of shape .* must be an array of uint16"):
        module.step([np.ones(3, np.float32)], [np.ones(3, np.float32)], [{}], 1)
    with pytest.raises(OptgenError, match="changes its parameters with the mode"):
        optgen.compile(stored(rule("schedulefreesgd"), name="Kept", param="bf16_sr"), "numpy")
    with pytest.raises(OptgenError, match="that is a format of parameters"):
        optgen.compile(stored(rule("adamw"), name="Kept", m="master"), "numpy")
