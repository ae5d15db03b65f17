"""Hyperparameters: their bounds, and torch's words for a value outside them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from numbers import Real
from typing import Any

import torch
from torch import Tensor

# A number of the host, or a tensor of one element where no value may be read (capture, gradients through a step).
Scalar = float | Tensor

_WORDS = {"lr": "learning rate: {}", "eps": "epsilon value: {}"}


@dataclass(frozen=True, slots=True)
class Hyper:
    """One argument of a constructor, and its bounds.

    names: its symbols in the equations, if it is a tuple. optional: None is a value. none_is_eps: so it is of any
    element, as the machine epsilon of the parameter's dtype. refusal: words of its own for a
    value outside its bounds, {} being the value.
    """

    name: str
    names: tuple[str, ...] = ()
    _: KW_ONLY
    at_least: float | None = None
    above: float | None = None
    at_most: float | None = None
    below: float | None = None
    flag: bool = False
    optional: bool = False
    none_is_eps: bool = False
    refusal: str = ""

    def symbols(self, value: Any) -> Iterator[tuple[str, Any]]:
        """Each symbol of the equations with its part of the value."""
        return zip(self.names, value, strict=True) if self.names else iter([(self.name, value)])

    def check(self, value: Any) -> None:
        """Raises ValueError for a value that is no number, is NaN or lies outside the bounds."""
        if self.flag or (value is None and self.optional):
            return
        if not self.names:
            _one_element(self.name, value)
            if not self._admits(value):
                words = self.refusal or "Invalid " + _WORDS.get(self.name, self.name + " value: {}")
                raise ValueError(words.format(value))
            return
        if isinstance(value, str) or not isinstance(value, Sequence) or len(value) != len(self.names):
            raise ValueError(f"Invalid {self.name} value: {value} (it has {len(self.names)} elements)")
        for index, part in enumerate(value):
            _one_element(f"{self.name}[{index}]", part)
            if not self._admits(part):
                raise ValueError(f"Invalid {self.name.removesuffix('s')} parameter at index {index}: {part}")
        if len({isinstance(part, Tensor) for part in value}) > 1:
            every = "both" if len(value) == 2 else "all"
            raise ValueError(f"{self.name} must be either {every} floats or {every} Tensors")

    def _admits(self, value: Any) -> bool:
        if value is None and (self.optional or self.none_is_eps):
            return True
        value = value.item() if isinstance(value, Tensor) else value
        if not isinstance(value, Real):
            return False
        number = float(value)
        return (
            number == number
            and (self.at_least is None or number >= self.at_least)
            and (self.above is None or number > self.above)
            and (self.at_most is None or number <= self.at_most)
            and (self.below is None or number < self.below)
        )


@dataclass(frozen=True, slots=True)
class Fixed:
    """What a parameter group says of how its class was built: an argument of the constructor, or the storage formats.

    values: its spellings. others: what another class can be built for; any value of the type, if there are none.
    refusal: what is said of all else, {} being the value. rule: what to build another class from. hint: what else to
    do about another value.
    """

    name: str
    values: tuple[int | str | None, ...]
    _: KW_ONLY
    others: tuple[int | str | None, ...] = ()
    refusal: str = "{}"
    rule: str = ""
    hint: str = ""

    def check(self, owner: str, value: Any) -> None:
        """Raises ValueError for a value that the class was not built for."""
        if _is_among(value, self.values):
            return
        if not (_is_among(value, self.others) if self.others else type(value) in map(type, self.values)):
            raise ValueError(self.refusal.format(value))
        built = f"{owner} was built for {self.name}={self.values[0]!r}"
        another = f": optgen.optimizer({self.rule!r}, {self.name}={value!r}) builds another" if self.rule else ""
        another = f", not {value!r}: {self.hint}" if self.hint else another
        raise ValueError(built + another)


def _is_among(value: Any, values: Sequence[Any]) -> bool:
    return any(type(value) is type(one) and value == one for one in values)


def _one_element(name: str, value: Any) -> None:
    if isinstance(value, Tensor) and value.numel() != 1:
        raise ValueError(f"Tensor {name} must be 1-element")


def read(
    hypers: Sequence[Hyper], group: Mapping[str, Any], keep_tensors: bool, unread: bool = False
) -> dict[str, Any]:
    """The value of each symbol, checked. Tensors become numbers or, where they must be kept, 0-d tensors.

    unread: no tensor may be read, so none is checked.
    Raises ValueError as `Hyper.check` does: a scheduler may have written anything into the group.
    """
    values: dict[str, Any] = {}
    for hyper in hypers:
        given = group[hyper.name]
        parts = given if hyper.names else (given,)
        if not (unread and any(isinstance(part, Tensor) for part in parts)):
            hyper.check(given)
        for symbol, part in hyper.symbols(given):
            if isinstance(part, Tensor):
                values[symbol] = part.reshape(()) if keep_tensors else part.item()
            else:
                values[symbol] = bool(part) if hyper.flag else part
    return values


def standing(hypers: Mapping[str, Any], dtype: torch.dtype) -> Mapping[str, Any]:
    """The values of all symbols for parameters of a dtype, whose machine epsilon None stands for."""
    if all(value is not None for value in hypers.values()):
        return hypers
    return {name: torch.finfo(dtype).eps if value is None else value for name, value in hypers.items()}
