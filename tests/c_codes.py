"""Steps in C with storage formats, and their twins in NumPy: both start from the same state, and are given the same."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from optgen import Eq, Rule, amax, cols, elems, hyper, load, model, rows, sqrt, stored, t, tensors
from optgen.build import compile
from optgen.dsl import literal
from optgen.dsl.functions import Abs, Ne, Piecewise

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


theta, g, m, v, r, c, n = tensors("theta g m v r c n")
lr, beta1 = hyper("lr", 0.01, at_least=0), hyper("beta1", 0.9, at_least=0)
weight_decay = hyper("weight_decay", 0.1, at_least=0)


def _phased(name: str, *equations: Eq, **more: Any) -> Rule:
    return Rule(param=theta, grad=g, name=name, equations=equations, **more)


def of_tensor() -> Rule:
    """Largest values, which no order of comparing changes: of a gradient, and of what two states become."""
    return _phased("OfTensor", Eq(m[t], beta1 * m[t - 1] + g[t] / (amax(Abs(g[t]), elems) + 1e-8)),
                   Eq(v[t], beta1 * v[t - 1] + g[t] ** 2),
                   Eq(theta[t], theta[t - 1] - lr * m[t] / (sqrt(v[t]) + amax(Abs(m[t]), elems))))


def of_model() -> Rule:
    """The same over all tensors, of codes that are stored where they are compared."""
    return _phased("OfModel", Eq(m[t], beta1 * m[t - 1] + g[t]), Eq(n[t], amax(Abs(m[t]), model)),
                   Eq(theta[t], theta[t - 1] - lr * g[t] / (n[t] + 1e-8)))


def by_rows() -> Rule:
    """Of rows and columns, which are states, and of a matrix, for a state of which the last pass reads all of these."""
    return _phased("ByRows", Eq(r[t], beta1 * r[t - 1] + amax(Abs(g[t]), cols)),
                   Eq(c[t], beta1 * c[t - 1] + amax(Abs(g[t]), rows)),
                   Eq(m[t], beta1 * m[t - 1] + g[t] / (r[t] + c[t - 1] + amax(r[t], rows) + 1e-8)),
                   Eq(theta[t], theta[t - 1] - lr * m[t] / (c[t] + amax(Abs(m[t]), elems) + 1e-8)), min_ndim=2)


def summed_last() -> Rule:
    """States that no pass needs after that which compares what they become, by rows and by columns; the last looks at
    neither."""
    return _phased("SummedLast", Eq(m[t], beta1 * m[t - 1] + g[t]), Eq(v[t], beta1 * v[t - 1] + m[t] ** 2),
                   Eq(r[t], 0.5 * r[t - 1] + amax(Abs(m[t]), cols)), Eq(c[t], amax(v[t], rows)),
                   Eq(theta[t], theta[t - 1] - lr * g[t] / (amax(r[t], elems) + amax(c[t], elems) + 1e-8)), min_ndim=2)


def at_times(over: Any, is_wide: bool) -> Rule:
    """A state of each element in one variant, in the other of each tensor or row; is_wide: which with decay. Beside it
    one of each element in both."""
    both = g[t], amax(Abs(g[t]), over)
    some, others = both if is_wide else reversed(both)
    return _phased("AtTimes", Eq(m[t], beta1 * m[t - 1] + Piecewise((some, Ne(weight_decay, 0)), (others, True))),
                   Eq(v[t], beta1 * v[t - 1] + g[t] ** 2), Eq(n[t], amax(Abs(g[t] + m[t]), elems)),
                   Eq(theta[t], theta[t - 1] - lr * g[t] / (sqrt(v[t]) + Abs(m[t]) + n[t] + 1e-8)))


def _coded(make: Callable[[], Rule], states: str = "", **formats: str) -> tuple[str, Callable[[], Rule]]:
    return "", lambda: stored(make(), states, min_numel=0, name="Phased", **formats)


FLAT: Mapping[str, tuple[str, Callable[[], Rule]]] = {
    "of a tensor, int8": _coded(of_tensor, "int8"),
    "of a tensor, m int4, v fp8_e4m3": _coded(of_tensor, m="int4", v="fp8_e4m3"),
    "of a model, int4": _coded(of_model, "int4"),
    "of elements at times, int8": _coded(partial(at_times, elems, True), "int8"),
    "of a tensor at times, int4": _coded(partial(at_times, elems, False), "int4"),
}
BY_ROWS: Mapping[str, tuple[str, Callable[[], Rule]]] = {
    "by rows, int8": _coded(by_rows, "int8"),
    "by rows, int4": _coded(by_rows, "int4"),
    "by rows, root8": _coded(by_rows, "root8"),
    "summed last, m int4, v fp8_e4m3": _coded(summed_last, m="int4", v="fp8_e4m3"),
    "summed last, v int8": _coded(summed_last, v="int8"),
    "of elements at times, root8": _coded(partial(at_times, cols, True), "root8"),
    "of rows at times, int4": _coded(partial(at_times, cols, False), "int4"),
}
EVERY = {**RULES, **FLAT, **BY_ROWS}


@cache
def modules(name: str) -> tuple[ModuleType, ModuleType]:
    """The modules of a rule for NumPy and C."""
    with literal():
        rule = EVERY[name][1]()
    return compile(rule, "numpy"), compile(rule, "c")


@cache
def host(name: str) -> Callable[..., dict[str, float]]:
    """The function that computes the scalars of a step."""
    plain, make = EVERY[name]
    with literal():
        module: Any = import_module(f"optgen._generated.pytorch.{plain}") if plain else compile(make(), "torch")
    return getattr(module, "host", dict)


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
        self.arrays = [self.array(p) for p in self.params]
        self.kept = numpy.init(self.arrays, **self.hypers())
        kinds = self.launcher._form.of(self.flags).kinds or ("element",) * len(c.STATES)
        self.states = [
            [_state(p, kept[key], kind) for p, kept in zip(self.params, self.kept, strict=True)]
            if all(key in kept for kept in self.kept)
            else None
            for key, kind in zip(c.STATES, kinds, strict=True)
        ]

    def array(self, tensor: Tensor) -> Any:
        """What NumPy takes of a tensor: in its shape if the rule looks at rows, which then follow one another."""
        return in_memory(tensor).reshape(tensor.shape if self.name in BY_ROWS else -1)

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
        of = [self.array(like(p, g)) for p, g in zip(self.params, grads, strict=True)]
        self.arrays = [self.array(p) for p in self.params]
        self.arrays, self.kept = numpy.step(self.arrays, of, self.kept, self.t, **self.hypers())
        rows = [0] * len(self.params)
        return self.launcher.step(self.params, grads, self.states, rows, [self.scalars()], self.flags, **options)

    def scalars(self) -> dict[str, float]:
        """What a step in C reads of the host."""
        found = host(self.name)
        return {**HYPERS, **found(**_taken(found, self.known()))}

    def assert_same(self, states_alone: bool = False) -> None:
        """Every bit of C is NumPy's; a parameter of less precision than NumPy's is NumPy's, rounded."""
        _, c = modules(self.name)
        for k, (param, array) in enumerate(zip(self.params, self.arrays, strict=True)):
            wanted = torch.from_numpy(array.reshape(-1)).to(param.dtype)
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


def _state(param: Tensor, array: Any, kind: str) -> Tensor:
    array = np.asarray(array)
    flat = torch.from_numpy(as_bits(array).copy()).view(OF_NUMPY[array.dtype.type])
    if "/" in kind or kind in ("row", "col", "matrix", "tensor"):
        return flat.reshape(array.shape)
    return flat.as_strided(param.shape, param.stride())
