"""Stretches: a large parameter is stepped in pieces so short that what a step makes on its way stays in cache."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.lib.array_utils import byte_bounds

from ._checks import check_state

Array = np.ndarray[Any, np.dtype[np.floating[Any]]]
State = dict[str, Any]

_LENGTH = 2**16  # elements; with fewer the calls take longer than is gained, with more the arrays leave the cache


def begin(
    work: Sequence[int],
    params: Sequence[Array],
    grads: Sequence[Any],
    state: Sequence[Mapping[str, Any]],
    keys: Collection[str],
    start: Callable[[Array, Array], State],
) -> dict[int, State]:
    """The states that a step reads: those given, and what is missing as `start` makes it of parameter and gradient.

    keys: of all states of any variant of the rule. Raises ValueError for a state that the rule cannot take.
    """
    states = {}
    for i in work:
        nothing = np.empty(0, params[i].dtype)
        kinds = start(nothing, nothing)
        check_state(i, state[i], {key: params[i] if np.ndim(x) else x for key, x in kinds.items()}, keys)
        given = {key: state[i][key] for key in kinds if key in state[i]}
        if len(given) < len(kinds):
            given = start(params[i], np.asarray(grads[i], params[i].dtype)) | given
        states[i] = given
    return states


def stretches(
    params: Sequence[Array],
    grads: Sequence[Any],
    states: Mapping[int, State],
    new_params: list[Array],
    new_state: list[State],
    out: bool,
    *inputs: Sequence[Any],
) -> Iterator[tuple[Any, ...]]:
    """For each stretch: the position of the parameter, the old values of parameter, gradient and states, a dict for the
    new ones, which is read when the next stretch is asked for, by the key of a state and "param", and all inputs.

    Each element must be computed from itself and from scalars. A parameter is one stretch if it is small or its arrays
    lie otherwise. Else, with out=True, new values overwrite the old, unless another array of the step sees them.
    """
    seen, every = None, (params, grads, *inputs)
    for i, old in states.items():
        param, grad, new = params[i], grads[i], State()
        stored = {"param": param, **{key: x for key, x in old.items() if np.ndim(x)}}
        besides = [of[i] for of in inputs]
        rows = _rows([*stored.values(), grad, *(x for x in besides if x is not None)]) if param.size > _LENGTH else None
        if rows is None:
            yield i, param, np.asarray(grad, param.dtype), old, new, *besides
            new_params[i] = new["param"]
            new_state[i].update({key: new[key] for key in old})
            continue
        if out and seen is None:
            seen = _overlapping(x for k in states for x in (*states[k].values(), *(of[k] for of in every)))
        made = {key: x if _is_free(x, param, seen) else np.empty_like(x, param.dtype) for key, x in stored.items()}
        into = dict(zip(made, _rows([*made.values()]) or [], strict=True))
        for start in range(0, param.size, _LENGTH):
            now, *past, g = (row[start : start + _LENGTH] for row in rows[: len(stored) + 1])
            given = _given(besides, [row[start : start + _LENGTH] for row in rows[len(stored) + 1 :]])
            kept = {**old, **dict(zip([*stored][1:], past, strict=True))}
            new.clear()
            yield i, now, np.asarray(g, param.dtype), kept, new, *given
            for key, row in into.items():
                row[start : start + _LENGTH] = new[key]
        new_params[i] = made["param"]
        new_state[i].update({key: made[key] if key in made else new[key] for key in old})


def _given(inputs: Sequence[Any], views: Sequence[Array]) -> list[Array | None]:
    """The views of inputs, each at the place of its input; None where there is none."""
    waiting = iter(views)
    return [None if x is None else next(waiting) for x in inputs]


def _rows(arrays: Sequence[Any]) -> list[Array] | None:
    """The arrays as one row of elements each, in the order in which the first lies. None if another lies otherwise."""
    strides = arrays[0].strides
    order = sorted(range(len(strides)), key=strides.__getitem__, reverse=True)
    if any(type(x) not in (np.ndarray, np.memmap) or x.shape != arrays[0].shape for x in arrays):
        return None
    turned = [x.transpose(order) for x in arrays]
    return [np.asarray(x).reshape(-1) for x in turned] if all(x.flags.c_contiguous for x in turned) else None


def _is_free(x: Array, param: Array, seen: set[int] | None) -> bool:
    """Whether new values may be written where the old ones are."""
    return seen is not None and id(x) not in seen and x.dtype == param.dtype and x.flags.writeable


def _overlapping(values: Iterable[Any]) -> set[int]:
    """The ids of arrays that may share memory with another."""
    found: set[int] = set()
    reach = holder = 0
    for low, high, x in sorted((*byte_bounds(x), id(x)) for x in values if isinstance(x, np.ndarray)):
        if low < reach:
            found |= {x, holder}
        if high > reach:
            reach, holder = high, x
    return found
