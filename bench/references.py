"""References: what published package each rule equals, with which options, and on which settings they are compared."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import wraps
from importlib import import_module
from importlib.util import find_spec
from itertools import cycle
from types import ModuleType
from typing import Any

import lion_pytorch
import prodigyopt
import pytorch_optimizer
import schedulefree
import torch
import transformers.optimization as transformers
from adam_mini import Adam_mini
from torch import Tensor
from torch.optim import Optimizer

from bench.transcribed import SophiaG
from optgen import optim

Kwargs = dict[str, Any]
Shape = tuple[int, ...]
SHAPES: tuple[Shape, ...] = ((5, 3), (), (7,), (1,), (9, 2), (2, 9), (1, 4), (4, 1), (2, 1, 3, 2), (2, 3, 4))


@dataclass(frozen=True)
class Reference:
    """A published class and the settings to compare on.

    given: what it is given besides. counts: whether it counts steps for each parameter, so that a gradient may be
    missing. late: whether a group may be added. shapes: of the parameters, the last of which joins late.
    unless: the setting under which it reads one count of steps for all, so that neither may be.
    close: how near they must come, relative to the parameter: 1e-12, unless the package keeps float32 inside.
    every: how many steps the curvature that it asks for is given once in. package: that publishes it, if not `make`'s.
    """

    make: Callable[..., Optimizer]
    settings: Sequence[Kwargs]
    given: Mapping[str, Any] = field(default_factory=dict)
    counts: bool = False
    late: bool = True
    unless: str = ""
    shapes: Sequence[Shape] = SHAPES
    close: float = 1e-12
    every: int = 0
    package: str = ""

    @property
    def name(self) -> str:
        """The package and what it calls the class."""
        return self.package or f"{self.make.__module__.split('.')[0]}.{self.make.__name__}"


def training(cls: Any) -> Callable[..., Optimizer]:
    """A class whose optimizers begin in evaluation, made so that they begin with training."""

    @wraps(cls, updated=())
    def make(*args: Any, **kwargs: Any) -> Optimizer:
        made: Any = cls(*args, **kwargs)
        made.train()
        return made  # type: ignore[no-any-return]  # the package has no types

    return make


def timm_class(module: str, name: str) -> Any:
    """A class of timm.optim. timm itself imports torchvision, which is not there for every build of torch."""
    if "timm" not in sys.modules:
        found = find_spec("timm")
        assert found is not None
        paths = list(found.submodule_search_locations or ())
        for package, folder in (("timm", ""), ("timm.optim", "/optim")):
            sys.modules[package] = ModuleType(package)
            sys.modules[package].__path__ = [path + folder for path in paths]
    return getattr(import_module(f"timm.optim.{module}"), name)


def published(name: str, *settings: Kwargs, counts: bool = False, late: bool = True, **given: Any) -> Reference:
    """A class of pytorch-optimizer, stepped parameter by parameter."""
    return Reference(getattr(pytorch_optimizer, name), settings, {"foreach": False, **given}, counts, late)


def of_timm(module: str, name: str, *settings: Kwargs, counts: bool = True, **given: Any) -> Reference:
    """A class of timm."""
    return Reference(timm_class(module, name), settings, given, counts)


def adam_mini_of_rows(params: Iterable[Tensor], betas: tuple[float, float] = (0.9, 0.999), **given: Any) -> Optimizer:
    """adam-mini's class, which tells blocks by name: matrices of each kind that has one a row, and vectors that are no
    biases."""
    kinds = cycle(("mlp", "embed", "v_proj", "o_proj", "lm_head"))
    named = [(f"{next(kinds) if p.ndim == 2 else 'scale'}.{position}", p) for position, p in enumerate(params)]
    return Adam_mini(named, betas=betas, verbose=False, **given)


def adafactor_of_transformers(params: Iterable[Tensor], use_first_moment: bool = False, **given: Any) -> Optimizer:
    """transformers' class, where None stands for what a flag says here."""
    given = {"relative_step": True, "lr": 1e-3, "beta1": 0.9, **given}
    absent = {"lr": None} if given["relative_step"] else {}
    return transformers.Adafactor(params, **{**given, **absent, **({} if use_first_moment else {"beta1": None})})


