"""Updates in place: the bits of the pure function, in few buffers, where the function lets itself be traced."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from optgen.runtime.pytorch import _in_place
from optgen.runtime.pytorch._in_place import InPlace

Update = Callable[..., dict[str, Tensor]]
LENGTH = 999


def adam(p: Tensor, g: Tensor, *, m: Tensor, v: Tensor, beta: float, eps: float) -> dict[str, Tensor]:
    m_new = beta * m + (1 - beta) * g
    v_new = beta * v + (1 - beta) * (g * g)
    return {"param": p - 0.1 * (m_new / (torch.sqrt(v_new) + eps) + 0.01 * p), "m": m_new, "v": v_new}


def keeps_the_past(p: Tensor, g: Tensor, *, m: Tensor, v: Tensor) -> dict[str, Tensor]:
    return {"param": p - (g - m), "m": g, "v": p}


def exchanges(p: Tensor, g: Tensor, *, m: Tensor, v: Tensor) -> dict[str, Tensor]:
    return {"param": v, "m": p + g, "v": p}


def reads_the_old_later(p: Tensor, g: Tensor, *, m: Tensor, v: Tensor) -> dict[str, Tensor]:
    made = m + g
    return {"param": p * made, "m": made, "v": v * (m - made)}


def one_for_two(p: Tensor, g: Tensor, *, m: Tensor, v: Tensor) -> dict[str, Tensor]:
    made = torch.where(g > 0, m, v)
    return {"param": made, "m": made, "v": torch.clamp(0.3 / v, max=2.0) + 0.7 / p}


def by_a_flag(p: Tensor, g: Tensor, *, m: Tensor, v: Tensor, flag: bool) -> dict[str, Tensor]:
    return {"param": p - g * 2 if flag else p + g, "m": m, "v": -v}


def by_half_a_condition(p: Tensor, g: Tensor, *, m: Tensor, v: Tensor, flag: bool) -> dict[str, Tensor]:
    return {"param": torch.where(flag & (g > 0), p * 1, p + 1.0), "m": m * True, "v": v}


def by_a_value(p: Tensor, g: Tensor, *, m: Tensor, v: Tensor, beta: float) -> dict[str, Tensor]:
    return {"param": p - g if beta > 0.5 else p, "m": m * beta, "v": v}


CASES: dict[str, tuple[Update, dict[str, Any]]] = {
    "adam": (adam, {"beta": 0.9, "eps": 1e-8}),
    "adam with a tensor": (adam, {"beta": torch.tensor(0.9), "eps": 1e-8}),
    "keeps the past": (keeps_the_past, {}),
    "exchanges": (exchanges, {}),
    "reads the old later": (reads_the_old_later, {}),
    "one for two": (one_for_two, {}),
    "by a flag": (by_a_flag, {"flag": True}),
    "by the other flag": (by_a_flag, {"flag": False}),
    "by half a condition": (by_half_a_condition, {"flag": False}),
    "by a value": (by_a_value, {"beta": 0.9}),
}


def drawn(length: int = LENGTH, dtype: torch.dtype = torch.float32) -> dict[str, Tensor]:
    made = torch.randn((4, length), generator=torch.Generator().manual_seed(length)).to(dtype)
    return dict(zip(("p", "g", "m", "v"), [*made[:3].clone(), made[3].abs()], strict=True))


def stepped(update: Update, given: dict[str, Any], kept: dict[str, Tensor], in_place: InPlace | None) -> list[str]:
    """Makes a step; returns the keys of what was still to be copied."""
    states = {"m": kept["m"], "v": kept["v"]}
    if in_place:
        new = in_place(kept["p"], kept["g"], {**states, **given}, {"param": kept["p"], **states})
    else:
        new = update(kept["p"], kept["g"], **states, **given)
    for key, value in {key: value.clone() for key, value in new.items()}.items():
        kept["p" if key == "param" else key].copy_(value)
    return sorted(new)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", CASES)
def test_the_bits_are_those_of_the_function(name: str, dtype: torch.dtype) -> None:
    update, given = CASES[name]
    in_place = InPlace(update)
    for length in (LENGTH, LENGTH, 7, 2 * LENGTH):
        one, other = drawn(length, dtype), drawn(length, dtype)
        for _ in range(2):
            stepped(update, given, one, in_place)
            stepped(update, given, other, None)
        assert all(torch.equal(one[key], other[key]) for key in one)


@pytest.mark.parametrize(("name", "copied", "buffers"), [
    ("adam", [], 2), ("keeps the past", ["m", "param", "v"], 1), ("exchanges", ["param", "v"], 0),
    ("reads the old later", ["m"], 2), ("one for two", ["param"], 1), ("by a flag", ["m"], 1),
    ("by the other flag", ["m"], 0),
])
def test_few_buffers_are_needed(name: str, copied: list[str], buffers: int) -> None:
    update, given = CASES[name]
    in_place = InPlace(update)
    assert stepped(update, given, drawn(), in_place) == copied
    assert len(in_place.buffers) == buffers


def test_a_function_that_looks_at_a_value_is_called_itself() -> None:
    in_place = InPlace(by_a_value)
    assert stepped(by_a_value, {"beta": 0.9}, drawn(), in_place) == ["m", "param", "v"]
    assert not in_place.buffers


def test_plans_are_kept_between_steps_but_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_in_place, "_plans", {})
    monkeypatch.setattr(_in_place, "_MOST", 2)
    for flag in (True, False, True, None):
        stepped(by_a_flag, {"flag": flag}, drawn(), InPlace(by_a_flag))
        assert len(_in_place._plans) <= 2
    made = [*_in_place._plans.values()]
    stepped(by_a_flag, {"flag": None}, drawn(), InPlace(by_a_flag))
    assert all(a is b for a, b in zip(made, _in_place._plans.values(), strict=True))
