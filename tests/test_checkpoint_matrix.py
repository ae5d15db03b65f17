"""Every class, every configuration of torch's suite, mid-training: to torch.optim and back; and what must be refused.

`python tests/test_checkpoint_matrix.py` prints the matrix.
"""

from __future__ import annotations

import copy
import io
import re
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from every_class import CLASSES, CODED, INFOS, Kwargs, equal, fuses, plain, stored_in
from torch import Tensor
from torch.optim import Optimizer
from torch.testing._internal.common_optimizers import OptimizerInfo

from optgen import optim

# Both sides compute in float64 some ten roundings a step; twelve steps amplify them by less than a thousand.
BOUND = 1e-12
# Muon's has a test of its own: torch rounds to bfloat16 inside, and takes matrices only.
MIRRORED = [info for info in INFOS if hasattr(torch.optim, info.name) and info.name != "Muon"]
CELLS = [(info, number) for info in MIRRORED for number in range(len([*plain(info)]))]
IDS = [f"{info.name}-{number}" for info, number in CELLS]
REFUSED = r"loaded state dict|Invalid|it has \d elements|was built for storage="
REFUSED_GROUP = r"^loaded state dict, group 0: missing \['|^Invalid |was built for storage="
every = pytest.mark.parametrize("cls", CLASSES, ids=[cls.__name__ for cls in CLASSES])


