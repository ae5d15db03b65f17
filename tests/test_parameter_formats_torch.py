"""Parameters in storage formats in PyTorch: NumPy's bits, whatever the layout; checkpoints; what stands beside them."""

from __future__ import annotations

import copy
import io
import pickle
import sys
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from needs import INTERPRETED
from test_parameter_formats import FORMATS, KEPT, format_of, module_of, numbers, rule, runtime
from torch import Tensor
from torch.nn import Parameter

import optgen
from optgen import optim, stored

FUSED = [True] if INTERPRETED else [False, None]  # by kernels, eagerly, in C
SHAPES = ((64, 65), (5000,), (3,), (), (0, 7), *([] if INTERPRETED else [(600, 1000)]))
KEYS = {"bf16_sr": [], "master": ["param_master"]}
DTYPES = {"bf16_kahan": torch.bfloat16, "bf16_split8": torch.int8, "bf16_split16": torch.int16,
          "master": torch.float32}


@cache
def class_of(form: str, name: str = "lion", states: str = "") -> Any:
    return optgen.optimizer(stored(rule(name), states, name="Kept", param=form))


def part_of(module: str, form: str) -> Any:
    """What a file beside the class of a format has."""
    return sys.modules[f"{class_of(form).__module__.rpartition('.')[0]}.{module}"]


def given(form: str) -> dict[str, Any]:
    return {"seed": 5} if form == "bf16_sr" else {}


