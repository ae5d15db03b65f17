"""Every generated class with what torch's OptimizerInfo says of the class that it mirrors, and a model to train."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
from needs import C_COMPILER, INTERPRETED
from torch import Tensor
from torch.nn import Parameter
from torch.optim import Optimizer
from torch.optim.lr_scheduler import ExponentialLR, LRScheduler, ReduceLROnPlateau, StepLR
from torch.testing._internal.common_optimizers import (
    ErrorOptimizerInput,
    OptimizerInfo,
    OptimizerInput,
    _get_optim_inputs_including_global_cliquey_kwargs,
    get_error_inputs_for_all_optims,
    optim_db,
)

from optgen import Rule, load, optim, optimizer, stored

Kwargs = dict[str, Any]
# where the default is a rate that diverges here
QUIET: dict[str, Kwargs] = {"LARS": {"lr": 0.01}, "ScheduleFreeSGD": {"lr": 0.01}, "Prodigy": {"d0": 1e-3}}
ALIKE: dict[str, Kwargs] = {"Adafactor": {"eps": (1e-7, 1e-3)}}  # where a default depends on the dtype
BESIDE: dict[str, Kwargs] = {"nesterov": {"momentum": 0.9}}  # what a flag asks for


def info_of(cls: type[Optimizer]) -> OptimizerInfo:
    """torch's info of a class, about ours. A class that torch lacks has one of the same kind."""
    for info in optim_db:
        if info.name == cls.__name__:
            mine = copy.copy(info)
            mine.optim_cls = cls
            mine.optim_inputs_func = partial(_inputs_built_for, cls, info)
            mine.optim_error_inputs_func = partial(_errors_of, cls, info)
            return mine
    return OptimizerInfo(
        cls,
        optim_inputs_func=partial(_inputs_by_pattern, cls),
        optim_error_inputs_func=get_error_inputs_for_all_optims,
        scheduler_inputs=(
            [lambda o: StepLR(o, 10, 0.9), lambda o: ReduceLROnPlateau(o)],
            [partial(ExponentialLR, gamma=0.9)],
        ),
        supported_impls=("foreach", *([] if stored_in(cls) else ["differentiable"]), "fused"),
        has_capturable_arg=True,
        supports_complex=cls.rule.elementwise,
        supports_fused_on=("cpu", "cuda"),
    )


def _inputs_built_for(cls: Any, info: OptimizerInfo, device: str, dtype: Any = None) -> list[OptimizerInput]:
    """What torch lists, without the values of structural parameters that another class is to be built for."""
    fixed = {one.name: one.values for one in cls.rule.fixed}
    listed = info.optim_inputs_func(device=device)
    return [one for one in listed if all(one.kwargs.get(name, ok[0]) in ok for name, ok in fixed.items())]


def _errors_of(cls: Any, info: OptimizerInfo, device: str, dtype: torch.dtype) -> list[ErrorOptimizerInput]:
    """What torch's class refuses, without shapes for which ours has another rule."""
    listed = info.optim_error_inputs_func(device=device, dtype=dtype)
    refused = [one for one in listed if "complex parameters" not in one.error_regex]  # ours are refused before a step
    return [one for one in refused if not (cls.rule.otherwise and "2D parameters" in one.error_regex)]


def _inputs_by_pattern(cls: Any, device: str, dtype: torch.dtype | None = None) -> list[OptimizerInput]:
    """What torch would list, by the pattern of its Adam: rates, weight decay, maximize, every flag of the rule."""
    kwargs: list[Kwargs] = [
        {},
        {"lr": 0.01},
        {"lr": torch.tensor(0.001)},
        {"weight_decay": 0.1},
        {"weight_decay": 0.1, "maximize": True},
        *({one.name: True, "weight_decay": 0.1, **BESIDE.get(one.name, {})} for one in cls.rule.hypers if one.flag),
        *({hyper.name: (0.5,) * len(hyper.names)} for hyper in cls.rule.hypers if hyper.names),
        *({hyper.name: 0.0} for hyper in cls.rule.hypers if hyper.name == "momentum" and hyper.above is None),
    ]
    kwargs = [{**QUIET.get(cls.__name__, {}), **one} for one in kwargs]
    return [OptimizerInput(params=None, kwargs=one, desc=str(one)) for one in kwargs]


