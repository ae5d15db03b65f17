"""Checkpoints of states in storage formats: their own, torch.optim's in float32, and bitsandbytes'."""

from __future__ import annotations

import copy
import io
import pickle
import re
from importlib import import_module
from typing import Any

import needs
import numpy as np
import pytest
import torch
from every_class import CODED, equal
from test_storage_torch import draw, leaves, train
from torch import Tensor
from torch.distributed.checkpoint.state_dict import get_optimizer_state_dict, set_optimizer_state_dict
from torch.optim import Optimizer

from optgen import optim
from optgen._generated.pytorch._exchange import to_bitsandbytes
from optgen._generated.pytorch._rule import State
from optgen._generated.pytorch._storage import Blockwise

LARGE = [optim.Adam8bit, optim.AdamW8bit, optim.AdamW4bit, optim.AdamWFp8, optim.Lion8bit]
every = pytest.mark.parametrize("cls", LARGE, ids=lambda cls: cls.__name__)
SHAPES = ((64, 65), (5000,), (7,))


def through_disk(state: dict[str, Any]) -> dict[str, Any]:
    stream = io.BytesIO()
    torch.save(state, stream)
    stream.seek(0)
    loaded: dict[str, Any] = torch.load(stream, weights_only=True)
    return loaded


def params_of(optimizer: Optimizer) -> list[Tensor]:
    return [p for group in optimizer.param_groups for p in group["params"]]


def copies(optimizer: Optimizer) -> list[Tensor]:
    """The parameters, as leaves of their own."""
    return [p.detach().clone().requires_grad_() for p in params_of(optimizer)]


def trained(cls: Any, steps: int = 3, dtype: torch.dtype = torch.float32, **kwargs: Any) -> Any:
    optimizer = cls(leaves(*SHAPES, dtype=dtype), **kwargs)
    train(optimizer, range(steps))
    return optimizer


def agree_after(one: Optimizer, other: Optimizer, steps: range) -> None:
    for optimizer in (one, other):
        train(optimizer, steps)
    assert all(map(torch.equal, params_of(one), params_of(other)))
    assert equal([*one.state.values()], [*other.state.values()])


# --- their own


@every
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64], ids=str)
def test_a_checkpoint_goes_on_to_the_bit(cls: Any, dtype: torch.dtype) -> None:
    start = trained(cls, dtype=dtype)
    others = [cls(copies(start)), copy.deepcopy(start), pickle.loads(pickle.dumps(start))]
    others[0].load_state_dict(through_disk(start.state_dict()))
    assert equal(others[0].state_dict()["state"], start.state_dict()["state"])
    for other in others:
        agree_after(copy.deepcopy(start), other, range(3, 13))


@every
def test_what_is_loaded_shares_no_memory(cls: Any) -> None:
    start = trained(cls)
    saved = start.state_dict()
    before = copy.deepcopy(saved)
    one, other = cls(copies(start)), cls(copies(start))
    one.load_state_dict(saved)
    other.load_state_dict(saved)
    train(one, range(3, 5))
    assert equal(saved, before)
    assert equal(other.state_dict()["state"], before["state"])


def test_codes_of_another_format_are_refused_with_a_way_out() -> None:
    start = trained(optim.AdamW8bit)
    fresh = optim.AdamWFp8(copies(start))
    with pytest.raises(ValueError, match=re.escape(
        "AdamWFp8 was built for storage='exp_avg=fp8_e4m3,exp_avg_sq=fp8_e4m3,max_exp_avg_sq=fp8_e4m3', not "
        "'exp_avg=int8,exp_avg_sq=int8,max_exp_avg_sq=int8': load what the state_dict_fp32() of the other"
    )):
        fresh.load_state_dict(start.state_dict())
    assert not fresh.state
    fresh.load_state_dict(start.state_dict_fp32())
    assert fresh.param_groups[0]["storage"].startswith("exp_avg=fp8_e4m3")
    train(fresh, range(3, 5))