@pytest.fixture(autouse=True)
def _float64_by_default() -> Iterator[None]:
    """torch keeps mu_product, eta and mu in the default dtype."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def flags(info: OptimizerInfo, kwargs: Kwargs) -> list[Kwargs]:
    """The flags that a step can have in both libraries on this machine; fused once, since each variant is compiled."""
    foreach = [] if isinstance(kwargs.get("lr"), Tensor) else [{"foreach": True}]
    fused = [{"fused": True}] if not kwargs and "cpu" in info.supports_fused_on and fuses(info.optim_cls) else []
    return [{}, *foreach, *fused]


def parameters() -> list[Tensor]:
    make = torch.Generator().manual_seed(0)
    return [torch.randn(shape, generator=make).requires_grad_() for shape in ((3, 4), (5,), (), (2, 2))]


def of(optimizer: Optimizer) -> list[Tensor]:
    return [p for group in optimizer.param_groups for p in group["params"]]


def train(optimizer: Optimizer, seeds: range) -> None:
    """Steps with gradients that the seeds decide: one is missing at times, one parameter is frozen from step 4 to 7."""
    for seed in seeds:
        make = torch.Generator().manual_seed(seed)
        for position, p in enumerate(of(optimizer)):
            grad = torch.randn(p.shape, generator=make)
            away = (position == 1 and seed % 3 == 1) or (position == 3 and 4 <= seed < 7)
            p.grad = None if away else grad
        optimizer.step()


def through_disk(state: dict[str, Any]) -> dict[str, Any]:
    stream = io.BytesIO()
    torch.save(state, stream)
    stream.seek(0)
    loaded: dict[str, Any] = torch.load(stream, weights_only=True)
    return loaded


def in_two_groups(cls: type[Optimizer], params: list[Tensor], named: bool, kwargs: Kwargs) -> Optimizer:
    given = [(f"p{number}", p) for number, p in enumerate(params)] if named else params
    return cls([{"params": given[:2]}, {"params": given[2:]}], **copy.deepcopy(kwargs))


def crossed(first: type[Optimizer], second: type[Optimizer], kwargs: Kwargs, named: bool) -> float:
    """Trains in one library, goes on in both; the largest relative difference of parameters and states in the end.

    What is loaded, and saved again, is equal to the bit.
    """
    start = in_two_groups(first, parameters(), named, kwargs)
    train(start, range(6))
    other = in_two_groups(second, [p.detach().clone().requires_grad_() for p in of(start)], not named, kwargs)
    saved = through_disk(start.state_dict())
    other.load_state_dict(copy.deepcopy(saved))
    loaded = other.state_dict()
    assert equal(loaded["state"], saved["state"])
    for mine, theirs in zip(loaded["param_groups"], saved["param_groups"], strict=True):
        mine.pop("param_names"), theirs.pop("param_names", None)
        assert mine == theirs
    for one in (start, other):  # a group that comes late has its own count
        p = torch.ones(3, requires_grad=True)
        one.add_param_group({"params": [("late", p)] if "param_names" in one.param_groups[0] else [p], **kwargs})
        train(one, range(6, 12))
    ends = [[*of(one), *(x for state in one.state.values() for x in state.values())] for one in (start, other)]
    return max(((a - b).abs().max() / b.abs().max().clamp_min(1e-300)).item() for a, b in zip(*ends, strict=True))


def row(info: OptimizerInfo, number: int) -> list[tuple[Kwargs, float, float]]:
    """For each flag: (arguments, difference after going to torch, difference after coming from torch)."""
    kwargs = [*plain(info)][number]
    theirs = getattr(torch.optim, info.name)
    found = []
    for flag in flags(info, kwargs):
        given = {**kwargs, **flag}
        there = crossed(info.optim_cls, theirs, given, named=False)
        found.append((given, there, crossed(theirs, info.optim_cls, given, named=True)))
    return found


@pytest.mark.parametrize(("info", "number"), CELLS, ids=IDS)
def test_a_checkpoint_goes_to_torch_and_comes_back(info: OptimizerInfo, number: int) -> None:
    for given, there, back in row(info, number):
        assert max(there, back) <= BOUND, given


def keyed(cls: Any, kwargs: Kwargs) -> list[tuple[str, ...]]:
    """The keys of the state that the class keeps for each parameter: those of a vector may be others."""
    optimizer = cls(parameters(), **kwargs)
    train(optimizer, range(1))
    return [tuple(optimizer.state[p]) for p in of(optimizer)]


def numbers(cls: Any) -> set[str]:
    return {hyper.name for hyper in cls.rule.hypers if not hyper.flag}


def with_state(cls: Any) -> Kwargs:
    return {"momentum": 0.9} if cls is optim.SGD else {}


def may_load(cls: Any, other: Any) -> bool:
    """Whether nothing tells a checkpoint of the other class from one of this class, or it is one of plain numbers."""
    if stored_in(cls) and stored_in(other) not in ("", stored_in(cls)):
        return False
    given = with_state(other)
    shared = {name: value for name, value in given.items() if name in numbers(cls)}
    theirs = keyed(other, given)
    if theirs != [tuple(key for key in keys if key in theirs[0] or not key.endswith("_absmax"))
                  for keys in keyed(cls, shared)]:
        return False
    sizes = [{hyper.name: len(hyper.names) for hyper in one.rule.hypers} for one in (cls, other)]
    groups = [set(one(parameters()).defaults) for one in (cls, other)]
    lacks = numbers(cls) - numbers(other) and groups[1] - groups[0]
    return not lacks and all(sizes[0][name] == size for name, size in sizes[1].items() if name in sizes[0])


@every
def test_only_a_checkpoint_with_the_same_states_and_hyperparameters_loads(cls: type[Optimizer]) -> None:
    for other in CLASSES:
        start = other(parameters(), **with_state(other))
        train(start, range(2))
        fresh = cls(parameters())
        before = copy.deepcopy(fresh.state_dict())
        if may_load(cls, other):
            fresh.load_state_dict(start.state_dict())
            continue
        with pytest.raises(ValueError, match=REFUSED):
            fresh.load_state_dict(start.state_dict())
        assert equal(fresh.state_dict(), before)


@every
def test_a_checkpoint_of_another_rule_is_refused_before_it_has_any_state(cls: type[Optimizer]) -> None:
    seen = 0
    for other in CLASSES:
        saved, fresh = other(parameters()).state_dict(), cls(parameters())
        missing = numbers(cls) - numbers(other)
        extra = set(saved["param_groups"][0]) - set(fresh.param_groups[0])
        if missing and extra and not saved["state"]:
            with pytest.raises(ValueError, match=REFUSED_GROUP):
                fresh.load_state_dict(saved)
            seen += 1
    assert seen or cls in (optim.Signum, optim.Tiger)


@every
def test_every_key_of_every_state_is_checked(cls: type[Optimizer]) -> None:
    start = cls(parameters(), **with_state(cls))
    train(start, range(2))
    saved = start.state_dict()
    where = "loaded state dict, parameter 0 of group 0: "
    entry = saved["state"][0]
    for key, value in entry.items():
        number = value.ndim == 0  # of the host, or one for the whole tensor
        bad: list[tuple[Any, str]] = [
            (None, f"missing ['{key}'], extra []"),
            ("1", f"'{key}' is a str, but must be a {'' if number else f'tensor of shape {(*value.shape,)}'}"),
            (torch.ones(4, 3), f"'{key}' has shape (4, 3), but must be "),
            (torch.ones_like(value, dtype=torch.complex64), f"'{key}' "),
        ]
        but = f"must be {value.dtype}" if cls in CODED and key not in ("z", "lr_max") else "its parameter "
        whole = (torch.ones_like(value, dtype=torch.int32), f"'{key}' is torch.int32, but {but}")
        bad += [] if number else [whole]
        for wrong, message in bad:
            spoilt = copy.deepcopy(saved)
            spoilt["state"][0][key] = wrong
            with pytest.raises(ValueError, match="^" + re.escape(where + message)):
                cls(parameters()).load_state_dict(spoilt)
    entry["unknown"] = torch.ones(())
    with pytest.raises(ValueError, match="^" + re.escape(where + "missing [], extra ['unknown']")):
        cls(parameters()).load_state_dict(saved)


@every
def test_a_complex_parameter_asks_for_complex_states(cls: type[Optimizer]) -> None:
    z = torch.ones(3, dtype=torch.complex128)
    z.grad = torch.ones_like(z)
    if not cls.rule.elementwise or cls in CODED:  # type: ignore[attr-defined]  # refused, or stored as real numbers
        return
    start = cls([z], **with_state(cls))
    start.step()
    cls([z.clone()]).load_state_dict(start.state_dict())
    spoilt = copy.deepcopy(start.state_dict())
    key = next(key for key, value in spoilt["state"][0].items() if value.ndim)
    spoilt["state"][0][key] = spoilt["state"][0][key].real.clone()
    with pytest.raises(ValueError, match=f"'{key}' is torch.float64, but its parameter torch.complex128"):
        cls([z.clone()]).load_state_dict(spoilt)


@every
def test_numbers_of_the_host_load_as_tensors_whatever_they_were(cls: type[Optimizer]) -> None:
    start = cls(parameters(), **with_state(cls))
    train(start, range(2))
    old = copy.deepcopy(start.state_dict())
    for state in old["state"].values():
        for key, value in state.items():
            if key in ("step", "mu_product", "eta", "mu"):
                state[key] = value.item()
    fresh = cls([p.detach().clone().requires_grad_() for p in of(start)])
    fresh.load_state_dict(old)
    assert equal(fresh.state_dict()["state"], start.state_dict()["state"])
    for state in old["state"].values():
        if "step" in state:
            state["step"] = torch.tensor([int(state["step"])])
    fresh.load_state_dict(old)
    assert equal(fresh.state_dict()["state"], start.state_dict()["state"])


@every
@pytest.mark.parametrize("there", [True, False])
def test_names_decide_which_state_is_whose(cls: type[Optimizer], there: bool) -> None:
    """The second optimizer has its parameters in another order. Without names in one of them, the order decides."""
    params = parameters()[:3]
    start = cls([*zip("abc", params, strict=True)], **with_state(cls))
    train(start, range(3))
    order = (2, 0, 1)
    mine = [params[at].detach().clone().requires_grad_() for at in order]
    fresh = cls([("abc"[at], p) for at, p in zip(order, mine, strict=True)])
    fresh.load_state_dict(through_disk(start.state_dict()))
    for at, p in zip(order, mine, strict=True):
        assert equal(fresh.state[p], start.state[params[at]])
    renamed = cls([*zip("axc", parameters()[:3], strict=True)])
    with pytest.raises(ValueError, match=r"names of group 0: missing \['x'\], extra \['b'\]"):
        renamed.load_state_dict(start.state_dict())


def matrix() -> str:
    """The matrix as text: the largest difference of each class over its configurations, and how many there were."""
    torch.set_default_dtype(torch.float64)
    lines = [f"{'class':10} {'cells':>5} {'to torch':>9} {'from torch':>10}"]
    for info in MIRRORED:
        rows = [one for number in range(len([*plain(info)])) for one in row(info, number)]
        there, back = max(one[1] for one in rows), max(one[2] for one in rows)
        lines.append(f"{info.name:10} {2 * len(rows):5} {there:9.1e} {back:10.1e}")
    pairs = [(a, b) for a in CLASSES for b in CLASSES if a != b]
    loads = [f"{a.__name__}<-{b.__name__}" for a, b in pairs if may_load(a, b)]
    return "\n".join([*lines, f"of {len(pairs)} pairs of classes, these cannot be told apart: {' '.join(loads)}"])


if __name__ == "__main__":
    print(matrix())
