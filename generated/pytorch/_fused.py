"""The fused path: which parameters the Triton kernels of the sibling folder take, and their launch."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any

from ._rule import answer
from ._step import Stepped

Kernels = tuple[ModuleType, ModuleType]


@cache
def _kernels(load: Callable[[], ModuleType] | None) -> Kernels | str:
    """The module of a rule's kernels and their runtime, or what is missing for them."""
    if load is None:
        return "this rule has no fused kernels"
    try:
        module = load()
        return module, import_module(f"{module.__package__}._runtime")
    except ImportError as error:
        return f"its kernels cannot be imported ({error})"


def _kernels_for(one: Stepped) -> Kernels | None:
    """The kernels that are to step this parameter. Raises RuntimeError where they must and cannot."""
    wish = one.group.get("fused")
    if wish is False or (wish is None and (not one.param.is_cuda or one.group.get("foreach"))):
        return None
    if one.group.get("differentiable") or one.group.get("capturable"):
        return None
    kernels = _kernels(one.rule.fused)
    if isinstance(kernels, str):
        if wish:
            raise RuntimeError(f"`fused=True` is not possible: {kernels}")
        return None
    if not kernels[1].available(one.param.device):
        if wish:
            raise RuntimeError(
                "`fused=True` requires all the params to be floating point Tensors of supported devices: "
                f"['cuda'] but {one.param.dtype} and {one.param.device.type}"
            )
        return None
    return kernels


def launch(stepped: list[Stepped], launchers: dict[Any, Any]) -> list[Stepped]:
    """Steps what the fused kernels take and returns the rest. Needs the scalars. `launchers` outlives the step."""
    rest: list[Stepped] = []
    flags: dict[int, dict[str, bool]] = {}
    bunches: dict[tuple[Any, ...], list[Stepped]] = {}
    for one in stepped:
        kernels = _kernels_for(one)
        if kernels is None:
            rest.append(one)
            continue
        at = id(one.hypers)
        if at not in flags:
            flags[at] = kernels[0].flags(**answer(kernels[0].flags, one.hypers))
        bunches.setdefault((kernels[0], bool(one.group.get("maximize")), *flags[at].items()), []).append(one)
    for key, ones in bunches.items():
        if key not in launchers:
            launchers[key] = key[0].launcher()
        rest.extend(_step_together(launchers[key], key[0], ones, dict(key[2:])))
    return rest


def _step_together(launcher: Any, module: ModuleType, ones: list[Stepped], flags: dict[str, bool]) -> list[Stepped]:
    scalars = {id(one.scalars): one.scalars for one in ones}
    row = {at: number for number, at in enumerate(scalars)}
    left = launcher.step(
        [one.param for one in ones],
        [one.grad for one in ones],
        [[one.stored[key] for one in ones] if key in ones[0].stored else None for key in module.STATES],
        [row[id(one.scalars)] for one in ones],
        list(scalars.values()),
        flags,
        maximize=bool(ones[0].group.get("maximize")),
    )
    return [ones[position] for position in left]
