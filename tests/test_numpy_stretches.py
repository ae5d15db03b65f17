"""NumPy in stretches: the same bits as in one piece, in place, whatever memory the arrays given share."""

from __future__ import annotations

import copy
import tracemalloc
from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from every_class import ELEMENTWISE, Kwargs, equal, plain, stored_in

from optgen._generated.numpy_ref import _stretches

WHOLE, SHORT = 2**60, 100
Arrays = list[np.ndarray[Any, Any]]


def module(name: str) -> ModuleType:
    return import_module(f"optgen._generated.numpy_ref.{name.lower()}")


def draw(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


LAYOUTS: dict[str, Callable[[int], Any]] = {
    "matrix": lambda seed: draw(37, 41, seed=seed),
    "column-major": lambda seed: np.asfortranarray(draw(37, 41, seed=seed)),
    "turned": lambda seed: draw(3, 37, 5, seed=seed).transpose(1, 0, 2),
    "double": lambda seed: draw(37, 41, seed=seed).astype(np.float64),
    "slice": lambda seed: draw(37, 82, seed=seed)[:, ::2],
    "reversed": lambda seed: draw(400, seed=seed)[::-1],
}


def stepped(name: str, hypers: Kwargs, make: Callable[[int], Any], out: bool, grad: Any = None) -> Any:
    """Parameters and states after three steps of a large and a small parameter."""
    params = [make(0), draw(7)]
    grads = [make(1) if grad is None else grad, draw(7, seed=2)]
    state = module(name).init(params, **hypers)
    for t in (1, 2, 3):
        params, state = module(name).step(params, grads, state, t, **hypers, out=out)
    return params, state


def numbers(module: ModuleType, kwargs: Kwargs) -> Kwargs:
    """What of torch's arguments the NumPy step takes."""
    code = module.step.__code__
    taken = code.co_varnames[4 : 4 + code.co_kwonlyargcount]
    return {key: float(x) if key == "lr" else x for key, x in kwargs.items() if key in taken}


PREBUILT = [info for info in ELEMENTWISE if not stored_in(info.optim_cls)]  # NumPy steps what is coded as a whole


@pytest.mark.parametrize("info", PREBUILT, ids=lambda info: info.optim_cls.__name__)
@pytest.mark.parametrize("out", [False, True])
def test_every_configuration_steps_to_the_same_bits(info: Any, out: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    name = info.optim_cls.__name__
    for kwargs in plain(info):
        hypers = numbers(module(name), kwargs)
        monkeypatch.setattr(_stretches, "_LENGTH", SHORT)
        cut = stepped(name, hypers, LAYOUTS["matrix"], out)
        monkeypatch.setattr(_stretches, "_LENGTH", WHOLE)
        assert equal(cut, stepped(name, hypers, LAYOUTS["matrix"], out)), hypers


@pytest.mark.parametrize("name", ["AdamW", "NAdam", "Rprop", "Adan"])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("out", [False, True])
def test_every_layout_steps_to_the_same_bits(
    name: str, layout: str, out: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_stretches, "_LENGTH", SHORT)
    cut = stepped(name, {}, LAYOUTS[layout], out)
    monkeypatch.setattr(_stretches, "_LENGTH", WHOLE)
    assert equal(cut, stepped(name, {}, LAYOUTS[layout], out))


@pytest.mark.parametrize("grad", [np.broadcast_to(draw(41), (37, 41)), draw(41, 37).T, np.ones((37, 41), np.int64)],
                         ids=["broadcast", "turned", "whole numbers"])
def test_a_gradient_may_lie_otherwise_or_have_another_type(grad: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for out in (False, True):
        monkeypatch.setattr(_stretches, "_LENGTH", SHORT)
        cut = stepped("AdamW", {}, LAYOUTS["matrix"], out, grad)
        monkeypatch.setattr(_stretches, "_LENGTH", WHOLE)
        assert equal(cut, stepped("AdamW", {}, LAYOUTS["matrix"], out, grad))


def aliased(kind: str) -> tuple[Arrays, Arrays, list[dict[str, Any]]]:
    """Parameters, gradients and states of which some share memory."""
    params, grads = [draw(500), draw(500, seed=1)], [draw(500, seed=2), draw(500, seed=3)]
    state: list[dict[str, Any]] = [{"exp_avg": draw(500, seed=k)} for k in (4, 5)]
    match kind:
        case "one parameter twice":
            params[1] = params[0]
        case "shifted parameters":
            buffer = draw(700)
            params = [buffer[:500], buffer[200:]]
        case "the gradient of the other":
            grads[1] = params[0]
        case "a shifted gradient":
            buffer = draw(501)
            params[0], grads[0] = buffer[:500], buffer[1:]
        case "a state of both":
            state[1] = state[0]
        case "a shifted state":
            buffer = draw(510)
            params[0], state[0]["exp_avg"] = buffer[10:], buffer[:500]
        case "a state that cannot be written":
            state[0]["exp_avg"].flags.writeable = False
        case "a state of another type":
            state[0]["exp_avg"] = state[0]["exp_avg"].astype(np.float64)
    return params, grads, state


@pytest.mark.parametrize("kind", [
    "nothing", "one parameter twice", "shifted parameters", "the gradient of the other", "a shifted gradient",
    "a state of both", "a shifted state", "a state that cannot be written", "a state of another type",
])
@pytest.mark.parametrize("out", [False, True])
def test_memory_that_is_shared_is_read_before_it_is_written(
    kind: str, out: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(length: int) -> Any:
        monkeypatch.setattr(_stretches, "_LENGTH", length)
        params, grads, state = aliased(kind)
        before = copy.deepcopy((params, grads, state))
        stepped = module("Lion").step(params, grads, state, 1, lr=0.5, out=out)
        assert out or equal((params, grads, state), before)
        return stepped

    assert equal(run(SHORT), run(WHOLE))


def test_a_step_in_place_writes_to_the_arrays_given() -> None:
    params, grads = [draw(200_000)], [draw(200_000, seed=1)]
    state = module("AdamW").init(params)
    given = [params[0], *state[0].values()]
    before = [x.copy() for x in given]
    new_params, (new_state,) = module("AdamW").step(params, grads, state, 1, out=True)
    assert all(x is old for x, old in zip([new_params[0], *new_state.values()], given, strict=True))
    assert not any(np.array_equal(x, old) for x, old in zip(given, before, strict=True))


@pytest.mark.parametrize("name", [info.optim_cls.__name__ for info in PREBUILT])
def test_a_step_in_place_allocates_nothing_of_a_parameters_size(name: str) -> None:
    params, grads = [draw(2000, 1000)], [draw(2000, 1000, seed=1)]
    state = module(name).init(params)
    module(name).step(params, grads, state, 1, out=True)
    tracemalloc.start()
    module(name).step(params, grads, state, 2, out=True)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert 2**18 < peak < 16 * 2**18 < params[0].nbytes


def test_what_cannot_be_stepped_is_refused_before_anything_changes() -> None:
    params, grads = [draw(200_000), draw(200_000)], [draw(200_000, seed=1), draw(200_000, seed=2)]
    state = module("AdamW").init(params)
    state[1]["exp_avg"] = state[1]["exp_avg"][1:]
    before = copy.deepcopy((params, state))
    with pytest.raises(ValueError, match="the state 'exp_avg' of parameter 1"):
        module("AdamW").step(params, grads, state, 1, out=True)
    assert equal((params, state), before)
