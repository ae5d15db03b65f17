"""Steps in C with storage formats, and their twins in NumPy: both start from the same state, and are given the same."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from optgen import Rule, load, stored
from optgen.build import compile
from optgen.dsl import literal

HYPERS = {"lr": 0.01, "beta1": 0.9, "beta2": 0.99, "eps": 1e-8, "weight_decay": 0.1}
SWITCHES = {"decoupled_weight_decay": True}
OF_NUMPY = {np.uint8: torch.uint8, np.uint16: torch.bfloat16, np.float16: torch.float16, np.float32: torch.float32,
            np.float64: torch.float64}


def _of(rule: str, *states: str, **formats: str) -> Callable[[], Rule]:
    loaded = load(rule)
    assert isinstance(loaded, Rule)
    return lambda: stored(loaded, *states, min_numel=0, name=f"Stored{loaded.name}", **formats)


RULES: Mapping[str, tuple[str, Callable[[], Rule]]] = {
    "adamw, int8": ("adamw", _of("adamw", "int8")),
    "adam, int8": ("adam", _of("adam", "int8")),
    "lion, int8": ("lion", _of("lion", "int8")),
    "adamw, int4": ("adamw", _of("adamw", "int4")),
    "adamw, fp8_e4m3": ("adamw", _of("adamw", "fp8_e4m3")),
    "adamw, root8": ("adamw", _of("adamw", "root8")),
    "adamw, m int8, v bf16": ("adamw", _of("adamw", m="int8", v="bf16", v_max="fp32")),
    "adamw, m int4, v fp8_e4m3": ("adamw", _of("adamw", m="int4", v="fp8_e4m3", v_max="int8")),
    "adamw, v int8": ("adamw", _of("adamw", v="int8")),
    "adamw, m fp16, v bf16": ("adamw", _of("adamw", m="fp16", v="bf16", v_max="fp32")),
}


@cache
def modules(name: str) -> tuple[ModuleType, ModuleType]:
    """The modules of a rule for NumPy and C."""
    with literal():
        rule = RULES[name][1]()
    return compile(rule, "numpy"), compile(rule, "c")


@dataclass
class Pair:
    """The same parameters twice: as tensors, stepped in C, and as arrays in the order of memory, stepped by NumPy.

    A state in C is a tensor that lies as its parameter, or a row.
    """

    name: str
    params: list[Tensor]
    amsgrad: bool = False
    t: int = 0

    def __post_init__(self) -> None:
        numpy, c = modules(self.name)
        self.launcher = c.launcher()
        self.flags = c.flags(**_taken(c.flags, self.known()))
        self.arrays = [in_memory(p) for p in self.params]
        self.kept = numpy.init(self.arrays, **self.hypers())
        kinds = self.launcher._form.kinds or ("element",) * len(c.STATES)
        self.states = [
            [_state(p, kept[key], "/" in kind) for p, kept in zip(self.params, self.kept, strict=True)]
            if all(key in kept for kept in self.kept)
            else None
            for key, kind in zip(c.STATES, kinds, strict=True)
        ]

    def hypers(self) -> dict[str, Any]:
        """What NumPy is given besides."""
        known = {**self.known(), "betas": (HYPERS["beta1"], HYPERS["beta2"])}
        return _taken(modules(self.name)[0].init, known)

    def known(self) -> dict[str, Any]:
        """All hyperparameters that rules here may have."""
        return {**HYPERS, **SWITCHES, "amsgrad": self.amsgrad, "t": self.t}

    def step(self, grads: Sequence[Tensor], **options: Any) -> list[int] | None:
        """One step of both. NumPy goes on from what C has made of the parameters."""
        numpy, _ = modules(self.name)
        self.t += 1
        of = [in_memory(like(p, g)) for p, g in zip(self.params, grads, strict=True)]
        self.arrays = [in_memory(p) for p in self.params]
        self.arrays, self.kept = numpy.step(self.arrays, of, self.kept, self.t, **self.hypers())
        rows = [0] * len(self.params)
        return self.launcher.step(self.params, grads, self.states, rows, [self.scalars()], self.flags, **options)

    def scalars(self) -> dict[str, float]:
        """What a step in C reads of the host."""
        plain = import_module(f"optgen._generated.pytorch.{RULES[self.name][0]}")
        return {**HYPERS, **plain.host(**_taken(plain.host, self.known()))}

    def assert_same(self, states_alone: bool = False) -> None:
        """Every bit of C is NumPy's; a parameter of less precision than NumPy's is NumPy's, rounded."""
        _, c = modules(self.name)
        for k, (param, array) in enumerate(zip(self.params, self.arrays, strict=True)):
            wanted = torch.from_numpy(array).to(param.dtype)
            found = torch.from_numpy(in_memory(param)).to(param.dtype)
            assert states_alone or torch.equal(found.nan_to_num(7), wanted.nan_to_num(7)), k
            for key, column in zip(c.STATES, self.states, strict=True):
                if column is not None:
                    assert np.array_equal(bits(column[k]), as_bits(self.kept[k][key])), (k, key)


def _taken(function: Callable[..., Any], known: Mapping[str, Any]) -> dict[str, Any]:
    """What a function takes of what is known."""
    return {key: value for key, value in known.items() if key in inspect.signature(function).parameters}


def like(param: Tensor, grad: Tensor) -> Tensor:
    """A gradient that lies as its parameter."""
    return torch.empty_like(param, dtype=grad.dtype).copy_(grad)


def in_memory(tensor: Tensor) -> Any:
    """The numbers of a dense tensor in the order of memory, in float64 or else float32."""
    flat = tensor.detach().as_strided((tensor.numel(),), (1,))
    return flat.to(torch.float64 if tensor.dtype is torch.float64 else torch.float32, copy=True).numpy()


def bits(tensor: Tensor) -> Any:
    """What is stored of a dense tensor, in the order of memory, as whole numbers."""
    flat = tensor.as_strided((tensor.numel(),), (1,))
    whole = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}[tensor.element_size()]
    return flat.view(whole).numpy()


def as_bits(array: Any) -> Any:
    """The same of an array."""
    return array.reshape(-1).view({1: np.uint8, 2: np.int16, 4: np.int32, 8: np.int64}[array.itemsize])


def _state(param: Tensor, array: Any, is_row: bool) -> Tensor:
    flat = torch.from_numpy(as_bits(array).copy()).view(OF_NUMPY[array.dtype.type])
    return flat if is_row else flat.as_strided(param.shape, param.stride())
