"""Host side of the fused steps: one call steps many tensors, and the tables that it reads are kept between steps.

A call reads a record for each tensor (its length, its row of scalars and the addresses of what is stored), the address
of each gradient, and a row of scalars for each distinct group and step count.
"""

from __future__ import annotations

import importlib
import math
from array import array
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ._compiler import NoKernel
from ._library import Step, load
from ._tables import PLAIN, SKIPPED, STEPPED, TYPES, Columns, Form, Kept, Mix, Plan, has_own_dtype, supports

__all__ = ["Form", "Launcher", "NoKernel", "supports"]

_ABSENT = math.nan  # what a step would read of a scalar that nobody gave it


class Launcher:
    """Steps lists of tensors with one C file. It holds only tables: a copy or a pickle of it is an empty one."""

    keeps_counts = True  # a call can advance step counts
    keeps_time = False  # but must be told them
    keeps_inputs = True  # alive, until it is reset

    def __init__(
        self, module: str, source: Path, types: Sequence[str], scalars: Sequence[str], form: Form = PLAIN
    ) -> None:
        self.together, self._form = form.together, form
        self._module, self._source = module, source
        self._types, self._scalars = tuple(types), tuple(scalars)
        self._functions: dict[tuple[Any, ...], Step] = {}
        self._plan: Plan | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return _fresh, (self._module,)

    def reset(self) -> None:
        """Forget the tensors of the last step."""
        self._plan = None

    def prepare(self, mix: Mix, flags: Mapping[str, bool]) -> None:
        """Compile, unless that was done, what parameters of these dtypes need, if a step can take them at all.

        mix: the dtypes of the parameter, the gradient and the states, None for one that the variant has not.
        Raises NoKernel where that is not possible.
        """
        if mix[1] in TYPES and all(dtype in TYPES for _, dtype in self._typed(mix, flags)):
            self._function(mix, flags)

    def step(
        self,
        params: Sequence[Tensor],
        grads: Sequence[Tensor],
        states: Columns,
        rows: Sequence[int],
        scalars: Sequence[Mapping[str, float]],
        flags: Mapping[str, bool],
        *,
        counts: Sequence[Tensor] | None = None,
        numbers: Sequence[int] | None = None,
        **options: Any,
    ) -> list[int] | None:
        """Update parameters and states in place; return the positions that were left as they were.

        states: for each name of STATES a list beside `params`, or None where the variant in force has no such state.
        rows: for each parameter the index of its row in `scalars`. flags: what the module's `flags` returned.
        counts: the step counts of the parameters, if the rule stores them. numbers: their places among all parameters,
        where chance rounds them. options: see `again`.
        Raises NoKernel, with nothing changed, where the C file cannot be compiled.
        """
        form = self._form.of(flags)
        is_same = self._plan and self._plan.form == form and self._plan.numbers == numbers
        if not (is_same and self.holds(params, grads, states, rows, counts)):
            self._plan = Plan(Kept(params, states, counts, rows, numbers), grads, form)
        return self.again(grads, scalars, flags, **options)

    def holds(
        self,
        params: Sequence[Tensor],
        grads: Sequence[Tensor],
        states: Columns,
        rows: Sequence[int],
        counts: Sequence[Tensor] | None,
    ) -> bool:
        """Whether all is as it was at the last step, but for the addresses of gradients."""
        return self._plan is not None and self._plan.holds(Kept(params, states, counts, rows), grads)

    def again(
        self,
        grads: Sequence[Tensor],
        scalars: Sequence[Mapping[str, float]],
        flags: Mapping[str, bool],
        *,
        times: Sequence[float] | None = None,
        maximize: bool = False,
        grad_scale: Tensor | None = None,
        found_inf: Tensor | None = None,
    ) -> list[int] | None:
        """Step the tensors of the last step, for which `holds` must be true. None where found_inf forbade it.

        times: for each row what this step makes of the counts, which the call advances; tensors among which one does
        not fit are left as they were. Without `times` the caller advances the counts.
        grad_scale: one float32 that gradients are to be divided by; found_inf: nothing is done unless it is 0.
        """
        assert self._plan is not None
        functions = [self._function(bucket.mix, flags) for bucket in self._plan.buckets]
        table = array("d", (float(row.get(name, _ABSENT)) for row in scalars for name in self._scalars))
        told = None if times is None else array("d", times)
        amp = [_address(grad_scale), _address(found_inf)]
        left = [*self._plan.rest]
        for bucket, function in zip(self._plan.buckets, functions, strict=True):
            done = bucket.step(function, self._plan.gradients.addresses, table, told, amp, maximize)
            if done == SKIPPED:
                return None
            left += bucket.positions if done != STEPPED else []
        return sorted(left)

    def _function(self, mix: Mix, flags: Mapping[str, bool]) -> Step:
        key = (mix, *flags.items())
        if key not in self._functions:
            grad = mix[1]
            assert grad is not None
            types = [f"{name}={TYPES[dtype]}" for name, dtype in self._typed(mix, flags)]
            real = f"real={'double' if mix[0] is torch.float64 else 'float'}"
            rounds = f"ROUNDS={int(self._rounds(mix, flags))}"
            variant = [f"{name.upper()}={int(value)}" for name, value in flags.items()]
            self._functions[key] = load(self._source, [real, f"grad_type={TYPES[grad]}", *types, rounds, *variant])
        return self._functions[key]

    def _rounds(self, mix: Mix, flags: Mapping[str, bool]) -> bool:
        """Whether what is stored of a state, one number per element, may be rounded."""
        param, _, *states = mix
        compute = torch.float64 if param is torch.float64 else torch.float32
        kinds = self._form.of(flags).of_states(len(states))
        stored = {dtype for dtype, kind in zip(states, kinds, strict=True) if kind == "element"}
        return not stored <= {None, compute}

    def _typed(self, mix: Mix, flags: Mapping[str, bool]) -> list[tuple[str, torch.dtype]]:
        """What the command line calls the types of the parameter and the states, with their dtypes.

        A state that is codes in some variants only has a name in all, and in these no type.
        """
        param, _, *states = mix
        kinds = self._form.of(flags).of_states(len(states))
        plain = [None if has_own_dtype(kind) else dtype for dtype, kind in zip(states, kinds, strict=True)]
        pairs = zip(self._types, (param, *plain), strict=True)
        return [(name, dtype) for name, dtype in pairs if name and dtype is not None]


def _fresh(module: str) -> Launcher:
    launcher: Launcher = importlib.import_module(module).launcher()
    return launcher


def _address(scalar: Tensor | None) -> int | None:
    if scalar is None:
        return None
    if scalar.device.type != "cpu" or scalar.dtype != torch.float32 or scalar.numel() != 1:
        raise ValueError(f"grad_scale and found_inf are float32 scalars on the CPU, not {scalar!r}")
    return scalar.data_ptr()