def draw(*shape: int, seed: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def leaves(*shapes: tuple[int, ...], dtype: torch.dtype = torch.bfloat16) -> list[Parameter]:
    return [Parameter(draw(*shape, seed=at).to(dtype)) for at, shape in enumerate(shapes)]


def train(optimizer: Any, steps: range, skip: int | None = None) -> None:
    for step in steps:
        for at, p in enumerate(p for group in optimizer.param_groups for p in group["params"]):
            p.grad = None if at == skip else draw(*p.shape, seed=100 * step + at).to(p.dtype)
            if p.grad is not None and p.dim():
                p.grad[:1] = 0
        optimizer.step()


def as_numpy(x: Tensor) -> Any:
    """What is stored, with bfloat16 as its bits."""
    x = x.detach()
    return x.view(torch.int16).numpy().view(np.uint16) if x.dtype is torch.bfloat16 else x.numpy()


def same(a: Any, b: Any) -> bool:
    """Whether two optimizers have the same parameters and states, to the bit."""
    pairs = zip(a.param_groups, b.param_groups, strict=True)
    both = [pq for one, other in pairs for pq in zip(one["params"], other["params"], strict=True)]
    return all(
        np.array_equal(as_numpy(p), as_numpy(q)) and a.state[p].keys() == b.state[q].keys()
        and all(np.array_equal(as_numpy(a.state[p][key]), as_numpy(b.state[q][key])) for key in a.state[p])
        for p, q in both
    )  # fmt: skip


# --- one number


def every_kind() -> Any:
    """Numbers of all magnitudes, zeros of both signs, subnormals, infinities, NaNs, the largest, and ties."""
    odd = [0.0, -0.0, 1e-40, -1e-45, np.inf, -np.inf, np.nan, np.finfo(np.float32).max, -3.4e38, 1 + 2.0**-8, 1.0117188]
    no_numbers = np.array([0x7FFFFFFF, 0xFFFFFFFF, 0x7FC01234, 0xFFC00000] * 9, np.uint32).view(np.float32)
    return np.concatenate([numbers(1, 10_000), np.array(odd, np.float32), no_numbers])


@pytest.mark.parametrize("form", FORMATS)
def test_any_number_is_stored_and_loaded_as_numpy_does(form: str) -> None:
    mine, theirs, values = getattr(part_of(f"_{form}", form), form), format_of(form), every_kind()
    chance = part_of("_parameters", form).Chance(3, 4, 5, 0)
    param = torch.empty(values.size, dtype=torch.bfloat16)
    beside = [torch.empty(values.size, dtype=DTYPES[form])] if form in KEPT else []
    mine.store(param, beside, torch.from_numpy(values), chance)
    random = runtime("random_bits").random_bits(3, 4, 5, values.size)
    with np.errstate(all="ignore"):
        wanted = theirs.store(values) if beside else (theirs.store(values, random),)
        pairs = [*zip((param, *beside), wanted, strict=True)]
        assert all(np.array_equal(as_numpy(a), b, equal_nan=True) for a, b in pairs)
        assert np.array_equal(mine.load(param, beside).numpy(), theirs.load(*wanted), equal_nan=True)


@pytest.mark.parametrize("step", [4, torch.tensor(4.0)], ids=["number", "tensor"])
def test_random_bits_are_those_of_numpy_from_any_element_on(step: Any) -> None:
    chance, numpy = part_of("_parameters", "bf16_sr").Chance, runtime("random_bits").random_bits
    for seed, tensor in ((0, 0), (2**32 - 1, 1000)):
        wanted = numpy(seed, 4, tensor, 1000)
        for first, count in ((0, 1000), (0, 1), (8, 17), (3, 900), (999, 1), (16, 0)):
            found = chance(seed, step, tensor, first).bits(torch.empty(count))
            assert np.array_equal(found.numpy(), wanted[first : first + count])


def test_chance_takes_one_of_the_two_neighbours_and_is_right_on_average() -> None:
    form, chance = part_of("_bf16_sr", "bf16_sr").bf16_sr, part_of("_parameters", "bf16_sr").Chance(0, 1, 0, 0)
    param = torch.empty(1_000_000, dtype=torch.bfloat16)
    for part in (0.01, 0.3, 0.5, 0.97):
        form.store(param, [], torch.full((1_000_000,), 1 + part * 2.0**-7), chance)
        assert param.unique().tolist() == [1.0, 1 + 2.0**-7]
        error = param.double() - (1 + part * 2.0**-7)
        assert abs(float(error.mean())) < 4 * float(error.std()) / 1000


# --- steps


@pytest.mark.parametrize("states", [""] if INTERPRETED else ["", "int8"])
@pytest.mark.parametrize("name", ["lion", "sgd"])  # which take no root, whose last bit is not always NumPy's
@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("fused", FUSED)
def test_a_step_is_that_of_numpy_to_the_bit(form: str, name: str, states: str, fused: bool | None) -> None:
    numpy, settings = module_of(form, name, states), {"momentum": 0.9, "lr": 0.01} if name == "sgd" else {}
    params = leaves(*SHAPES)
    params[0].data[0, :2] = torch.tensor([-0.0, 0.0])  # which a step without a gradient leaves as they are
    halves = [{"params": some, "state_dtype": torch.float32, "fused": fused} for some in (params[:2], params[2:])]
    optimizer = class_of(form, name, states)(halves, **given(form), **settings)
    arrays = [as_numpy(p).copy() for p in params]
    state = numpy.init(arrays)
    for step in range(1, 4):
        train(optimizer, range(step, step + 1), skip=1 if step == 1 else None)
        grads = [None if p.grad is None else p.grad.float().numpy() for p in params]
        counts = [step - (at == 1 and step > 1) for at in range(len(params))]
        arrays, state = numpy.step(arrays, grads, state, counts, **given(form), **settings)
        for p, array, kept in zip(params, arrays, state, strict=True):
            assert np.array_equal(as_numpy(p), array)
            mine = {key: as_numpy(value) for key, value in optimizer.state[p].items() if key != "step"}
            assert p.numel() == 0 or mine.keys() == kept.keys()
            assert all(np.array_equal(mine[key], value) for key, value in kept.items())


@pytest.mark.parametrize(("form", "name"), [("master", "lamb"), ("bf16_split16", "adamw"), ("bf16_split16", "lamb"),
                                            ("bf16_split16", "adafactor"), ("bf16_split16", "muon")])
def test_what_keeps_all_digits_steps_as_float32(form: str, name: str) -> None:
    shapes = ((40, 30), (16, 16)) if name == "muon" else ((40, 30), (7,), ())
    params, plain = leaves(*shapes), leaves(*shapes)
    wide = [Parameter(p.detach().float()) for p in plain]
    one, other = class_of(form, name)([{"params": params}]), getattr(optim, rule(name).name)([{"params": wide}])
    for group in (*one.param_groups, *other.param_groups):
        group |= {"state_dtype": torch.float32, "fused": False}
    for step in range(10):
        train(one, range(step, step + 1))
        for p, q in zip(params, wide, strict=True):
            assert p.grad is not None
            q.grad = p.grad.float()
        other.step()
    read = one.rule.fitting(params[0]).param
    for p, q in zip(params, wide, strict=True):
        assert torch.equal(read.load(p, [one.state[p]["param_master" if form == "master" else "param_rest"]]), q)
        assert not torch.equal(p.float(), q)


def test_an_epsilon_of_none_is_that_of_bfloat16_in_numpy_too() -> None:
    params = leaves((20, 30))
    optimizer, numpy = class_of("bf16_split16", "adafactor")(params), module_of("bf16_split16", "adafactor")
    arrays = [as_numpy(params[0]).copy()]
    params[0].grad = (draw(20, 30, seed=1) * 1e-3).bfloat16()  # whose squares are below that epsilon's
    optimizer.step()
    (found,), (kept,) = numpy.step(arrays, [params[0].grad.float().numpy()], numpy.init(arrays), 1)
    mine = optimizer.rule.param.load(params[0], [optimizer.state[params[0]]["param_rest"]])
    np.testing.assert_allclose(mine.numpy(), format_of("bf16_split16").load(found, kept["param_rest"]), rtol=1e-6)


def small_steps(cls: Any) -> float:
    """How far a parameter of 1 has come that is to go 1e-4 down at each step."""
    p = Parameter(torch.ones(512, dtype=torch.bfloat16))
    optimizer = cls([p], lr=1e-4)
    p.grad = torch.ones_like(p)
    for _ in range(1000):
        optimizer.step()
    return float((1 - p.detach().float()).mean())


@pytest.mark.parametrize("form", FORMATS)
def test_small_updates_add_up(form: str) -> None:
    off = 0.07 if form == "bf16_split8" else 0.03  # an update is 6.6 of its steps of 2**-16, and is rounded to 7
    assert small_steps(class_of(form, "sgd")) == pytest.approx(0.1, rel=off)
    assert small_steps(optim.SGD) == 0


def away(form: str) -> float:
    """How far parameters are from those of float32 after 200 steps of AdamW, over the way that these have gone."""
    params = leaves((1000,))
    wide = [Parameter(params[0].detach().float())]
    start = wide[0].detach().clone()
    cls = class_of(form, "adamw") if form else optim.AdamW
    one, other = cls([{"params": params, "state_dtype": torch.float32}]), optim.AdamW(wide)
    for step in range(200):
        params[0].grad = (params[0].detach().float() + draw(1000, seed=step)).bfloat16()
        wide[0].grad = params[0].grad.float()
        one.step()
        other.step()
    read = params[0].detach().float()
    return float((read - wide[0].detach()).norm() / (wide[0].detach() - start).norm())


@pytest.mark.parametrize(("form", "most"), [("bf16_sr", 0.25), ("bf16_kahan", 0.02), ("bf16_split8", 0.02),
                                            ("bf16_split16", 0.02), ("master", 0.02)])
def test_200_steps_stay_near_those_of_float32(form: str, most: float) -> None:
    """But for what a bfloat16 can tell of a number, which is 0.014 of the way here."""
    assert away(form) < most < away("")


# --- layouts and stretches


LAYOUTS: dict[str, Any] = {
    "channels_last": lambda x: x.contiguous(memory_format=torch.channels_last),
    "turned": lambda x: x.permute(3, 1, 0, 2).contiguous().permute(2, 1, 3, 0),
    "sliced": lambda x: torch.stack([x, x], -1)[..., 0],
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("fused", FUSED)
def test_a_parameter_of_any_layout_is_stepped_through_its_memory(form: str, layout: str, fused: bool | None) -> None:
    """As one whose elements are numbered in that order."""
    laid = LAYOUTS[layout](draw(6, 5, 8, 21, seed=0).bfloat16())
    order = sorted(range(4), key=lambda axis: -laid.stride()[axis])
    q, p = Parameter(laid.permute(order).clone(memory_format=torch.contiguous_format)), Parameter(laid)
    one, other = (class_of(form)([{"params": [x], "fused": fused}], **given(form)) for x in (p, q))
    for seed in range(3):
        grad = draw(6, 5, 8, 21, seed=seed).bfloat16()
        p.grad, q.grad = grad, grad.permute(order)
        one.step()
        other.step()
    assert torch.equal(p.permute(order), q)
    for key, value in one.state[p].items():
        assert torch.equal(value.permute(order) if value.dim() == 4 else value, other.state[q][key]), key


# --- beside parameters of other dtypes


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16], ids=str)
@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("fused", FUSED)
def test_parameters_of_other_dtypes_are_stepped_plainly(form: str, dtype: torch.dtype, fused: bool | None) -> None:
    params, alone = [*leaves((9, 7)), *leaves((9, 7), dtype=dtype)], leaves((9, 7), dtype=dtype)
    mixed, plain = class_of(form, "adamw")([{"params": params, "fused": fused}]), optim.AdamW(alone, fused=fused)
    params[0].grad = draw(9, 7, seed=9).bfloat16()
    for step in range(3):
        alone[0].grad = params[1].grad = draw(9, 7, seed=step).to(dtype)
        mixed.step()
        plain.step()
    assert torch.equal(params[1], alone[0])
    assert list(mixed.state[params[1]]) == ["step", "exp_avg", "exp_avg_sq"]
    assert [*mixed.state[params[0]]][3:] == KEYS.get(form, ["param_rest"])


