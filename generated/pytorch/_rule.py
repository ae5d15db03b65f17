"""What a generated class tells the runtime: its states, its functions, the shapes it is for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from ._hypers import Fixed, Hyper, Scalar, standing
from ._parameters import ParamFormat, Stochastic
from ._storage import Format, Numbers


def per_element(size: Sequence[int]) -> tuple[int, ...]:
    """A value for each element."""
    return tuple(size)


def per_row(size: Sequence[int]) -> tuple[int, ...]:
    """A value for each row: (..., rows, 1)."""
    return (*size[:-1], 1)


def per_col(size: Sequence[int]) -> tuple[int, ...]:
    """A value for each column: (..., 1, cols)."""
    return (*size[:-2], 1, size[-1])


def per_matrix(size: Sequence[int]) -> tuple[int, ...]:
    """A value for each matrix: (..., 1, 1)."""
    return (*size[:-2], 1, 1)


def rows_by_rows(size: Sequence[int]) -> tuple[int, ...]:
    """A square matrix for each matrix, as long as it has rows."""
    return (*size[:-1], size[-2])


def cols_by_cols(size: Sequence[int]) -> tuple[int, ...]:
    """A square matrix for each matrix, as long as it has columns."""
    return (*size[:-2], size[-1], size[-1])


def cols_by_rows(size: Sequence[int]) -> tuple[int, ...]:
    """The shape of the transpose."""
    return (*size[:-2], size[-1], size[-2])


def per_tensor(size: Sequence[int]) -> tuple[int, ...]:
    """One value for the whole tensor."""
    return ()


def from_param(param: Tensor, grad: Tensor) -> Tensor:
    """A state that starts as the parameter."""
    return param


def from_grad(param: Tensor, grad: Tensor) -> Tensor:
    """A state that starts as the gradient of the first step."""
    return grad


def total(parts: Sequence[Tensor]) -> Tensor:
    """The sum of what each tensor contributes."""
    return _together(parts).sum()


def largest(parts: Sequence[Tensor]) -> Tensor:
    """The largest of what each tensor contributes."""
    return _together(parts).max()


def _together(parts: Sequence[Tensor]) -> Tensor:
    dtype = torch.float64 if any(part.dtype == torch.float64 for part in parts) else parts[0].dtype
    return torch.stack([part.to(parts[0].device, dtype) for part in parts])


@dataclass(frozen=True, slots=True)
class Part:
    """What must stand under one key of a parameter's state. dtype: None for any of real, or of complex numbers."""

    shape: tuple[int, ...]
    dtype: torch.dtype | None = None
    is_number: bool = False  # of the host
    is_complex: bool = False
    is_beside: bool = False  # a parameter, so that it may be absent at first


@dataclass(frozen=True, slots=True)
class State:
    """A quantity whose past is read. Functions take it as `<name>_prev`; a host state is updated by `host`.

    format: what it is stored in, None for numbers of the parameter's dtype, or of the option `state_dtype`.
    is_beside: whether it is no quantity, but what the format of a parameter stores beside that.
    """

    name: str
    init: float | Callable[[Tensor, Tensor], Tensor] = 0.0
    shape: Callable[[Sequence[int]], tuple[int, ...]] = per_element
    host: bool = False
    format: Format | None = None
    is_beside: bool = False

    @property
    def past(self) -> str:
        """The name under which functions take it."""
        return self.name + "_prev"

    def keys(self, key: str) -> tuple[str, ...]:
        """The keys of what is stored of it, the first of which is its own."""
        return (key,) if self.format is None else tuple(key + suffix for suffix in self.format.suffixes)

    def parts(self, key: str, param: Tensor) -> dict[str, Part]:
        """What is stored of it for a parameter, by key. What has a format is stored as real numbers."""
        if self.host:
            return {key: Part((), is_number=True)}
        if self.format is None:
            is_complex = param.is_complex() and self.shape is per_element
            return {key: Part(tuple(self.shape(param.shape)), is_complex=is_complex)}
        shape = self.shape((*param.shape, 2) if param.is_complex() else param.shape)
        wanted = self.format.wanted(shape)
        parts = zip(self.keys(key), wanted, strict=True)
        return {name: Part(*one, is_beside=self.is_beside) for name, one in parts}


