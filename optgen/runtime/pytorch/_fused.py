"""The fused path: which parameters the Triton kernels or C steps of the sibling folders take, and their calls."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from ._checkpoints import on_device
from ._hypers import standing
from ._parameters import Stochastic
from ._rule import answer
from ._step import Stepped

Launchers = dict[Any, Any]  # what outlives a step


@cache
def _module(load: Callable[[], ModuleType]) -> ModuleType | str:
    """The module of a rule's fused step, or what is missing for it."""
    try:
        return load()
    except ImportError as error:
        return f"its kernels cannot be imported ({error})"


def _module_for(one: Stepped) -> ModuleType | None:
    """The fused step that is to take this parameter. Raises RuntimeError where one must and cannot."""
    wish, device = one.group.get("fused"), one.param.device.type
    if wish is False or (wish is None and one.group.get("foreach")):
        return None
    if one.group.get("differentiable") or torch.compiler.is_compiling():
        return None
    if wish and device == "cpu" and os.environ.get("TRITON_INTERPRET") == "1":
        device = "cuda"
    if one.group.get("capturable") and device != "cuda":
        return None
    if device not in one.rule.fused:
        if wish and one.rule.fused:
            raise RuntimeError(
                "`fused=True` requires all the params to be floating point Tensors of supported devices: "
                f"{sorted(one.rule.fused)} but {one.param.dtype} and {device}"
            )
        module: ModuleType | str = "this rule has no fused step"
    else:
        module = _module(one.rule.fused[device])
    if isinstance(module, str):
        if wish:
            raise RuntimeError(f"`fused=True` is not possible: {module}")
        return None
    return module


@dataclass(slots=True, eq=False)
class Bunch:
    """Parameters that one call steps: of one module and variant.

    is_timed: whether the call itself computes their scalars from counts on the device, and advances these.
    """

    module: ModuleType
    launcher: Any
    flags: dict[str, bool]
    maximize: bool
    is_timed: bool
    ones: list[Stepped] = field(default_factory=list)

    def step(self, found_inf: Tensor | None) -> list[Stepped]:
        """Step them; returns those that the call cannot take. Unless timed, needs scalars, and counts advanced."""
        ones = self.ones
        scalars, rows = rows_of(ones)
        hosted = {key: [one.stored[key] for one in ones] for key, state in ones[0].states.items() if state.host}
        left = self.launcher.step(
            [one.param for one in ones],
            [one.grad for one in ones],
            [None if key is None else [one.stored[key] for one in ones] for key in columns_of(ones[0], self.module)]
            + [None if name is None else [one.inputs[name] for one in ones] for name in given_to(ones[0], self.module)],
            rows,
            scalars,
            self.flags,
            maximize=self.maximize,
            counts=counts_of(ones),
            **({"numbers": [one.number for one in ones]} if chance_of(ones[0]) else {}),
            grad_scale=ones[0].scale,
            found_inf=found_inf,
            **({"hosted": hosted, "firsts": [one.first for one in ones]} if self.is_timed else {}),
        )
        if ones[0].inputs and self.launcher.keeps_inputs:
            self.launcher.reset()
        return [ones[position] for position in left]


def columns_of(one: Stepped, module: ModuleType) -> list[str | None]:
    """For each of the module's STATES its key, or None where the variant in force keeps none on the device.

    A module names a state's key, and after it those of what else is stored of it.
    """
    parts = {name for key, state in one.states.items() if not state.host for name in state.keys(key)}
    return [key if key in parts else None for key in module.STATES]


def given_to(one: Stepped, module: ModuleType) -> list[str | None]:
    """For each of the module's INPUTS, if it has any, its quantity, or None where it is not given."""
    return [name if name in one.inputs else None for name in getattr(module, "INPUTS", ())]


def rows_of(ones: Iterable[Stepped]) -> tuple[list[dict[str, Any]], list[int]]:
    """The distinct scalars, and for each parameter the index of its own. What has a count of its own has a row.

    Of what is timed, hyperparameters are what the host gives instead.
    """
    scalars: list[dict[str, Any]] = []
    place: dict[tuple[Any, ...], int] = {}
    rows = []
    for one in ones:
        given = standing(one.hypers, one.param.dtype) if one.is_timed else one.scalars
        alike = one.param.dtype if one.is_timed and given is not one.hypers else None
        at = id(one.hypers if one.is_timed else given), alike, one.t
        if at not in place:
            place[at] = len(scalars)
            scalars.append({**given, **chance_of(one)})
        rows.append(place[at])
    return scalars, rows