# --- checkpoints


def saved_and_loaded(state: Any) -> Any:
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("fused", FUSED)
def test_copies_pickles_and_checkpoints_go_on_bit_for_bit(form: str, fused: bool | None) -> None:
    params = [*leaves((40, 30), (7,), ()), *leaves((4,), dtype=torch.float32)]
    optimizer = class_of(form, "adamw")([{"params": params, "fused": fused}], **given(form))
    train(optimizer, range(3))
    others: list[Any] = [copy.deepcopy(optimizer), pickle.loads(pickle.dumps(optimizer))]
    fresh = [Parameter(p.detach().clone()) for p in params]
    others.append(class_of(form, "adamw")(fresh))  # whose seed is another
    others[-1].load_state_dict(saved_and_loaded(optimizer.state_dict()))
    train(optimizer, range(3, 6))
    for other in others:
        train(other, range(3, 6))
        assert same(optimizer, other)
    kept = optimizer.state[params[0]]
    assert [kept[key].dtype for key in KEYS.get(form, ["param_rest"])] == ([DTYPES[form]] if form in DTYPES else [])


def test_a_checkpoint_names_its_formats_and_its_seed() -> None:
    first = class_of("bf16_sr", "adamw", "int8")(leaves((80, 80)), seed=9)
    train(first, range(1))
    (group,) = first.state_dict()["param_groups"]
    assert group["storage"] == "exp_avg=int8,exp_avg_sq=int8,max_exp_avg_sq=int8,param=bf16_sr"
    assert group["seed"] == 9
    with pytest.raises(ValueError, match=r"^Kept was built for storage='.*param=master', not '.*param=bf16_sr': load "):
        class_of("master", "adamw", "int8")(leaves((80, 80))).load_state_dict(first.state_dict())


