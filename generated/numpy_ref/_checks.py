"""Checks: what a step over arrays cannot take is refused by name, before anything changes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[np.floating[Any]]]

_WORDS = {"lr": "learning rate: {}", "eps": "epsilon value: {}"}


def number(name: str, value: Any, refusal: str = "", **bounds: float) -> float:
    """A hyperparameter as a Python float: NumPy's own scalars would widen float32 arrays.

    bounds: at_least, above, at_most, below. refusal: words of its own, {} being the value.
    Raises ValueError for no number, NaN and what lies outside the bounds.
    """
    if not _admits(value, **bounds):
        words = refusal or "Invalid " + _WORDS.get(name, name + " value: {}")
        raise ValueError(words.format(value))
    return float(value)


def numbers(name: str, values: Any, count: int, none: float | None = None, **bounds: float) -> list[float]:
    """The elements of a hyperparameter that is a tuple, as `number` gives them. none: what None is, if it may be."""
    if isinstance(values, str) or np.shape(values) != (count,):
        raise ValueError(f"Invalid {name} value: {values} (it has {count} elements)")
    values = [none if value is None else value for value in values]
    for index, value in enumerate(values):
        if not _admits(value, **bounds):
            raise ValueError(f"Invalid {name.removesuffix('s')} parameter at index {index}: {value}")
    return [float(value) for value in values]


def counts(t: Any, params: Sequence[Array]) -> list[int]:
    """The number of the step for each parameter. Raises ValueError for what is no count from 1 on."""
    steps = [t] * len(params) if np.ndim(t) == 0 else list(t)
    if len(steps) != len(params) or not all(isinstance(n, Integral) and int(n) >= 1 for n in steps):
        raise ValueError(f"Invalid t: {t} (1 for the first step, one count for all parameters or one for each)")
    return [int(n) for n in steps]


def to_step(
    params: Sequence[Array],
    grads: Sequence[Array | None],
    state: Sequence[Mapping[str, Any]],
    out: bool,
    kind: type[np.generic] | None = None,
) -> list[int]:
    """The positions of parameters that have a gradient and elements. kind: of parameters, instead of floats.

    Raises ValueError for what cannot be stepped.
    """
    if not len(params) == len(grads) == len(state):
        raise ValueError(f"there are {len(params)} parameters, {len(grads)} gradients and {len(state)} states")
    kinds = (np.float32, np.float64) if kind is None else (kind,)
    work = [i for i, g in enumerate(grads) if g is not None]
    for i in work:
        param, grad = params[i], grads[i]
        if not isinstance(param, (np.ndarray, np.generic)) or param.dtype not in kinds:
            wanted = " or ".join(np.dtype(kind).name for kind in kinds)
            raise ValueError(f"parameter {i} is {_told(param)}, but must be an array of {wanted}")
        if not isinstance(grad, (np.ndarray, np.generic)) or grad.dtype.kind not in "fiu":
            raise ValueError(f"the gradient of parameter {i} is {_told(grad)}, but must be an array of real numbers")
        if grad.shape != param.shape:
            raise ValueError(f"parameter {i} has shape {param.shape}, its gradient {grad.shape}")
        if out and not (isinstance(param, np.ndarray) and param.flags.writeable):
            raise ValueError(f"parameter {i} cannot be written")
        if out and _overlaps(param):
            raise ValueError(f"the elements of parameter {i} share memory, as those of a broadcast array do")
    return [i for i in work if params[i].size]


def check_given(
    name: str,
    arrays: Sequence[Array | None] | None,
    params: Sequence[Array],
    work: Sequence[int],
    optional: bool = False,
    together: bool = False,
) -> list[Any]:
    """What a step is given by name for each parameter, with the dtype in which those in `work` are computed; None where
    there is nothing.

    optional: whether it may be absent. together: whether for all in `work` if for one.
    Raises ValueError for what does not fit.
    """
    found: list[Any] = [None] * len(params) if arrays is None else list(arrays)
    if len(found) != len(params):
        raise ValueError(f"there are {len(params)} parameters, but {name} is {len(found)}")
    absent = [i for i in work if found[i] is None]
    if absent and (not optional or (together and len(absent) < len(work))):
        raise ValueError(f"{name} is not given for parameter {absent[0]}" + " but for others" * optional)
    for i in work:
        if found[i] is not None:
            if not isinstance(found[i], (np.ndarray, np.generic)) or found[i].dtype.kind not in "fiu":
                told = _told(found[i])
                raise ValueError(f"{name} of parameter {i} is {told}, but must be an array of real numbers")
            if found[i].shape != params[i].shape:
                raise ValueError(f"parameter {i} has shape {params[i].shape}, its {name} {found[i].shape}")
            is_bits = params[i].dtype == np.uint16  # of bfloat16, which is computed in float32
            found[i] = np.asarray(found[i], np.float32 if is_bits else params[i].dtype)
    return found


def check_state(i: int, given: Mapping[str, Any], wanted: Mapping[str, Any], keys: Collection[str]) -> None:
    """Raises ValueError for a state that the rule has not, and for one of another kind or shape than it starts with."""
    extra = [key for key in given if key not in keys]
    if extra:
        raise ValueError(f"the state of parameter {i}: extra {extra}")
    for key, value in given.items():
        shape = np.shape(wanted[key]) if key in wanted else np.shape(value)
        if np.shape(value) != shape or np.asarray(value).dtype.kind not in "fiu":
            raise ValueError(f"the state {key!r} of parameter {i} is {_told(value)}, but must have shape {shape}")


def _admits(
    value: Any,
    at_least: float | None = None,
    above: float | None = None,
    at_most: float | None = None,
    below: float | None = None,
) -> bool:
    if not isinstance(value, Real) and not (isinstance(value, np.ndarray) and value.ndim == 0):
        return False
    number = float(value)
    return (
        number == number
        and (at_least is None or number >= at_least)
        and (above is None or number > above)
        and (at_most is None or number <= at_most)
        and (below is None or number < below)
    )


def _told(x: Any) -> str:
    if isinstance(x, (np.ndarray, np.generic)):
        return f"{x.dtype} of shape {x.shape}"
    return f"a {type(x).__name__}"


def _overlaps(x: Array) -> bool:
    """Whether two elements may lie at one address."""
    reach = x.itemsize
    for stride, size in sorted(zip(map(abs, x.strides), x.shape, strict=True)):
        if size > 1:
            if stride < reach:
                return x.size > 0
            reach += stride * (size - 1)
    return False