@pytest.mark.parametrize(("key", "says"), [
    ("exp_avg_absmax", "missing ['exp_avg_absmax'], extra []"),
    ("exp_avg", "missing ['exp_avg'], extra []"),
    ("unknown", "missing [], extra ['unknown']"),
])
def test_a_part_too_few_or_too_many_is_named(key: str, says: str) -> None:
    start = trained(optim.AdamW8bit)
    saved = copy.deepcopy(start.state_dict())
    saved["state"][0].pop(key, None)
    saved["state"][0] |= {"unknown": torch.zeros(1)} if key == "unknown" else {}
    fresh = optim.AdamW8bit(copies(start))
    with pytest.raises(ValueError, match="^" + re.escape(f"loaded state dict, parameter 0 of group 0: {says}")):
        fresh.load_state_dict(saved)


@pytest.mark.parametrize(("key", "wrong", "says"), [
    ("exp_avg", torch.zeros(64, 65), "'exp_avg' is torch.float32, but must be torch.uint8"),
    ("exp_avg", torch.zeros(65, 64).byte(), "'exp_avg' has shape (65, 64), but must be a tensor of shape (64, 65)"),
    ("exp_avg_absmax", torch.zeros(18), "'exp_avg_absmax' has shape (18,), but must be a tensor of shape (17,)"),
    ("exp_avg_absmax", torch.zeros(17).half(), "'exp_avg_absmax' is torch.float16, but must be torch.float32"),
])
def test_a_part_of_another_kind_is_named(key: str, wrong: Tensor, says: str) -> None:
    start = trained(optim.AdamW8bit)
    saved = copy.deepcopy(start.state_dict())
    saved["state"][0][key] = wrong
    with pytest.raises(ValueError, match="^" + re.escape(f"loaded state dict, parameter 0 of group 0: {says}")):
        optim.AdamW8bit(copies(start)).load_state_dict(saved)


def test_parts_of_a_variant_that_is_not_in_force_stay_as_they_are() -> None:
    start = trained(optim.AdamW8bit, amsgrad=True)
    start.param_groups[0]["amsgrad"] = False
    fresh = optim.AdamW8bit(copies(start))
    fresh.load_state_dict(through_disk(start.state_dict()))
    assert equal(fresh.state_dict()["state"], start.state_dict()["state"])
    coded = next(cls for cls in CODED if cls.__name__ == "AdamWInt8")  # has an absmax of one number
    small = coded(leaves((3,)), amsgrad=True)
    train(small, range(1))
    small.param_groups[0]["amsgrad"] = False
    again = coded(copies(small))
    again.load_state_dict(small.state_dict())
    assert equal(again.state_dict()["state"], small.state_dict()["state"])


@every
def test_a_first_step_without_gradients_makes_every_key_as_distributed_checkpoints_need(cls: Any) -> None:
    model = torch.nn.Linear(64, 64)
    optimizer = cls(model.parameters())
    saved = get_optimizer_state_dict(model, optimizer)
    weight = saved["state"]["weight"]
    assert {*weight} == {key for key in cls.rule.keys if "max_exp_avg_sq" not in key}
    assert {*saved["state"]["bias"]} == {key for key in weight if not key.endswith("_absmax")}
    train(optimizer, range(2))
    saved = copy.deepcopy(get_optimizer_state_dict(model, optimizer))
    other = copy.deepcopy(model)
    fresh = cls(other.parameters())
    set_optimizer_state_dict(other, fresh, saved)
    agree_after(optimizer, fresh, range(2, 5))


# --- torch.optim's


def test_a_checkpoint_of_torch_is_stored_in_the_formats() -> None:
    for cls in (optim.AdamW8bit, optim.AdamW4bit, optim.AdamWFp8):
        theirs = trained(torch.optim.AdamW, amsgrad=True)
        mine = cls(copies(theirs))
        mine.load_state_dict(through_disk(theirs.state_dict()))
        assert mine.param_groups[0]["amsgrad"]
        for p, q in zip(params_of(mine), params_of(theirs), strict=True):
            state, wanted = mine.state[p], theirs.state[q]
            assert state["step"] == 3
            for key in ("exp_avg", "exp_avg_sq", "max_exp_avg_sq"):
                if p.numel() < 4096:
                    assert torch.equal(state[key], wanted[key])
                    continue
                format = cls.rule.states(amsgrad=True)[key].format
                parts = format.start(p.shape, p, 0.0)
                format.store(parts, wanted[key])
                assert equal(parts, [state[key], state[f"{key}_absmax"]])
        train(mine, range(3, 5))