@dataclass(frozen=True, slots=True)
class Input:
    """A tensor besides the gradient that `step` is given by name. Functions take it as `quantity`, and as
    `has_<quantity>` whether it is there; one that is not optional has to be."""

    name: str
    quantity: str
    optional: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateRule:
    """An update rule. Its functions are called by the names of their parameters and are given what they ask for.

    keys: every state key of any variant, in the order of a checkpoint, "step" among them if the count is stored.
    counts_for_chance: whether that is only since chance asks for it, which the same rule without formats does not.
    param: how a parameter of bfloat16 is stored, None for its nearest numbers. Others are stored as they are.
    states: hyperparameters -> the states of the variant in force, without "step".
    host: t, first, extents, hyperparameters, past host states -> scalars of the step, new host states among them.
    inputs: what a step is given by name besides the gradient.
    updates: one loop over all parameters each: parameter, gradient, past states, scalars -> new values by key.
    combine: how what the loops return per tensor becomes one value for all tensors of the step.
    common: the keys of states that all parameters have in common.
    fixed: what else the constructor takes, of which the class was built for one value each.
    modes: what `train()` and `eval()` do: scalars, and new values of the parameter and of states.
    requires: hyperparameters -> what is wrong with their combination, or an empty string.
    fused: for a type of device the module of the fused step; raises ImportError where there is none.
    sparse: whether a sparse gradient may be made dense, since its zeros change nothing. sparse_refusal: what is said
        of one else.
    elementwise: whether each element is computed from itself and from scalars. A complex parameter is then stepped as
        its real and imaginary parts, a large one in stretches.
    stacked: whether matrices of one shape may be stepped as a stack of them.
    ndim, min_ndim, min_numel: the shapes it is for; otherwise: the rule for all others.
    """

    hypers: tuple[Hyper, ...]
    keys: tuple[str, ...]
    states: Callable[..., dict[str, State]]
    host: Callable[..., Mapping[str, Scalar]]
    updates: tuple[Callable[..., dict[str, Tensor]], ...]
    counts_for_chance: bool = False
    param: ParamFormat | None = None
    inputs: tuple[Input, ...] = ()
    combine: Mapping[str, Callable[[Sequence[Tensor]], Tensor]] = field(default_factory=dict)
    common: tuple[str, ...] = ()
    fixed: tuple[Fixed, ...] = ()
    modes: Mapping[str, tuple[Callable[..., Mapping[str, Scalar]], Callable[..., dict[str, Tensor]]]] = field(
        default_factory=dict
    )
    requires: Callable[..., str] | None = None
    fused: Mapping[str, Callable[[], ModuleType]] = field(default_factory=dict)
    state_at_construction: bool = False
    sparse: bool = False
    sparse_refusal: str = ""
    elementwise: bool = True
    stacked: bool = False
    ndim: int | None = None
    min_ndim: int | None = None
    min_numel: int | None = None
    otherwise: UpdateRule | None = None

    def fitting(self, param: Tensor) -> UpdateRule | None:
        """The rule for parameters of this one's shape, None if there is none."""
        ndim = param.dim()
        if self.ndim in (None, ndim) and ndim >= (self.min_ndim or 0) and param.numel() >= (self.min_numel or 0):
            return self
        return self.otherwise.fitting(param) if self.otherwise else None

    def format_of(self, param: Tensor) -> ParamFormat | None:
        """The format of a parameter, if it has one."""
        return self.param if param.dtype is torch.bfloat16 else None

    def kept(self, hypers: Mapping[str, Any], param: Tensor) -> dict[str, State]:
        """What is kept of a parameter: the states of the variant in force, and what its format stores beside it."""
        states, made = self.states(**answer(self.states, hypers)), self.format_of(param)
        if made is None or isinstance(made, Stochastic):
            return states
        start = from_param if made.start is None else made.start
        return {**states, made.key: State("", start, format=Numbers(made.dtype), is_beside=True)}

    @property
    def chain(self) -> Iterator[UpdateRule]:
        """The rule and those for other shapes."""
        yield self
        if self.otherwise:
            yield from self.otherwise.chain


def check_together(owner: str, rule: UpdateRule, group: Mapping[str, Any], hypers: Mapping[str, Any]) -> None:
    """Raises ValueError for what the class was not built for, and for hyperparameters that do not go together."""
    for one in rule.fixed:
        one.check(owner, group[one.name])
    if isinstance(rule.param, Stochastic):
        rule.param.check(group["seed"])
    message = rule.requires(**answer(rule.requires, standing(hypers, torch.float32))) if rule.requires else ""
    if message:
        raise ValueError(message)


def asked(function: Callable[..., Any]) -> tuple[str, ...]:
    """The names of a Python function's parameters."""
    code = function.__code__
    return code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]


def answer(function: Callable[..., Any], offered: Mapping[str, Any]) -> dict[str, Any]:
    """What of the offered values a function asks for."""
    return {name: offered[name] for name in asked(function) if name in offered}