DECAYED = {"weight_decay": 0.1}
QUICK = {**DECAYED, "lr": 0.05, "betas": (0.8, 0.9), "eps": 1e-3}
REFERENCES = {
    "ADOPT": of_timm("adopt", "Adopt", {}, DECAYED, {**DECAYED, "decoupled": True},
                     {"lr": 0.05, "betas": (0.8, 0.9), "eps": 1e-2}, clip_exp=0.25, foreach=False),
    "AdEMAMix": published("AdEMAMix", {}, {**DECAYED, "alpha": 2.0}, {"t_alpha_beta3": 20, "betas": (0.8, 0.9, 0.99)},
                          weight_decouple=True),
    "AdafactorHF": Reference(adafactor_of_transformers, [
        DECAYED,
        {**DECAYED, "warmup_init": True, "eps": (1e-5, 0.1)},
        {**DECAYED, "relative_step": False, "scale_parameter": False, "lr": 0.05, "use_first_moment": True},
        {"relative_step": False, "clip_threshold": 0.5, "decay_rate": -0.5, "use_first_moment": True, "beta1": 0.5},
    ], counts=True, package="transformers.Adafactor"),
    "AdamMini": Reference(adam_mini_of_rows, [{"betas": (0.9, 0.999)}, QUICK], counts=True, late=False,
                          shapes=[shape for shape in SHAPES if len(shape) < 3], package="adam_mini.Adam_mini"),
    "AdaBelief": published("AdaBelief", DECAYED, QUICK),
    "AdaBound": published("AdaBound", DECAYED, {**QUICK, "final_lr": 0.02, "gamma": 0.1}, late=False),
    "Adan": of_timm("adan", "Adan", {}, DECAYED, {**DECAYED, "no_prox": True},
                    {"lr": 0.05, "betas": (0.9, 0.8, 0.95), "eps": 1e-4}, counts=False, foreach=False),
    "AggMo": published("AggMo", DECAYED, {**DECAYED, "lr": 0.02, "betas": (0.3, 0.8, 0.95)}, counts=True,
                       weight_decouple=True),
    "CautiousAdamW": of_timm("adamw", "AdamWLegacy", {}, QUICK, caution=True),
    "DiffGrad": published("DiffGrad", DECAYED, QUICK),
    "LAMB": of_timm("lamb", "Lamb", {}, {**QUICK, "max_grad_norm": 2.5}, {"weight_decay": 0.0},
                    {"weight_decay": 0.0, "always_adapt": True}, counts=False),
    "LARS": of_timm("lars", "Lars", {"momentum": 0.9}, {**DECAYED, "lr": 0.5, "trust_coeff": 0.02},
                    {**DECAYED, "lr": 0.1, "momentum": 0.9, "nesterov": True},
                    {**DECAYED, "lr": 0.02, "momentum": 0.9, "trust_clip": True, "trust_coeff": 0.05}),
    "LaProp": of_timm("laprop", "LaProp", DECAYED, QUICK),
    "Prodigy": Reference(prodigyopt.Prodigy, [
        {}, DECAYED, {**DECAYED, "decouple": False, "use_bias_correction": True, "safeguard_warmup": True},
        {"growth_rate": 1.02, "d_coef": 2.0, "betas": (0.8, 0.95), "beta3": 0.9, "d0": 1e-3}],
        counts=True, unless="use_bias_correction"),
    "ScheduleFreeAdamW": Reference(training(schedulefree.AdamWScheduleFree), [
        {}, {**DECAYED, "warmup_steps": 10}, {"lr": 0.05, "betas": (0.8, 0.95), "r": 1.0, "weight_lr_power": 1.0}],
        {"foreach": False}),
    "ScheduleFreeSGD": Reference(training(schedulefree.SGDScheduleFree), [
        {"lr": 0.1}, {**DECAYED, "lr": 0.1, "warmup_steps": 10}, {"lr": 0.01, "momentum": 0.5, "r": 1.0}],
        {"foreach": False}),
    "Lion": Reference(lion_pytorch.Lion, [{}, DECAYED, {"lr": 0.01, "betas": (0.8, 0.9)}], counts=True),
    "MARS": of_timm("mars", "Mars", DECAYED, {**QUICK, "gamma": 0.1}, optimize_1d=True),
    "NAdamW": of_timm("nadamw", "NAdamW", {}, QUICK),
    # its weights of the past are float32
    "QHAdam": replace(published("QHAdam", {**DECAYED, "nus": (0.7, 0.9)}, QUICK, counts=True, weight_decouple=True),
                      close=2e-7),
    "RMSpropTF": of_timm("rmsprop_tf", "RMSpropTF", {}, {**DECAYED, "momentum": 0.9},
                         {**DECAYED, "centered": True, "eps": 0.1}),
    "SGDW": published("SGDW", {**DECAYED, "lr": 0.05}, {**DECAYED, "lr": 0.05, "momentum": 0.9},
                      {"momentum": 0.9, "nesterov": True}, counts=True),
    "Signum": published("SignSGD", {}, DECAYED, {"momentum": 0.0}, counts=True),
    "Sophia": Reference(SophiaG, [{}, {"lr": 0.05, "betas": (0.8, 0.9), "rho": 0.1, "bs": 3}], counts=True, every=3,
                        package="Liuhong99/Sophia"),
    "StableAdamW": published("StableAdamW", {}, QUICK),
    "Tiger": published("Tiger", {}, DECAYED, {"beta": 0.5, "lr": 0.01}, counts=True),
    "Yogi": published("Yogi", DECAYED, QUICK),
}


FLAGS = {"amsgrad": True, "momentum": 0.9, "centered": True, "decoupled_weight_decay": True}


def _of_torch(name: str) -> Reference:
    """torch's own class, its loop over parameters."""
    cls = getattr(torch.optim, name)
    known = inspect.signature(cls).parameters
    settings = [{}, *({key: value} for key, value in {**DECAYED, **FLAGS}.items() if key in known)]
    shapes = [shape for shape in SHAPES if len(shape) == 2] if name == "Muon" else SHAPES
    given = {"foreach": False} if "foreach" in known else {}
    return Reference(cls, settings, given, counts=True, shapes=shapes, package=f"torch.optim.{name}")


EVERY = {**{name: _of_torch(name) for name in optim.__all__ if hasattr(torch.optim, name)}, **REFERENCES}