def stored_in(cls: Any) -> str:
    """The storage formats of a class's states, empty if it has none."""
    return "".join(str(one.values[0]) for one in cls.rule.fixed if one.name == "storage")


# What is prebuilt keeps the states of parameters as small as those here as they are; these classes store all.
CODED: dict[Any, Rule] = {
    optimizer(rule): rule
    for rule in (
        stored(load("adamw"), "int8", min_numel=0, name="AdamWInt8"),
        stored(load("adam"), "int4", min_numel=0, name="AdamInt4"),
        stored(load("lion"), "fp8_e4m3", min_numel=0, name="LionFp8"),
        stored(load("schedulefreeadamw"), v="int8", min_numel=0, name="ScheduleFreeInt8"),
    )
}
CLASSES: list[Any] = [*(getattr(optim, name) for name in optim.__all__), *CODED]
INFOS = [info_of(cls) for cls in CLASSES]


def wide(cls: Any) -> Kwargs:
    """The option by which states are float32 whatever their parameter is; what is stored in formats only refuses it."""
    return {} if cls in CODED else {"state_dtype": torch.float32}
ELEMENTWISE = [info for info in INFOS if info.optim_cls.rule.elementwise]


def fuses(cls: Any) -> bool:
    """Whether the class has a fused step for the CPU here: in C, or a kernel where those are interpreted."""
    return "cuda" in cls.rule.fused if INTERPRETED else "cpu" in cls.rule.fused and bool(C_COMPILER)


def plain(info: OptimizerInfo) -> Iterator[Kwargs]:
    """Arguments of every configuration that torch lists."""
    return (one.kwargs for one in info.optim_inputs_func(device="cpu"))


def flagged(info: OptimizerInfo, *skip: str) -> Iterator[Kwargs]:
    """Arguments of every configuration that torch lists, with each flag that it says is supported."""
    lacking = () if fuses(info.optim_cls) else ("fused",)
    for one in _get_optim_inputs_including_global_cliquey_kwargs("cpu", torch.float32, info, skip=(*skip, *lacking)):
        assert not one.kwargs.get("capturable")
        yield one.kwargs


def equal(a: Any, b: Any) -> bool:
    """Whether nested dicts and lists of tensors, arrays and numbers are the same, to the bit."""
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return a.dtype == b.dtype and np.array_equal(a, b)
    if isinstance(a, dict) and isinstance(b, dict):
        return list(a) == list(b) and all(equal(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        return len(a) == len(b) and all(equal(x, y) for x, y in zip(a, b, strict=True))
    return type(a) is type(b) and a == b


class Fit:
    """A linear model to train: the loss falls if an optimizer is right, and rises if it maximises."""

    def __init__(self, strided: bool = False, dtype: torch.dtype = torch.float32) -> None:
        make = torch.Generator().manual_seed(0)
        draw = partial(torch.randn, generator=make, dtype=dtype)
        self.weight = Parameter(draw(10, 5, 2)[..., 0] if strided else draw(10, 5))
        self.bias = Parameter(draw(10, 2)[..., 0] if strided else draw(10))
        self.x = draw(5)
        self.params = [self.weight, self.bias]

    def loss(self, optimizer: Optimizer) -> Tensor:
        optimizer.zero_grad()
        value = (self.weight.mv(self.x) + self.bias).pow(2).sum()
        value.backward()
        return value

    def train(self, optimizer: Optimizer, steps: int, schedulers: list[LRScheduler] | None = None) -> float:
        """The loss after some steps."""
        for _ in range(steps):
            value = optimizer.step(lambda: self.loss(optimizer)).detach()
            for scheduler in schedulers or []:
                scheduler.step(*([value] if isinstance(scheduler, ReduceLROnPlateau) else []))
        return self.loss(optimizer).item()
