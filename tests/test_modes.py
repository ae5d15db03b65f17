"""Modes: train() and eval() are equation sets of a rule, in the torch class and in the module for NumPy."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import schedulefree
import torch
from torch import Tensor

import optgen
from optgen import optim, oracle
from optgen.dsl import Rule, average_weights, load

CLOSE = 1e-12
PAIRS = [(optim.ScheduleFreeAdamW, schedulefree.AdamWScheduleFree, {"weight_decay": 0.1, "warmup_steps": 3}),
         (optim.ScheduleFreeSGD, schedulefree.SGDScheduleFree, {"lr": 0.1, "weight_decay": 0.1, "momentum": 0.8})]
pairs = pytest.mark.parametrize(("cls", "theirs", "settings"), PAIRS, ids=[cls.__name__ for cls, _, _ in PAIRS])


def model(dtype: torch.dtype = torch.float64) -> list[Tensor]:
    random = torch.Generator().manual_seed(0)
    return [torch.randn(s, generator=random, dtype=torch.float64).to(dtype).requires_grad_() for s in [(5, 3), (7,)]]


def train(optimizer: Any, params: list[Tensor], steps: range) -> None:
    for step in steps:
        random = torch.Generator().manual_seed(step)
        for param in params:
            param.grad = torch.randn(param.shape, generator=random, dtype=torch.float64).to(param.dtype)
        optimizer.step()


def close(mine: list[Tensor], theirs: list[Tensor]) -> bool:
    return all((a - b).abs().max() <= CLOSE * b.abs().max() for a, b in zip(mine, theirs, strict=True))


def rule_of(name: str) -> Rule:
    rule = load(name)
    assert isinstance(rule, Rule)
    return rule


@pairs
def test_both_modes_have_the_published_parameters(cls: Any, theirs: Any, settings: dict[str, Any]) -> None:
    mine, others = model(), model()
    ours, reference = cls(mine, **settings), theirs(others, **settings, foreach=False)
    for start in range(0, 50, 10):
        ours.train(), reference.train()
        assert close(mine, others)
        train(ours, mine, range(start, start + 10))
        train(reference, others, range(start, start + 10))
        ours.eval(), reference.eval()
        assert close(mine, others)
    before = [p.detach().clone() for p in mine]
    ours.eval()  # once more changes nothing
    assert all(torch.equal(a, b) for a, b in zip(mine, before, strict=True))


@pairs
@pytest.mark.parametrize("mode", ["train", "eval"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16], ids=str)
def test_a_state_dict_saved_in_either_mode_resumes_exactly(
    cls: Any, theirs: Any, settings: dict[str, Any], mode: str, dtype: torch.dtype
) -> None:
    mine = model(dtype)
    optimizer = cls(mine, **settings)
    train(optimizer, mine, range(5))
    getattr(optimizer, mode)()
    others = [p.detach().clone().requires_grad_() for p in mine]
    resumed = cls(others, **settings)
    resumed.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    assert [group["train_mode"] for group in resumed.param_groups] == [mode == "train"]
    for one, params in ((optimizer, mine), (resumed, others)):
        one.train()
        train(one, params, range(5, 10))
        one.eval()
    assert all(torch.equal(a, b) for a, b in zip(mine, others, strict=True))


@pairs
def test_a_step_in_evaluation_is_refused(cls: Any, theirs: Any, settings: dict[str, Any]) -> None:
    params = model()
    optimizer = cls(params, **settings)
    train(optimizer, params, range(1))
    optimizer.eval()
    before = [p.detach().clone() for p in params]
    with pytest.raises(RuntimeError, match=f"{cls.__name__} cannot step in evaluation: call its train"):
        optimizer.step()
    assert all(torch.equal(a, b) for a, b in zip(params, before, strict=True))
    optimizer.add_param_group({"params": [torch.ones(2)]})
    assert optimizer.param_groups[1]["train_mode"] is False


@pytest.mark.parametrize("name", ["schedulefreeadamw", "schedulefreesgd"])
def test_every_backend_has_the_modes_of_the_equations(name: str) -> None:
    rule, module = rule_of(name), optgen.compile(name, "numpy")
    random = np.random.default_rng(0)
    params = [random.normal(size=(4, 3)), random.normal(size=5)]
    state = module.init(params)
    for step in range(1, 4):
        params, state = module.step(params, [random.normal(size=p.shape) for p in params], state, step)
    for mode, equations in rule.modes.items():
        made, kept = getattr(module, f"to_{mode}")(params, state)
        told = {h.name for e in equations.expressions() for h in e.atoms() if hasattr(h, "declaration")}
        assert told  # the momentum decides
        wanted, _ = oracle.step(equations, params, [np.zeros_like(p) for p in params], state, 3)
        assert all(np.allclose(a, b, rtol=1e-13, atol=0) for a, b in zip(made, wanted, strict=True))
        assert all(not np.array_equal(a, b) for a, b in zip(made, params, strict=True))
        assert str(kept) == str(state)


def test_averaged_weights_change_places_with_the_parameters() -> None:
    params = model()
    optimizer = optgen.optimizer(average_weights(rule_of("adamw"), 0.5))(params)
    train(optimizer, params, range(5))
    trained = [p.detach().clone() for p in params]
    averages = [optimizer.state[p]["ema"].clone() for p in params]
    optimizer.eval()
    assert all(torch.equal(a, b) for a, b in zip(params, averages, strict=True))
    optimizer.train()
    assert all(torch.equal(a, b) for a, b in zip(params, trained, strict=True))
    assert all(torch.equal(optimizer.state[p]["ema"], b) for p, b in zip(params, averages, strict=True))