@every
def test_states_are_exported_as_the_numbers_that_they_stand_for(cls: Any) -> None:
    mine = trained(cls)
    before = copy.deepcopy(mine.state_dict())
    saved = mine.state_dict_fp32()
    assert equal(mine.state_dict(), before)
    assert "storage" not in saved["param_groups"][0]
    for at, p in enumerate(params_of(mine)):
        state, kinds = saved["state"][at], mine.rule.states(**({"amsgrad": False} if "Adam" in cls.__name__ else {}))
        assert not [key for key in state if key.endswith("_absmax")]
        for key, kind in kinds.items():
            assert state[key].dtype == torch.float32
            assert state[key].shape == p.shape
            if p.numel() >= 4096:
                assert torch.equal(state[key], kind.format.load([mine.state[p][name] for name in kind.keys(key)], p,
                                                                torch.float32))
    if "Adam" in cls.__name__:
        theirs = (torch.optim.Adam if cls is optim.Adam8bit else torch.optim.AdamW)(copies(mine))
        theirs.load_state_dict(through_disk(saved))
        assert {*theirs.param_groups[0]} == {*type(theirs)(copies(mine)).param_groups[0]}
        train(theirs, range(3, 5))


def test_complex_states_are_exported_as_complex_numbers() -> None:
    z = torch.complex(draw(70, 70), draw(70, 70, seed=1)).requires_grad_()
    mine = optim.AdamW8bit([z])
    z.grad = torch.complex(draw(70, 70, seed=2), draw(70, 70, seed=3))
    mine.step()
    assert mine.state[z]["exp_avg"].shape == (70, 70, 2)
    theirs = torch.optim.AdamW([z.detach().clone().requires_grad_()])
    theirs.load_state_dict(mine.state_dict_fp32())
    (state,) = theirs.state.values()
    assert state["exp_avg"].dtype == torch.complex64
    largest = state["exp_avg"].abs().max().item()
    torch.testing.assert_close(state["exp_avg"], 0.1 * z.grad, rtol=0, atol=0.01 * largest)  # of steps of 0.014
    again = optim.AdamW8bit([z.detach().clone().requires_grad_()])
    again.load_state_dict(theirs.state_dict())
    assert (again.state_dict()["state"][0]["exp_avg"].int() - mine.state[z]["exp_avg"].int()).abs().max() <= 1


# --- bitsandbytes'


def dynamic_map(signed: bool) -> Tensor:
    """Dettmers' dynamic map, from its description: a sign bit if there is one, then zeros that tell the power of ten,
    a one, and a linear fraction, which halves the span from 0.1 to 1; and 0 and 1 themselves."""
    numbers, fractions = [0.0, 1.0], 7
    for zeros in range(fractions):
        parts = 2 ** (fractions - zeros - signed)  # how many numbers what is left of the bits tells apart
        edges = np.linspace(0.1, 1, int(parts) + 1)
        middles = (edges[:-1] + edges[1:]) / 2 * 10.0**-zeros
        numbers += [*middles, *(-middles if signed else [])]
    assert len(numbers) == 256
    return torch.tensor(sorted(numbers), dtype=torch.float32)


@pytest.mark.parametrize(("key", "signed"), [("exp_avg", True), ("exp_avg_sq", False)])
def test_the_codes_mean_what_those_of_bitsandbytes_mean(key: str, signed: bool) -> None:
    table = optim.AdamW8bit.rule.states(amsgrad=False)[key].format.table(torch.device("cpu"))
    torch.testing.assert_close(table, dynamic_map(signed), rtol=3e-7, atol=0)