def chance_of(one: Stepped) -> dict[str, Any]:
    """What chance depends on besides the parameter, where it rounds that."""
    return {"seed": one.group["seed"], "t": one.t} if isinstance(one.format, Stochastic) else {}


def counts_of(ones: Iterable[Stepped]) -> list[Tensor] | None:
    """The step counts, if the rule stores them."""
    counts = [one.count for one in ones if one.count is not None]
    return counts or None


def choose(
    stepped: list[Stepped], launchers: Launchers, state: Mapping[Tensor, Any]
) -> tuple[list[Bunch], list[Stepped]]:
    """What fused steps are to take, and the rest. Nothing has changed yet. Raises RuntimeError as `_module_for`."""
    rest: list[Stepped] = []
    flags: dict[tuple[int, int], dict[str, bool]] = {}
    bunches: dict[tuple[Any, ...], Bunch] = {}
    for one in stepped:
        module = _module_for(one)
        if module is None:
            rest.append(one)
            continue
        at = id(module), id(one.hypers)
        if at not in flags:
            flags[at] = module.flags(**answer(module.flags, one.hypers))
        maximize = bool(one.group.get("maximize"))
        key = (module, maximize, one.format is None, *flags[at].items())
        if key not in launchers:
            launchers[key] = module.launcher()
        if not _is_ready(launchers[key], module, one, flags[at], state.get(one.owner, {})):
            rest.append(one)
            continue
        if not reads(one.scale, one.param.device):
            one.unscale()
        one.is_timed = launchers[key].keeps_time and on_device(one.group)
        kind = *key, one.scale is None, one.is_timed
        bunch = bunches.setdefault(kind, Bunch(module, launchers[key], flags[at], maximize, one.is_timed))
        bunch.ones.append(one)
    apart = [bunch for bunch in bunches.values() if not _is_whole(bunch, stepped)]
    rest += [one for bunch in apart for one in bunch.ones]
    return [bunch for bunch in bunches.values() if bunch not in apart], rest


def _is_whole(bunch: Bunch, stepped: list[Stepped]) -> bool:
    """Whether a call sees all that it looks at: every tensor of its rule, where the rule has values common to all."""
    mine = bunch.ones[0].rule
    return not getattr(bunch.launcher, "together", False) or len(bunch.ones) == sum(one.rule is mine for one in stepped)


def reads(scalar: Tensor | None, device: torch.device) -> bool:
    """Whether a call for parameters on a device can read a scalar of a GradScaler itself."""
    return scalar is None or (
        scalar.dtype is torch.float32 and scalar.device.type == device.type and scalar.numel() == 1
    )


def can_skip(bunches: list[Bunch], rest: list[Stepped], found_inf: Tensor) -> bool:
    """Whether all will be left as it is, without the host, if there are infinities. A new state would not be."""
    ones = [one for bunch in bunches for one in bunch.ones]
    return not rest and all(one.is_timed and not one.first and reads(found_inf, one.param.device) for one in ones)


def _is_ready(
    launcher: Any, module: ModuleType, one: Stepped, flags: dict[str, bool], state: Mapping[str, Any]
) -> bool:
    """Whether the fused step for this parameter's dtypes is there. Raises RuntimeError where it must be and is not."""
    if any(made.format and made.format.is_packed for made in one.states.values()) and not one.param.is_contiguous():
        return False  # the order of what lies two in a byte is that of the elements, which here is not that of memory
    dtypes: dict[str | None, torch.dtype | None] = {}
    new = one.group.get("state_dtype") or one.param.dtype
    for key, kind in one.states.items():
        asked = {name: part.dtype for name, part in kind.parts(key, one.owner).items()} if kind.format else {key: new}
        for name, dtype in asked.items():
            stored = state.get(name)
            dtypes[name] = stored.dtype.to_real() if isinstance(stored, Tensor) else dtype
    try:
        given = [None if name is None else one.inputs[name].dtype for name in given_to(one, module)]
        launcher.prepare((one.param.dtype, one.grad.dtype, *map(dtypes.get, columns_of(one, module)), *given), flags)
    except RuntimeError as error:
        if one.group.get("fused"):
            raise RuntimeError(f"`fused=True` is not possible: {error}") from None
        _warn_once(f"optimizers step unfused, which is slower: {error}")
        return False
    return True


@cache
def _warn_once(text: str) -> None:
    warnings.warn(text, stacklevel=2)
