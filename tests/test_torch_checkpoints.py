"""Checkpoints of the generated classes: to and from torch.optim, bit for bit, and refused where they do not fit."""

from __future__ import annotations

import copy
import io
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.optim import Optimizer

from optgen import optim

VARIANTS: dict[str, list[dict[str, Any]]] = {
    "Adam": [{}, {"amsgrad": True}, {"maximize": True}, {"weight_decay": 0.1, "decoupled_weight_decay": True}],
    "AdamW": [{}, {"amsgrad": True}, {"betas": (0.5, 0.6)}],
    "SGD": [{}, {"momentum": 0.9}, {"momentum": 0.9, "nesterov": True}, {"momentum": 0.9, "dampening": 0.5}],
    "RMSprop": [{}, {"momentum": 0.9}, {"centered": True}, {"momentum": 0.9, "centered": True}],
    "Adagrad": [{}, {"lr_decay": 0.1}, {"initial_accumulator_value": 0.5}],
    "Lion": [{}, {"weight_decay": 0.1}],
    "NAdam": [{}, {"weight_decay": 0.1, "decoupled_weight_decay": True}],
    "RAdam": [{}, {"weight_decay": 0.1}],
    "Adamax": [{}],
    "Adadelta": [{}],
    "ASGD": [{}, {"t0": 3.0}],
    "Rprop": [{}],
    "Adan": [{}, {"weight_decay": 0.1, "no_prox": True}],
    "ADOPT": [{}, {"weight_decay": 0.1, "decoupled": True}],
    "AdEMAMix": [{}, {"t_alpha_beta3": 5.0}],
    "Signum": [{}, {"momentum": 0.0}],
    "Tiger": [{}],
    "AdaBound": [{}],
    "LAMB": [{}],
    "LARS": [{"momentum": 0.9, "weight_decay": 0.1}],
    "LaProp": [{}],
}
OURS = [(getattr(optim, name), kwargs) for name, all_kwargs in VARIANTS.items() for kwargs in all_kwargs]
PAIRS = [
    (cls, getattr(torch.optim, cls.__name__), kwargs) for cls, kwargs in OURS if hasattr(torch.optim, cls.__name__)
]


def told(cls: type, kwargs: dict[str, Any]) -> str:
    return "-".join([cls.__name__, *(f"{key}={value}" for key, value in kwargs.items())])


every = pytest.mark.parametrize(("cls", "kwargs"), OURS, ids=[told(*one) for one in OURS])
mirrored = pytest.mark.parametrize(("mine", "theirs", "kwargs"), PAIRS, ids=[told(one[0], one[2]) for one in PAIRS])


def parameters(dtype: torch.dtype = torch.float64) -> list[Tensor]:
    make = torch.Generator().manual_seed(0)
    return [
        torch.randn(shape, generator=make, dtype=torch.float64).to(dtype).requires_grad_()
        for shape in ((3, 4), (5,), ())
    ]


def train(optimizer: Optimizer, seeds: range) -> list[Tensor]:
    """Steps with gradients that depend on the seeds only; one parameter has none at every third step."""
    params = [p for group in optimizer.param_groups for p in group["params"]]
    for seed in seeds:
        make = torch.Generator().manual_seed(seed)
        for position, p in enumerate(params):
            grad = torch.randn(p.shape, generator=make, dtype=torch.float64).to(p.dtype)
            p.grad = None if seed % 3 == 1 and position == 1 else grad
        optimizer.step()
    return params


def through_disk(state: dict[str, Any]) -> dict[str, Any]:
    stream = io.BytesIO()
    torch.save(state, stream)
    stream.seek(0)
    loaded: dict[str, Any] = torch.load(stream, weights_only=True)
    return loaded