@pytest.mark.parametrize("form", FORMATS)
def test_states_are_exchanged_with_torch(form: str) -> None:
    params, theirs = leaves((40, 30), (3,)), leaves((40, 30), (3,))
    plain = torch.optim.AdamW(theirs)
    train(plain, range(2))
    optimizer = class_of(form, "adamw")(params)
    optimizer.load_state_dict(plain.state_dict())
    assert not any(key.startswith("param") for key in optimizer.state[params[0]])
    train(optimizer, range(2, 3))
    plain.load_state_dict(optimizer.state_dict_fp32())
    assert list(plain.state[theirs[0]]) == ["step", "exp_avg", "exp_avg_sq"]
    assert torch.equal(plain.state[theirs[0]]["exp_avg"], optimizer.state[params[0]]["exp_avg"])
    assert optimizer.state_dict_bitsandbytes()["state"][0].keys() == {"step", "state1", "state2"}


def assert_same_momentum(x: Any, y: Any) -> None:
    for p, q in zip(x.param_groups[0]["params"], y.param_groups[0]["params"], strict=True):
        a, b = x.state.get(p, {}).get("momentum_buffer"), y.state.get(q, {}).get("momentum_buffer")
        assert (a is None) is (b is None) is (x.param_groups[0]["momentum"] == 0)
        assert a is None or torch.equal(a, b)


