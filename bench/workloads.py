"""Workloads: the sets of parameters that optimizers are measured on, and how many bytes a step of a rule must move."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.nn import Parameter

from optgen.dsl.inputs import Given
from optgen.dsl.load import load
from optgen.dsl.rule import Rule
from optgen.ir import Step
from optgen.passes import lower
from optgen.show import bytes_per_element

Value = TypeVar("Value")
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
# What a rule is given besides the defaults of its class.
SETTINGS: Mapping[str, Mapping[str, float]] = {
    "sgd": {"lr": 1e-2, "momentum": 0.9},
    "sgdw": {"lr": 1e-2, "momentum": 0.9},
    "lars": {"lr": 1e-2, "momentum": 0.9, "weight_decay": 1e-4},
    "lion": {"lr": 1e-4, "weight_decay": 1e-2},
}


@dataclass(frozen=True, slots=True)
class Workload:
    """Tensors of one optimizer. title: for tables and pictures."""

    name: str
    title: str
    shapes: tuple[tuple[int, ...], ...]

    @property
    def elements(self) -> int:
        """The number of parameters."""
        return sum(map(prod, self.shapes))

    def shrunk(self) -> Workload:
        """A few small tensors of the same ranks."""
        shapes = tuple(tuple(min(length, 8) for length in shape) for shape in self.shapes[:3])
        return Workload(self.name, self.title, shapes)


def _gpt(vocabulary: int, width: int, layers: int) -> Iterator[tuple[int, ...]]:
    """The weights of a GPT whose norms have no biases: two embeddings, eight tensors a layer, the last norm."""
    yield from ((vocabulary, width), (1024, width))
    for _ in range(layers):
        yield from ((width,), (3 * width, width), (3 * width,), (width, width), (width,))
        yield from ((4 * width, width), (4 * width,), (width, 4 * width))
    yield (width,)


WORKLOADS = {
    w.name: w
    for w in (
        Workload("gpt", "29M parameters in 83 tensors", tuple(_gpt(28416, 384, 10))),
        Workload("flat", "one tensor of 64M", ((1 << 26,),)),
        Workload("matrix", "one tensor of 4096x4096", ((4096, 4096),)),
        Workload("lora", "1000 tensors of 16x1024", ((16, 1024),) * 1000),
        Workload("tiny", "300 tensors of 64", ((64,),) * 300),
        Workload("large", "124M parameters in 99 tensors", tuple(_gpt(50257, 768, 12))),
    )
}


def one_of(known: Mapping[str, Value], what: str, name: str) -> Value:
    """What there is of a name. Raises KeyError with those that there are."""
    if name not in known:
        raise KeyError(f"there is no {what} {name!r}: choose from {', '.join(known)}")
    return known[name]


def optimizer_rule(name: str) -> Rule:
    """A built-in rule, or the one at a path, which is no schedule."""
    loaded = load(name)
    assert isinstance(loaded, Rule), f"{name} is a schedule"
    return loaded


def variant(rule: str, settings: Mapping[str, Any]) -> Step:
    """The straight-line step of a rule under its defaults and these settings, from its equations.

    It is that for a square matrix, with nothing given besides the gradient.
    """
    loaded = optimizer_rule(rule)
    values: dict[str, Any] = {"rows": 4096, "cols": 4096, "numel": 4096**2}
    for declared in loaded.declarations:
        value = settings.get(declared.name, declared.default)
        values |= zip(declared.names, value if isinstance(value, tuple) else (value,), strict=True)

    def holds(condition: Any) -> bool:
        if isinstance(condition, Given):
            return False
        return bool(condition.subs({symbol: values[symbol.name] for symbol in condition.free_symbols}))

    program = lower(loaded)
    wanted = [holds(condition) for condition in program.conditions]
    return next(step for step in program.steps if [*step.variant.values()] == wanted)


def bytes_of_equations(rule: str, settings: Mapping[str, Any], elements: int, itemsize: int) -> int:
    """What a step must read and write, as `optgen show` tells it. All is stored in one dtype."""
    _, moved = bytes_per_element(variant(rule, settings), itemsize, itemsize)
    return round(moved * elements)


def bytes_of_tensors(params: Sequence[Tensor], state: Mapping[Tensor, Mapping[str, Any]]) -> int:
    """The same, from the tensors of an optimizer: parameters and states are read and written, gradients are read.

    Beside codes, whatever is stored of a state counts; else what has a number for each element.
    """
    total = 0
    for param in params:
        assert param.grad is not None
        kept = [x for x in state[param].values() if isinstance(x, Tensor) and x.dim()]
        if not any(x.dtype is torch.uint8 for x in kept):
            kept = [x for x in kept if x.shape == param.shape]
        total += 2 * param.nbytes + param.grad.nbytes + 2 * sum(x.nbytes for x in kept)
    return total


def parameters(workload: Workload, dtype: torch.dtype, device: str) -> list[Parameter]:
    """Parameters with weights as after initialisation."""
    make = torch.Generator(device).manual_seed(0)
    return [
        Parameter(torch.randn(shape, generator=make, dtype=dtype, device=device).mul_(0.02))
        for shape in workload.shapes
    ]


def gradients(workload: Workload, dtype: torch.dtype, device: str, count: int) -> list[list[Tensor]]:
    """Several sets of gradients, at different addresses, as backward passes leave them."""
    return [[param.detach() for param in parameters(workload, dtype, device)] for _ in range(count)]
