"""Muon: torch's numbers with its rounding and without, structural parameters, and AdamW for what is no matrix."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.optim import Optimizer, _muon

import optgen
from optgen import optim
from optgen.errors import OptgenError, RuleError
from optgen.testing import assert_equivalent

STEPS = 50
CLOSE = 1e-12
SHAPES = [(5, 3), (3, 5), (4, 4), (1, 6), (7, 1)]
SETTINGS: list[dict[str, Any]] = [
    {},
    {"lr": 0.02, "weight_decay": 0.3},
    {"nesterov": False, "momentum": 0.8},
    {"ns_coefficients": (2.0, -1.5, 0.5), "eps": 1e-3},
    {"weight_decay": 0.0, "momentum": 0.0},
]


PRECISE = optgen.optimizer("muon", ns_dtype=None)


def unrounded(grad: Tensor, ns_coefficients: tuple[float, float, float], ns_steps: int, eps: float) -> Tensor:
    """The iteration as torch's docstring has it, in the dtype that it is given: X <- aX + (bA + cAA)X with A = XX'."""
    a, b, c = ns_coefficients
    x = grad.mT if grad.shape[0] > grad.shape[1] else grad
    x = x / x.norm().clamp(min=eps)
    for _ in range(ns_steps):
        square = x @ x.mT
        x = a * x + (b * square + c * square @ square) @ x
    return x.mT if grad.shape[0] > grad.shape[1] else x


@pytest.fixture
def exact_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """torch.optim.Muon in float64 throughout."""
    monkeypatch.setattr(_muon, "_zeropower_via_newtonschulz", unrounded)


def params(dtype: torch.dtype = torch.float64) -> list[Tensor]:
    random = torch.Generator().manual_seed(0)
    return [torch.randn(s, generator=random, dtype=torch.float64).to(dtype).requires_grad_() for s in SHAPES]


def train(optimizer: Optimizer, mine: list[Tensor], steps: range, late: bool = False) -> list[Tensor]:
    """Steps with gradients that the numbers of the steps decide; one is missing at times, one comes late."""
    for step in steps:
        random = torch.Generator().manual_seed(step)
        if late and step == 25:
            optimizer.add_param_group({"params": mine[-1:]})
        for at, p in enumerate(mine):
            grad = torch.randn(p.shape, generator=random, dtype=torch.float64).to(p.dtype)
            p.grad = None if step % 4 == 1 and at == step % 3 else grad
        optimizer.step()
    return [p.detach() for p in mine]


def trained(make: Callable[..., Optimizer], settings: dict[str, Any]) -> list[Tensor]:
    mine = params()
    return train(make(mine[:-1], **settings), mine, range(STEPS), late=True)


def worst(mine: list[Tensor], theirs: list[Tensor]) -> float:
    return max(((a - b).abs().max() / b.abs().max()).item() for a, b in zip(mine, theirs, strict=True))


@pytest.mark.usefixtures("exact_torch")
@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_it_computes_what_torch_would_without_bfloat16(settings: dict[str, Any]) -> None:
    assert worst(trained(PRECISE, settings), trained(torch.optim.Muon, settings)) <= CLOSE


@pytest.mark.usefixtures("exact_torch")
@pytest.mark.parametrize("structure", [{"ns_steps": 7}, {"adjust_lr_fn": "match_rms_adamw"},
                                       {"ns_steps": 1, "adjust_lr_fn": "original"}], ids=str)
def test_other_structures_are_built_on_demand(structure: dict[str, Any]) -> None:
    cls = optgen.optimizer("muon", ns_dtype=None, **structure)
    assert worst(trained(cls, structure), trained(torch.optim.Muon, structure)) <= CLOSE


def off_torch(cls: Callable[..., Optimizer], shape: tuple[int, ...], seed: int, dtype: torch.dtype) -> float:
    """How far one step, from zero, is from that of torch.optim.Muon as it is, relative to this."""
    ends = []
    for make in (cls, torch.optim.Muon):
        p = torch.zeros(shape, dtype=dtype).requires_grad_()
        p.grad = torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)
        make([p], lr=1.0).step()
        ends.append(p.detach().double())
    return ((ends[0] - ends[1]).norm() / ends[1].norm()).item()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_it_computes_what_torch_computes_with_its_rounding_to_bfloat16(dtype: torch.dtype) -> None:
    """Sums are in another order, and one in some hundreds lies so near a tie that this decides it."""
    off = [off_torch(optim.Muon, shape, seed, dtype) for shape in SHAPES for seed in range(10)]
    assert sum(each <= 2e-6 for each in off) >= 0.95 * len(off), off
    assert max(off) < 0.02


def test_torchs_own_rounding_is_all_that_is_between_them() -> None:
    """One step from one state: the orthogonal matrices differ as bfloat16 makes them, 8 bits through 5 iterations."""
    for shape in SHAPES:
        off = off_torch(PRECISE, shape, 1, torch.float64)
        assert 1e-5 < off < 0.03, (shape, off)


def test_the_arguments_are_torchs_and_more_by_keyword() -> None:
    mine = [*inspect.signature(optim.Muon).parameters.values()]
    theirs = [*inspect.signature(torch.optim.Muon).parameters.values()]
    said = [(p.name, p.kind, p.default) for p in mine]
    assert said[: len(theirs)] == [(p.name, p.kind, p.default) for p in theirs]
    assert {p.kind for p in mine[len(theirs):]} == {inspect.Parameter.KEYWORD_ONLY}


@pytest.mark.parametrize("bad", [{"lr": -1.0}, {"momentum": -0.1}, {"weight_decay": -0.1}, {"adjust_lr_fn": "other"}])
def test_it_refuses_in_torchs_words(bad: dict[str, Any]) -> None:
    said = []
    for cls in (optim.Muon, torch.optim.Muon):
        with pytest.raises(ValueError, match="is") as told:
            cls(params(), **bad)
        said.append(str(told.value))
    assert said[0] == said[1]


@pytest.mark.parametrize(("value", "text"), [
    ({"ns_steps": 6}, r"Muon was built for ns_steps=5: optgen.optimizer\('muon', ns_steps=6\) builds another"),
    ({"adjust_lr_fn": "match_rms_adamw"}, "Muon was built for adjust_lr_fn=None: optgen.optimizer"),
    ({"ns_steps": 5.0}, "Invalid ns_steps value: 5.0"),
    ({"ns_steps": True}, "Invalid ns_steps value: True"),
    ({"ns_dtype": None}, r"Muon was built for ns_dtype='bfloat16': optgen.optimizer\('muon', ns_dtype=None\)"),
])
def test_the_class_says_how_to_build_another(value: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        optim.Muon(params(), **value)
    optimizer = optim.Muon(params())
    optimizer.param_groups[0].update(value)
    optimizer.param_groups[0]["params"][0].grad = torch.ones(SHAPES[0], dtype=torch.float64)
    with pytest.raises(ValueError, match=text):  # what a checkpoint or a user wrote into the group
        optimizer.step()


@pytest.mark.parametrize(("wish", "kind", "text"), [
    ({"ns_steps": 0}, RuleError, "Invalid ns_steps value: 0"),
    ({"ns_steps": 100}, RuleError, "give a whole number, at least 1 and below 100"),
    ({"adjust_lr_fn": "other"}, RuleError, "choose one of None, 'original', 'match_rms_adamw'"),
    ({"steps": 5}, OptgenError, "the rule has no structural parameter steps"),
])
def test_a_structure_that_is_none_is_refused(wish: dict[str, Any], kind: type[Exception], text: str) -> None:
    with pytest.raises(kind, match=text):
        optgen.optimizer("muon", **wish)


def test_what_is_no_matrix_follows_adamw() -> None:
    mine, theirs = ([torch.randn(s, generator=torch.Generator().manual_seed(3), dtype=torch.float64).requires_grad_()
                     for s in [(5,), (), (2, 3, 4)]] for _ in range(2))
    settings = {"lr": 0.01, "weight_decay": 0.1, "eps": 1e-7, "betas": (0.8, 0.95), "amsgrad": True}
    a = train(optim.Muon(mine, **settings), mine, range(STEPS))
    b = train(torch.optim.AdamW(theirs, **settings), theirs, range(STEPS))
    assert worst(a, b) <= CLOSE


@pytest.mark.usefixtures("exact_torch")
def test_a_checkpoint_goes_to_torch_and_comes_back() -> None:
    for first, second in ((PRECISE, torch.optim.Muon), (torch.optim.Muon, PRECISE)):
        one, other = params(), params()
        start, resumed = first(one), second(other)
        train(start, one, range(6))
        for p, q in zip(one, other, strict=True):
            q.data.copy_(p.data)
        resumed.load_state_dict(copy.deepcopy(start.state_dict()))
        assert worst(train(start, one, range(6, 12)), train(resumed, other, range(6, 12))) <= CLOSE


def test_without_rounding_nearly_every_element_is_judged() -> None:
    """Muon's own rounding leaves elements near ties open; of its iteration in full precision hardly one is."""
    assert_equivalent(optgen.load("muon", ns_dtype=None, ns_steps=2), backends=("torch",))