@pytest.mark.parametrize("settings", [{}, {"momentum": 0.9}], ids=str)
@pytest.mark.parametrize("form", FORMATS)
def test_a_rule_that_counts_for_chance_alone_is_exchanged_with_one_that_does_not(
    form: str, settings: dict[str, Any]
) -> None:
    """torch's SGD stores no count. What it does with its momentum, and chance with its count, goes on."""
    params, theirs = leaves((40, 30), (3,)), leaves((40, 30), (3,))
    plain, optimizer = torch.optim.SGD(theirs, **settings), class_of(form, "sgd")(params, **settings)
    train(plain, range(2))
    optimizer.load_state_dict(copy.deepcopy(plain.state_dict()))
    assert_same_momentum(optimizer, plain)
    train(optimizer, range(2, 4))
    assert all(optimizer.state[p]["step"] == 2 for p in params if form == "bf16_sr")
    exported = optimizer.state_dict_fp32()
    assert [*map(list, exported["state"].values())] == [["momentum_buffer"]] * (2 if settings else 0)
    plain.load_state_dict(exported)
    assert_same_momentum(optimizer, plain)
    again = class_of(form, "sgd")(leaves((40, 30), (3,)), **settings)
    again.load_state_dict(optimizer.state_dict())
    assert again.state_dict()["state"].keys() == optimizer.state_dict()["state"].keys()
    assert all(again.state[p]["step"] == 2 for p in again.param_groups[0]["params"] if form == "bf16_sr")


def test_what_torch_made_of_a_state_with_a_count_loads_again() -> None:
    """It keeps what it does not know."""
    params, theirs, last = leaves((40, 30)), leaves((40, 30)), leaves((40, 30))
    optimizer, plain = class_of("bf16_sr", "sgd")(params, momentum=0.9, seed=7), torch.optim.SGD(theirs, momentum=0.9)
    train(optimizer, range(3))
    plain.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    train(plain, range(3, 4))
    again = class_of("bf16_sr", "sgd")(last, momentum=0.9)
    again.load_state_dict(plain.state_dict())
    assert again.state[last[0]]["step"] == 3
    assert again.param_groups[0]["seed"] == 7
    assert_same_momentum(again, plain)


def test_a_count_that_the_equations_read_must_not_be_missing() -> None:
    optimizer = class_of("bf16_sr", "adamw")(leaves((40, 30)))
    train(optimizer, range(1))
    saved = optimizer.state_dict()
    del saved["state"][0]["step"]
    with pytest.raises(ValueError, match=r"parameter 0 of group 0: missing \['step'\], extra \[\]"):
        optimizer.load_state_dict(saved)


def test_a_step_after_a_checkpoint_of_torch_is_not_the_first() -> None:
    """torch's SGD dampens no first gradient, and stores no rest of a parameter."""
    params, theirs = leaves((40, 30)), leaves((40, 30))
    settings = {"momentum": 0.9, "dampening": 0.5}
    plain, optimizer = torch.optim.SGD(theirs, **settings), class_of("bf16_kahan", "sgd")(params, **settings)
    train(plain, range(1))
    optimizer.load_state_dict(plain.state_dict())
    train(optimizer, range(1, 2))
    assert params[0].grad is not None
    wanted = 0.9 * plain.state[theirs[0]]["momentum_buffer"].float() + 0.5 * params[0].grad.float()
    assert torch.equal(optimizer.state[params[0]]["momentum_buffer"], wanted.bfloat16())


