"""Storage formats: codes against maps and formats that nobody here made, and NumPy modules that keep states in them."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import pairwise
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

import optgen
from optgen import load, stored
from optgen.backends._formats import name_of
from optgen.codecs import Codec, codecs, companions
from optgen.codecs._evaluate import stays
from optgen.dsl.rule import Rule
from optgen.errors import OptgenError, RuleError
from optgen.passes import Program, lower

BLOCKWISE = [name for name, codec in codecs().items() if codec.block]
PLAIN = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}
SIGNS = ("signed", "unsigned")


@cache
def module_of(name: str) -> ModuleType:
    """The generated file of a format: that of an optimizer which uses it for both kinds of states."""
    made = optgen.compile(stored(rule("adamw"), name, name="Formatted"), "numpy")
    return __import__(f"{made.__package__}._{name}", fromlist=["_"])


def rule(name: str) -> Rule:
    loaded = load(name)
    assert isinstance(loaded, Rule)
    return loaded


@cache
def store_of(name: str, sign: str) -> Any:
    return getattr(module_of(name), f"{name}_{sign}")


def table(name: str, sign: str) -> Any:
    """The numbers that codes stand for, of a block whose largest value is 1."""
    store, codec = store_of(name, sign), codecs()[name]
    levels = store.levels
    codes = np.arange(levels, dtype=np.uint8)
    if levels <= 16:
        codes = codes[::2] | codes[1::2] << 4
    absmax = np.ones(-(-levels // codec.block), np.float32)
    return store.load(codes, absmax, np.zeros(levels, np.float32))


def values_in(sign: str, seed: int) -> Any:
    """Numbers from -1 or 0 to 1, some of them tiny, with a 1 in each block of 128."""
    draw = np.random.default_rng(seed)
    found = np.concatenate([draw.uniform(0, 1, 2**13), 10 ** draw.uniform(-9, 0, 2**13)]).astype(np.float32)
    found *= draw.choice([-1, 1], found.size) if sign == "signed" else 1
    draw.shuffle(found)
    found[::128] = 1
    return found


@pytest.mark.parametrize("sign", SIGNS)
@pytest.mark.parametrize("name", BLOCKWISE)
def test_a_code_is_that_of_the_nearest_number(name: str, sign: str) -> None:
    """Of root8, whose root is nearest."""
    store, numbers, values = store_of(name, sign), table(name, sign).astype(float), values_in(sign, 0)
    kept = store.load(*store.store(values), values).astype(float)
    power = 1 if name != "root8" else 0.5 if sign == "signed" else 0.25
    kept, numbers, values = (np.sign(x) * np.abs(x) ** power for x in (kept, numbers, values))
    missed = np.abs(kept - values)
    if name == "fp8_e4m3" and sign == "unsigned":
        numbers = numbers[1:]  # without 0
    nearest = np.abs(numbers[:, None] - values.astype(float)).min(0)
    assert (missed <= nearest * (1 + 1e-6) + 1e-6 * np.abs(values)).all()
    assert missed.max() > 0


@pytest.mark.parametrize("name", BLOCKWISE)
def test_blocks_are_scaled_by_their_own_largest_value(name: str) -> None:
    store, block = store_of(name, "signed"), codecs()[name].block
    values = np.random.default_rng(1).standard_normal(3 * block + 5).astype(np.float32)
    scaled = values * np.repeat(np.float32(2) ** np.array([-90, 0, 30, 7], np.float32), block)[: values.size]
    codes, absmax = store.store(values)
    again, scales = store.store(scaled)
    assert np.array_equal(codes, again)
    assert np.array_equal(scales, absmax * np.float32(2) ** np.array([-90, 0, 30, 7], np.float32))
    assert [*absmax] == [np.abs(values[k * block : (k + 1) * block]).max() for k in range(4)]


@pytest.mark.parametrize("name", BLOCKWISE)
def test_a_block_of_zeros_stays_one_and_a_nan_or_inf_poisons_its_own_block_only(name: str) -> None:
    store, block = store_of(name, "signed"), codecs()[name].block
    values = np.ones(4 * block, np.float32)
    values[:block], values[block], values[2 * block + 1] = 0, np.nan, -np.inf
    with np.errstate(invalid="ignore"):
        kept = store.load(*store.store(values), values).reshape(4, block)
    assert (kept[0] == 0).all()
    assert np.isnan(kept[1]).all()
    assert not np.isfinite(kept[2]).any()
    assert (kept[3] == 1).all()


@pytest.mark.parametrize("name", [name for name in BLOCKWISE if name != "int8"])
def test_a_second_moment_is_never_rounded_to_zero(name: str) -> None:
    """A step would be divided by eps alone. The dynamic map of 8 bits has a 0, as that of bitsandbytes."""
    values = 10.0 ** np.random.default_rng(4).uniform(-30, 0, 4096)
    assert (store_of(name, "unsigned").load(*store_of(name, "unsigned").store(values), values) > 0).all()


@pytest.mark.parametrize("sign", SIGNS)
def test_the_dynamic_map_is_that_of_8_bit_optimizers(sign: str) -> None:
    found = [0.0, 1.0]
    for decade in range(7):
        borders = np.linspace(0.1, 1, 2 ** (decade + (sign == "unsigned")) + 1)
        middles = [10.0 ** (decade - 6) * (low + high) / 2 for low, high in pairwise(borders)]
        found += middles + [-middle for middle in middles if sign == "signed"]
    assert len(found) == 256
    np.testing.assert_allclose(table("int8", sign), sorted(found), rtol=2e-7)


def test_fp8_is_the_format_of_torch() -> None:
    codes = np.array([*range(127), *range(128, 255)], np.uint8)
    theirs = torch.from_numpy(codes).view(torch.float8_e4m3fn).float().numpy() / 448
    np.testing.assert_allclose(table("fp8_e4m3", "signed")[codes], theirs, rtol=1e-7)
    values = values_in("signed", 2)
    made, _ = store_of("fp8_e4m3", "signed").store(values)
    cast = (torch.from_numpy(values).double() * 448).to(torch.float8_e4m3fn).view(torch.uint8).numpy()
    zeros = {0, 128}
    differ = [(a, b) for a, b in zip(made, cast, strict=True) if a != b and not {a, b} <= zeros]
    assert len(differ) < 1e-3 * values.size  # ties, which torch rounds to even
    assert all(abs(int(a) - int(b)) == 1 for a, b in differ)


@pytest.mark.parametrize("name", PLAIN)
def test_plain_numbers_are_rounded_as_torch_rounds(name: str) -> None:
    values = np.concatenate([values_in("signed", 3), [0, np.inf, -np.inf, np.nan, 3.3e38, 1e-41]]).astype(np.float32)
    kept = getattr(module_of(name), name)
    with np.errstate(over="ignore"):
        found = kept.load(kept.store(values), values)
    expected = torch.from_numpy(values).to(PLAIN[name]).float().numpy()
    assert np.array_equal(found, expected, equal_nan=True)


def bytes_of(codec: Codec) -> float:
    ones, more = np.ones(2**16, np.float32), [np.zeros(2**16, np.uint16)] * (codec.kind == "Stochastic")
    formats = {"param" if codec.for_param else "b": codec.name}
    made = optgen.compile(stored(rule("sgd"), name="Formatted", **formats), "numpy")
    module = __import__(f"{made.__package__}._{codec.name}", fromlist=["_"])
    kept = getattr(module, f"{codec.name}_signed" if codec.block else codec.name).store(ones, *more)
    return sum(part.nbytes for part in (kept if isinstance(kept, tuple) else (kept,))) / 2**16


@pytest.mark.parametrize("codec", codecs().values(), ids=lambda codec: codec.name)
def test_what_is_told_of_a_format_is_what_is_stored(codec: Codec) -> None:
    assert bytes_of(codec) == codec.bytes_per_element()


MIXES: dict[str, tuple[str, dict[str, str]]] = {
    "adamw": ("int8", {}),
    "adam": ("", {"m": "int4", "v": "fp8_e4m3"}),
    "lion": ("int8", {}),
    "sgd": ("fp8_e4m3", {}),
    "nadam": ("bf16", {}),
    "radam": ("", {"v": "int8"}),
    "lamb": ("int8", {"m": "fp16"}),
    "adafactorhf": ("int8", {"r": "bf16", "c": "fp32"}),
    "prodigy": ("", {"m": "int8", "v": "fp8_e4m3"}),
}


@pytest.mark.parametrize("name", MIXES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_step_loads_the_states_makes_the_step_of_the_plain_rule_and_stores_them(name: str, dtype: Any) -> None:
    states, named = MIXES[name]
    coded_rule = stored(rule(name), states, name="Coded", min_numel=100, **named)
    coded, plain, program = optgen.compile(coded_rule, "numpy"), optgen.compile(name, "numpy"), lower(coded_rule)
    options = {"momentum": 0.9} if name == "sgd" else {"beta1": 0.9} if name == "adafactorhf" else {}
    draw = np.random.default_rng(5)
    params = [draw.standard_normal(shape).astype(dtype) for shape in ((33, 40), (5, 7), (300,))]
    kept: Any = coded.init(params, **options)
    small = [name not in ("lamb", "prodigy") and p.size < 100 for p in params]
    both = zip(kept, plain.init(params, **options), small, strict=True)
    assert all(mine.keys() == other.keys() for mine, other, is_small in both if is_small)
    for t in range(1, 5):
        grads = [(0.1 * draw.standard_normal(p.shape)).astype(dtype) for p in params]
        loaded = [
            state if is_small else decoded(program, state, param)
            for state, param, is_small in zip(kept, params, small, strict=True)
        ]
        expected, new = plain.step(params, grads, loaded, t, **options)
        params, kept = coded.step(params, grads, kept, t, **options)
        for a, b in zip(params, expected, strict=True):
            assert np.array_equal(a, b)
        for state, other, param, is_small in zip(kept, new, params, small, strict=True):
            mine = state if is_small else decoded(program, state, param)
            for key, value in other.items():
                assert np.abs(mine[key] - value).max() <= 0.25 * np.abs(value).max(), key


def decoded(program: Program, state: dict[str, Any], param: Any) -> dict[str, Any]:
    """The state of a parameter as the plain rule keeps it."""
    found = dict(state)
    steps = [step for part in program.chain for step in part.steps]
    coded = {v.key: v for step in reversed(steps) for v in step.vars if v.codec and v.key in found}
    for key, var in coded.items():
        keys = [k for k in companions(var) if k in found]
        store = getattr(module_of(var.codec), name_of(var))
        found[key] = store.load(*(found.pop(k) for k in keys), param)
    return found


def test_what_is_never_negative_is_stored_without_a_sign() -> None:
    steps = lower(stored(rule("adamw"), "int8", name="Coded")).steps
    kept = {v.key: name_of(v) for step in steps for v in step.vars if v.codec}
    assert kept == {
        "exp_avg": "int8_signed", "exp_avg_sq": "int8_unsigned", "max_exp_avg_sq": "int8_unsigned",
    }  # fmt: skip


def refused(*arguments: Any, **named: Any) -> str:
    with pytest.raises(OptgenError) as caught:
        optgen.compile(stored(*arguments, name="Refused", **named), "numpy")
    return str(caught.value)


def compiles(*arguments: Any, **named: Any) -> bool:
    return bool(optgen.compile(stored(*arguments, name="Accepted", **named), "numpy"))


def test_a_format_that_cannot_be_is_refused_with_the_reason() -> None:
    adamw = rule("adamw")
    assert "there is no storage format 'int3'" in refused(adamw, "int3")
    assert "choose one of bf16, bf16_kahan, " in refused(adamw, "int3")
    assert "no state 'w' to store as 'int8'" in refused(adamw, w="int8")
    assert "it has m, param, v, v_max" in refused(adamw, w="int8")
    assert "stored is given 3, not a Rule" in refused(3, "int8")
    assert "P cannot be stored as int8: the state is one number on the host" in refused(rule("nadam"), P="int8")
    assert "starts as a parameter or gradient" in refused(rule("schedulefreeadamw"), z="int8")
    assert "a number for each element" in refused(rule("adafactor"), R="int8")
    assert "format of states" in refused(adamw, param="int8")
    assert "v cannot be stored as int8: s stands under a root" in refused(rule("rmsprop"), v="int8")
    assert "once it is rounded apart from a" in refused(rule("rmsprop"), v="int8")
    assert compiles(rule("rmsprop"), b="int8", v="fp32")


def test_a_state_that_has_no_number_for_each_element_keeps_its_own_format() -> None:
    made = optgen.compile(stored(rule("nadam"), "int8", name="Some"), "numpy")
    state = made.init([np.ones(5000, np.float32)])[0]
    assert {key: np.asarray(value).dtype.name for key, value in state.items() if key.endswith(("avg", "product"))} == {
        "exp_avg": "uint8", "mu_product": "float64",
    }


def test_a_key_that_a_format_adds_may_not_be_that_of_another_state() -> None:
    theta, g, m, n = optgen.tensors("theta g m n")
    t = optgen.t
    clash = Rule(
        param=theta, grad=g, name="Clash", state_keys={m: "kept", n: "kept_absmax"},
        equations=[optgen.Eq(m[t], m[t - 1] + g[t]), optgen.Eq(n[t], n[t - 1] + m[t]),
                   optgen.Eq(theta[t], theta[t - 1] - n[t])],
    )  # fmt: skip
    with pytest.raises(RuleError, match="kept_absmax"):
        optgen.compile(stored(clash, m="int8"), "numpy")


def test_a_formula_that_reaches_beyond_the_last_code_is_known() -> None:
    """Kernels have no formats with such a formula: they do not limit codes."""
    every = [code for codec in codecs().values() for code in (codec.signed, codec.unsigned) if code is not None]
    assert all(map(stays, every))
    assert not any(stays(replace(code, levels=code.levels - 1)) for code in every)