def of_bitsandbytes(p: Tensor, states: int, step: int = 5) -> dict[str, Any]:
    """A parameter's state in its layout, with codes drawn at random."""
    made: dict[str, Any] = {"step": step}
    for number in range(1, states + 1):
        codes = torch.randint(0, 256, p.shape, generator=torch.Generator().manual_seed(number), dtype=torch.uint8)
        made |= {f"state{number}": codes, f"qmap{number}": dynamic_map(number == 1),
                 f"absmax{number}": draw(-(-p.numel() // 256), seed=number).abs()}
    return made


GROUP = {"lr": 1e-4, "betas": (0.8, 0.9), "eps": 1e-6, "weight_decay": 0.3, "alpha": 0.0, "t_alpha": None,
         "t_beta3": None, "params": [0, 1]}


@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize(("cls", "states"), [(optim.AdamW8bit, 2), (optim.Lion8bit, 1)])
def test_a_checkpoint_of_bitsandbytes_loads_to_the_bit_and_goes_back(cls: Any, states: int, wrapped: bool) -> None:
    params = leaves((64, 65), (7,))
    large, small = of_bitsandbytes(params[0], states), {"step": 5, "state1": draw(7), "state2": draw(7).abs()}
    small = {key: value for key, value in small.items() if key in ("step", "state1", f"state{states}")}
    saved: dict[str, Any] = {"state": {0: large, 1: small}, "param_groups": [GROUP]}
    if wrapped:
        hidden = {key: value for key, value in large.items() if key != "step"}
        saved["state"][0] = {"step": 5, "__bnb_optimizer_quant_state__": hidden}
    mine = cls(params)
    mine.load_state_dict(through_disk(saved))
    group = mine.param_groups[0]
    assert (group["lr"], group["betas"], group["weight_decay"]) == (1e-4, (0.8, 0.9), 0.3)
    assert {*group} == {*cls(leaves((3,))).param_groups[0]}
    state = mine.state[params[0]]
    assert state.get("step", 5) == 5
    for number, key in enumerate(("exp_avg", "exp_avg_sq")[:states], 1):
        assert torch.equal(state[key], large[f"state{number}"])
        assert torch.equal(state[f"{key}_absmax"], large[f"absmax{number}"])
        assert torch.equal(mine.state[params[1]][key], small[f"state{number}"])
    back = mine.state_dict_bitsandbytes()
    counted = {} if "step" in state else {"step": 1}  # Lion, which reads no count, stores none
    for at, given in enumerate((large, small)):
        wanted = {**given, **counted}
        assert {*back["state"][at]} == {*wanted}
        assert all(equal(back["state"][at][key], wanted[key]) for key in wanted if "qmap" not in key)
    assert {"lr", "betas", "eps", "weight_decay"} <= {*back["param_groups"][0]}
    train(mine, range(2))


def test_codes_laid_by_bitsandbytes_run_through_their_memory() -> None:
    """Its kernels know no strides: codes made like a parameter in channels_last are in the order of indices."""
    p = draw(6, 5, 8, 21).requires_grad_()
    given = of_bitsandbytes(p, 2)
    wanted = given["state1"].reshape(-1)
    given["state1"] = wanted.view(6, 8, 21, 5).permute(0, 3, 1, 2)
    mine = optim.AdamW8bit([p])
    mine.load_state_dict({"state": {0: given}, "param_groups": [{**GROUP, "params": [0]}]})
    assert torch.equal(mine.state[p]["exp_avg"].reshape(-1), wanted)


def test_codes_of_another_map_become_the_numbers_that_they_stand_for() -> None:
    (p,) = params = leaves((64, 65))
    given = of_bitsandbytes(p, 2)
    given["qmap1"] = torch.linspace(-1, 1, 256)
    numbers = (given["qmap1"][given["state1"].long()].view(-1) * given["absmax1"].repeat_interleave(256)[:4160])
    saved = {"state": {0: given}, "param_groups": [{**GROUP, "params": [0]}]}
    plain = optim.AdamW(params)
    plain.load_state_dict(copy.deepcopy(saved))
    assert torch.equal(plain.state[p]["exp_avg"], numbers.view(64, 65))
    for cls in (optim.AdamW8bit, optim.AdamW4bit, optim.AdamWFp8):
        mine = cls(leaves((64, 65)))
        mine.load_state_dict(copy.deepcopy(saved))
        kind = cls.rule.states(amsgrad=False)["exp_avg"]
        (state,) = mine.state.values()
        parts = kind.format.start(p.shape, p, 0.0)
        kind.format.store(parts, numbers.view(64, 65))
        assert equal(parts, [state["exp_avg"], state["exp_avg_absmax"]])


@pytest.mark.parametrize(("cls", "given", "says"), [
    (optim.AdamW8bit, of_bitsandbytes(torch.zeros(2, 64, 65), 2), "'exp_avg' has shape (8320,), but must be a tensor"),
    (optim.AdamW8bit, of_bitsandbytes(torch.zeros(64, 65), 1), "missing ['exp_avg_sq', 'exp_avg_sq_absmax'], extra []"),
    (optim.Lion8bit, of_bitsandbytes(torch.zeros(64, 65), 2), "missing [], extra ['state2']"),
])
def test_what_is_not_of_the_rule_is_refused_by_name(cls: Any, given: dict[str, Any], says: str) -> None:
    saved = {"state": {0: given}, "param_groups": [{**GROUP, "params": [0]}]}
    with pytest.raises(ValueError, match="^" + re.escape(f"loaded state dict, parameter 0 of group 0: {says}")):
        cls(leaves((64, 65))).load_state_dict(saved)


def test_other_formats_go_to_bitsandbytes_in_32_bits_and_other_rules_do_not() -> None:
    mine = trained(optim.AdamWFp8)
    saved = mine.state_dict_bitsandbytes()["state"][0]
    assert {*saved} == {"step", "state1", "state2"}
    assert torch.equal(saved["state2"], mine.state_dict_fp32()["state"][0]["exp_avg_sq"])
    with pytest.raises(ValueError, match="bitsandbytes has no place for the states"):
        trained(optim.AdamW8bit, amsgrad=True).state_dict_bitsandbytes()
    with pytest.raises(ValueError, match="the hyperparameters of SGD have other names in bitsandbytes"):
        trained(optim.SGD, momentum=0.9).state_dict_bitsandbytes()


def test_codes_that_bitsandbytes_cannot_search_go_there_as_numbers() -> None:
    """It looks for a number among those of a map, which go up in it."""
    made = [Blockwise(256, 256, lambda x: x, table) for table in (lambda code: code, lambda code: -code)]
    p = torch.zeros(300)
    for format, keys in zip(made, ({"step", "state1", "qmap1", "absmax1"}, {"step", "state1"}), strict=True):
        state = dict(zip(("m", "m_absmax"), format.start(p.shape, p, 0.0), strict=True))
        assert {*to_bitsandbytes({"m": State("m", format=format)}, p, state)} == keys


def test_codes_in_another_order_of_memory_are_put_in_that_of_bitsandbytes() -> None:
    laid = draw(6, 5, 8, 21).contiguous(memory_format=torch.channels_last).requires_grad_()
    mine = optim.AdamW8bit([laid])
    train(mine, range(2))
    saved = mine.state_dict_bitsandbytes()
    assert saved["state"][0]["state1"].is_contiguous()
    again = optim.AdamW8bit([laid.detach().contiguous().requires_grad_()])
    again.load_state_dict(copy.deepcopy(saved))
    (one,), (other,) = (x.state_dict_fp32()["state"].values() for x in (mine, again))
    largest = one["exp_avg"].abs().max().item()
    torch.testing.assert_close(one["exp_avg"], other["exp_avg"], rtol=0, atol=0.01 * largest)  # of steps of 0.014
    train(again, range(2, 4))


@needs.bitsandbytes
@pytest.mark.parametrize("name", ["AdamW8bit", "Lion8bit"])
def test_bitsandbytes_itself_trains_alike_and_loads_and_saves_what_is_saved_here(name: str) -> None:
    """Codes differ by one where a number lies between two; so then do, in the end, some of the parameters."""
    theirs_cls = getattr(import_module("bitsandbytes").optim, name)
    cls = getattr(optim, name)
    mine, theirs = (made([draw(64, 100).requires_grad_()], lr=1e-3, weight_decay=0.1) for made in (cls, theirs_cls))
    start = draw(64, 100)
    for step in range(50):
        train(mine, range(step, step + 1))
        train(theirs, range(step, step + 1))
        ((p,), (q,)) = params_of(mine), params_of(theirs)
        if step == 0:
            codes = (mine.state[p]["exp_avg"].int() - theirs.state[q]["state1"].int()).abs()
            assert codes.max() <= 1
            assert (codes > 0).float().mean() < 0.01
            assert torch.equal(mine.state[p]["exp_avg_absmax"], theirs.state[q]["absmax1"])
    moved = (q - start).abs().mean()
    assert (p - q).abs().mean() < 0.02 * moved
    back = cls([q.detach().clone().requires_grad_()])
    back.load_state_dict(through_disk(theirs.state_dict()))
    there = theirs_cls([q.detach().clone().requires_grad_()])
    there.load_state_dict(back.state_dict_bitsandbytes())
    for one in (theirs, there, back):
        train(one, range(50, 51))
    for one in (there, back):  # the maps are the same but for the rounding of their numbers
        torch.testing.assert_close(*params_of(one), q, rtol=2e-7, atol=1e-6)