@pytest.mark.parametrize("fused", FUSED)
def test_master_weights_that_others_have_changed_are_left(fused: bool | None) -> None:
    (p,) = params = leaves((50,))
    optimizer = class_of("master", "sgd")(params, fused=fused)
    train(optimizer, range(2))
    with torch.no_grad():
        p[7] = 42
    p.grad = torch.zeros_like(p)
    before = optimizer.state[p]["param_master"].clone()
    optimizer.step()
    before[7] = 42
    assert torch.equal(optimizer.state[p]["param_master"], before)


@pytest.mark.parametrize("form", KEPT)
def test_what_stands_beside_a_parameter_is_checked(form: str) -> None:
    (key,) = KEYS.get(form, ["param_rest"])
    (p,) = params = leaves((6, 5))
    optimizer = class_of(form, "adamw")(params)
    train(optimizer, range(1))
    broken = copy.deepcopy(optimizer.state_dict())
    broken["state"][0][key] = broken["state"][0][key][1:]
    with pytest.raises(ValueError, match=rf"'{key}' has shape \(5, 5\), but must be a tensor of shape \(6, 5\)"):
        optimizer.load_state_dict(broken)
    before, optimizer.state[p][key] = p.detach().clone(), torch.zeros(6, 5, dtype=torch.float64)
    with pytest.raises(ValueError, match=f"the state '{key}' is torch.float64 .* but must be {DTYPES[form]}"):
        train(optimizer, range(1, 2))
    assert torch.equal(p, before)


# --- options


@pytest.mark.parametrize("seed", [-1, 2**32, 1.0, True, None, "1"])
def test_what_is_no_seed_is_refused(seed: Any) -> None:
    with pytest.raises(ValueError, match=r"^Invalid seed value: .* \(a whole number from 0 to 4294967295\)"):
        class_of("bf16_sr")(leaves((3,)), seed=seed)
    optimizer = class_of("bf16_sr")(leaves((3,)))
    with pytest.raises(ValueError, match=r"^Invalid seed value"):
        optimizer.add_param_group({"params": leaves((4,)), "seed": seed})
    assert len(optimizer.param_groups) == 1


def test_the_seed_and_the_place_among_all_parameters_decide_how_chance_falls() -> None:
    def found(seed: int, place: int) -> Tensor:
        p = Parameter(torch.ones(1000, dtype=torch.bfloat16))
        groups = [{"params": [Parameter(torch.ones(2))]} for _ in range(place)]
        optimizer = class_of("bf16_sr", "sgd")([*groups, {"params": [p]}], lr=1e-3, seed=seed)
        p.grad = torch.ones_like(p)
        optimizer.step()
        return p.detach()

    assert torch.equal(found(1, 2), found(1, 2))
    assert not torch.equal(found(1, 2), found(1, 3))
    assert not torch.equal(found(1, 2), found(2, 2))


@pytest.mark.parametrize("form", FORMATS)
def test_a_parameter_in_a_format_is_not_differentiated(form: str) -> None:
    with pytest.raises(RuntimeError, match=r"^`differentiable` is not possible where parameters have a storage format"):
        class_of(form, "adamw")(leaves((3,)), differentiable=True)


@pytest.mark.parametrize("form", ["bf16_sr", "bf16_split16"])
def test_a_compiled_step_is_the_same(form: str) -> None:
    params = leaves((40,))
    twins = [Parameter(p.detach().clone()) for p in params]
    one, other = class_of(form)(params, **given(form)), class_of(form)(twins, **given(form))
    params[0].grad = twins[0].grad = draw(40, seed=1).bfloat16()
    torch.compile(one.step, backend="eager")()
    other.step()
    assert torch.equal(params[0], twins[0])