@pytest.fixture
def float64_by_default() -> Iterator[None]:
    """torch keeps mu_product, eta and mu in the default dtype."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@mirrored
@pytest.mark.usefixtures("float64_by_default")
@pytest.mark.parametrize("to_torch", [True, False])
def test_training_goes_on_in_the_other_library(
    mine: type[Optimizer], theirs: type[Optimizer], kwargs: dict[str, Any], to_torch: bool
) -> None:
    first, second = (mine, theirs) if to_torch else (theirs, mine)
    start = first(parameters(), **kwargs)
    params = train(start, range(5))
    other = second([p.detach().clone().requires_grad_() for p in params])  # the checkpoint brings the hyperparameters
    other.load_state_dict(through_disk(start.state_dict()))
    assert {k: v for k, v in other.param_groups[0].items() if k != "params"} == {
        k: v for k, v in start.param_groups[0].items() if k != "params"
    }
    for a, b in zip(train(other, range(5, 12)), train(start, range(5, 12)), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-14)


WAYS: dict[str, Callable[[Optimizer], Optimizer]] = {
    "deepcopy": copy.deepcopy,
    "pickle": lambda optimizer: pickle.loads(pickle.dumps(optimizer)),
    "torch.save": lambda optimizer: _saved_whole(optimizer),
    "state_dict": lambda optimizer: _reloaded(optimizer),
}


def _saved_whole(optimizer: Optimizer) -> Optimizer:
    stream = io.BytesIO()
    torch.save(optimizer, stream)
    stream.seek(0)
    loaded: Optimizer = torch.load(stream, weights_only=False)
    return loaded


def _reloaded(optimizer: Optimizer) -> Optimizer:
    params = [p.detach().clone().requires_grad_() for group in optimizer.param_groups for p in group["params"]]
    fresh = type(optimizer)(params)
    fresh.load_state_dict(through_disk(optimizer.state_dict()))
    return fresh


@every
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_copy_continues_bit_for_bit(
    cls: type[Optimizer], kwargs: dict[str, Any], way: str, dtype: torch.dtype
) -> None:
    optimizer = cls([{"params": parameters(dtype), "state_dtype": torch.float32}], **kwargs)
    train(optimizer, range(4))
    other = WAYS[way](optimizer)
    for a, b in zip(train(other, range(4, 14)), train(optimizer, range(4, 14)), strict=True):
        assert torch.equal(a, b)
        assert a is not b
    for a, b in zip(other.state.values(), optimizer.state.values(), strict=True):
        assert list(a) == list(b)
        assert all(torch.equal(a[key], b[key]) and a[key].dtype == b[key].dtype for key in a)


@every
def test_loaded_state_keeps_its_dtype_and_shares_no_storage(cls: type[Optimizer], kwargs: dict[str, Any]) -> None:
    optimizer = cls([{"params": parameters(torch.bfloat16), "state_dtype": torch.float32}], **kwargs)
    train(optimizer, range(3))
    saved = optimizer.state_dict()
    before = copy.deepcopy(saved)
    copies = [cls(parameters(torch.bfloat16)) for _ in range(2)]
    for one in copies:
        one.load_state_dict(saved)
        for state in one.state.values():
            assert {value.dtype for value in state.values() if value.ndim} <= {torch.float32}
    train(copies[0], range(3, 5))
    for at, state in before["state"].items():
        assert all(torch.equal(saved["state"][at][key], value) for key, value in state.items())
    for a, b in zip(copies[1].state.values(), before["state"].values(), strict=True):
        assert all(torch.equal(a[key], b[key]) for key in b)


@mirrored
def test_an_older_checkpoint_without_new_keys_loads(
    mine: type[Optimizer], theirs: type[Optimizer], kwargs: dict[str, Any]
) -> None:
    start = mine(parameters(), **kwargs)
    train(start, range(3))
    for cls in (mine, theirs):
        saved = copy.deepcopy(start.state_dict())
        for key in ("foreach", "maximize", "capturable", "differentiable", "fused", "decoupled_weight_decay"):
            if key not in kwargs:
                saved["param_groups"][0].pop(key, None)
        for state in saved["state"].values():
            if "step" in state:
                state["step"] = state["step"].item()
        fresh = cls(parameters())
        fresh.load_state_dict(saved)
        assert set(fresh.param_groups[0]) >= set(start.param_groups[0]) - {"decoupled_weight_decay"}
        assert all(isinstance(s["step"], Tensor) for s in fresh.state.values() if "step" in s)
        train(fresh, range(3, 4))


def adam_checkpoint() -> dict[str, Any]:
    optimizer = optim.Adam(parameters())
    train(optimizer, range(2))
    return copy.deepcopy(optimizer.state_dict())


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda s: s["state"][1].pop("exp_avg_sq"), r"parameter 1 of group 0: missing \['exp_avg_sq'\], extra \[\]"),
        (lambda s: s["state"][0].pop("step"), r"parameter 0 of group 0: missing \['step'\], extra \[\]"),
        (
            lambda s: s["state"][2].update(momentum_buffer=torch.ones(())),
            r"parameter 2 of group 0: missing \[\], extra \['momentum_buffer'\]",
        ),
        (
            lambda s: s["state"][0].update(exp_avg=torch.ones(4, 3)),
            r"parameter 0 of group 0: 'exp_avg' has shape \(4, 3\), but must be .* \(3, 4\)",
        ),
        (
            lambda s: s["state"][0].update(exp_avg=1.0),
            r"parameter 0 of group 0: 'exp_avg' is a float, but must be a tensor",
        ),
        (
            lambda s: s["param_groups"][0].update(amsgrad=True),
            r"parameter 0 of group 0: missing \['max_exp_avg_sq'\], extra \[\]",
        ),
        (lambda s: s["param_groups"][0].update(lr="1"), r"Invalid learning rate: 1"),
        (lambda s: s["param_groups"][0].update(params=[0]), r"doesn't match the size of optimizer's group"),
        (lambda s: s["param_groups"].append(s["param_groups"][0]), r"different number of parameter groups"),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_refused_and_changes_nothing(
    spoil: Callable[[Any], Any], message: str
) -> None:
    saved = adam_checkpoint()
    spoil(saved)
    optimizer = optim.Adam(parameters())
    train(optimizer, range(1))
    before = copy.deepcopy(optimizer.state_dict())
    with pytest.raises(ValueError, match=message):
        optimizer.load_state_dict(saved)
    assert str(optimizer.state_dict()) == str(before)
    assert not optimizer._optimizer_load_state_dict_pre_hooks


@pytest.mark.parametrize("other", [optim.SGD, optim.RMSprop, optim.Adagrad, optim.Lion])
def test_a_checkpoint_of_another_rule_is_refused(other: type[Optimizer]) -> None:
    with pytest.raises(ValueError, match=r"extra .*'exp_avg_sq'"):
        other(parameters()).load_state_dict(adam_checkpoint())


def named(order: tuple[int, ...] = (0, 1, 2), names: str = "abc") -> list[tuple[str, Tensor]]:
    params = parameters()
    return [(names[at], params[at]) for at in order]


def test_a_state_that_is_not_in_force_any_more_is_kept() -> None:
    optimizer = optim.RMSprop([torch.ones(2, 3).requires_grad_()], momentum=0.9)
    train(optimizer, range(1))
    optimizer.param_groups[0]["momentum"] = 0
    saved = copy.deepcopy(optimizer.state_dict())
    optimizer.load_state_dict(saved)
    assert torch.equal(optimizer.state_dict()["state"][0]["momentum_buffer"], saved["state"][0]["momentum_buffer"])


def test_named_parameters_are_matched_by_name() -> None:
    start = optim.Adam(named())
    train(start, range(3))
    other = optim.Adam(named((2, 0, 1)))
    other.load_state_dict(through_disk(start.state_dict()))
    assert other.param_groups[0]["param_names"] == ["c", "a", "b"]
    by_name = dict(zip("abc", start.state.values(), strict=True))
    for name, state in zip("cab", (other.state[p] for p in other.param_groups[0]["params"]), strict=True):
        assert all(torch.equal(state[key], by_name[name][key]) for key in state)


def test_names_that_differ_are_refused() -> None:
    start = optim.Adam(named())
    train(start, range(1))
    with pytest.raises(ValueError, match=r"names of group 0: missing \['x'\], extra \['b'\]"):
        optim.Adam(named(names="axc")).load_state_dict(start.state_dict())


@pytest.mark.parametrize("saved_named", [True, False])
@pytest.mark.parametrize("loads_named", [True, False])
def test_named_and_unnamed_load_into_each_other(saved_named: bool, loads_named: bool) -> None:
    start = optim.AdamW(named() if saved_named else parameters())
    train(start, range(3))
    other = optim.AdamW(named() if loads_named else parameters())
    other.load_state_dict(through_disk(start.state_dict()))
    assert other.param_groups[0].get("param_names") == (list("abc") if saved_named or loads_named else None)
    for a, b in zip(other.state.values(), start.state.values(), strict=True):
        assert all(torch.equal(a[key], b[key]) for key in b)


@every
def test_hooks_run_in_torchs_order_and_see_what_torchs_see(cls: type[Optimizer], kwargs: dict[str, Any]) -> None:
    start = cls(parameters(), **kwargs)
    train(start, range(2))
    seen: list[str] = []
    start.register_state_dict_pre_hook(lambda _: seen.append("save pre"))
    start.register_state_dict_post_hook(lambda _, state: seen.append("save post"))
    other = cls(parameters())

    def rename(_: Optimizer, state: dict[str, Any]) -> dict[str, Any]:
        seen.append("load pre")
        state["param_groups"] = [{**group, "lr": 0.5} for group in state["param_groups"]]
        return state

    def loaded(optimizer: Optimizer) -> None:
        seen.append("load post")
        assert all(isinstance(value, Tensor) for state in optimizer.state.values() for value in state.values())

    other.register_load_state_dict_pre_hook(rename)
    other.register_load_state_dict_pre_hook(lambda *_: seen.append("load pre 2"))
    other.register_load_state_dict_post_hook(loaded)
    other.register_load_state_dict_post_hook(lambda _: seen.append("load post 0"), prepend=True)
    other.load_state_dict(start.state_dict())
    assert seen == ["save pre", "save post", "load pre", "load pre 2", "load post 0", "load post"]
    assert other.param_groups[0]["lr"] == 0.5


def test_a_group_added_late_and_a_layer_frozen_midway_keep_their_own_counts() -> None:
    optimizers = [cls(parameters(), lr=0.1) for cls in (optim.AdamW, torch.optim.AdamW)]
    for one in optimizers:
        train(one, range(3))
        one.add_param_group({"params": [torch.ones(2, dtype=torch.float64, requires_grad=True)], "lr": 0.2})
        train(one, range(3, 6))
        one.param_groups[0]["params"][0].requires_grad_(False)
        for seed in range(6, 9):
            make = torch.Generator().manual_seed(seed)
            for p in [p for group in one.param_groups for p in group["params"]]:
                p.grad = torch.randn(p.shape, generator=make, dtype=p.dtype) if p.requires_grad else None
            one.step()
    counts = [[state["step"].item() for state in one.state.values()] for one in optimizers]
    assert counts[0] == counts[1] == [6, 7, 9, 6]
    fresh = optim.AdamW(
        [{"params": parameters()}, {"params": [torch.ones(2, dtype=torch.float64, requires_grad=True)]}]
    )
    fresh.load_state_dict(through_disk(optimizers[1].state_dict()))
    assert [state["step"].item() for state in fresh.state.values()] == counts[0]
