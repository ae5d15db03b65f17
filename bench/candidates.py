"""Candidates: who steps the parameters: the generated classes, and what else there is for the same rule."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import torch
from torch.nn import Parameter
from torch.optim import Optimizer

import optgen
import optgen.optim
from bench.workloads import SETTINGS, one_of, optimizer_rule

OURS = "optgen fused"
ROOTS = "optgen root8"  # beside a rule with states in other codes
KAHAN = "optgen Kahan"  # beside a rule with parameters in another format
# Distributions of other optimizers, the module that holds their classes, and what they call them.
PACKAGES = {
    "lion-pytorch": ("lion_pytorch", "{}"),
    "pytorch-optimizer": ("pytorch_optimizer", "{}"),
    "optimi": ("optimi", "{}"),
    "bitsandbytes": ("bitsandbytes.optim", "{}8bit"),
}
PLAIN = {"adamwbf16": "AdamW"}  # the class that rounds parameters to nearest, of a rule that stores them otherwise
WRITTEN_BY = {"bitsandbytes": "bitsandbytes 8-bit"}
Make = Callable[[list[Parameter]], Optimizer]


@dataclass(frozen=True, slots=True)
class Candidate:
    """Makes an optimizer. is_compiled: its step goes through torch.compile."""

    label: str
    make: Make
    is_compiled: bool = False


def class_of(rule: str) -> type[Optimizer]:
    """The prebuilt class of a rule. Raises KeyError with the names of those that there are."""
    classes: dict[str, type[Optimizer]] = {name.lower(): getattr(optgen.optim, name) for name in optgen.optim.__all__}
    return one_of(classes, "prebuilt rule", rule)


def candidates(rule: str, compiled: bool) -> Iterator[Candidate]:
    """All candidates for a rule; ours come first."""
    cls = class_of(rule)
    settings = {"lr": inspect.signature(cls).parameters["lr"].default, **SETTINGS.get(rule, {})}
    yield Candidate(OURS, partial(_grouped, cls, {"fused": True}, settings))
    yield Candidate("optgen eager", partial(_grouped, cls, {"fused": False}, settings))
    if plain_name(rule):
        label, storage = (KAHAN, "param=bf16_kahan") if rule in PLAIN else (ROOTS, "root8")
        beside = optgen.optimizer(plain_name(rule).lower(), storage=storage)
        yield Candidate(label, partial(_grouped, beside, {"fused": True}, settings))
    plain = plain_name(rule) or cls.__name__
    theirs: Any = getattr(torch.optim, plain, None)
    if theirs:
        known = inspect.signature(theirs).parameters
        ways = [("fused", "fused"), ("foreach", "foreach"), ("loop", "foreach")]
        for label, option in ways if plain == cls.__name__ else ways[:1]:
            if option in known:
                yield Candidate(f"torch {label}", partial(theirs, **{option: label == option}, **settings))
        if compiled:
            yield Candidate("torch.compile", partial(theirs, foreach=True, **settings), is_compiled=True)
    for package in PACKAGES:
        made = other(package, plain)
        if made and (plain == cls.__name__ or package in WRITTEN_BY):
            yield Candidate(WRITTEN_BY.get(package, package), partial(made, **settings))
    if compiled and not theirs:
        yield Candidate("torch.compile", partial(_grouped, cls, {"fused": False}, settings), is_compiled=True)


def plain_name(rule: str) -> str:
    """The class of the same rule that stores plain numbers; empty for a rule that does so itself."""
    loaded = optimizer_rule(rule)
    if "param" in loaded.storage:
        return PLAIN.get(rule, "")
    return loaded.otherwise.name if loaded.storage and loaded.otherwise is not None else ""


def _grouped(cls: type[Any], options: Mapping[str, Any], settings: Mapping[str, Any], params: list[Parameter]) -> Any:
    """An optimizer of ours. Where torch's constructor knows no `fused`, the parameter group does."""
    return cls([{"params": params, **options}], **settings)


def other(package: str, name: str) -> Any:
    """A package's class of this name, None if it has none of its own or is not installed."""
    module, pattern = PACKAGES[package]
    if find_spec(module.partition(".")[0]) is None:
        return None
    found = getattr(import_module(module), pattern.format(name), None)
    return None if found is None or found.__module__.startswith("torch.") else found


def absent() -> dict[str, str]:
    """The packages that are not installed, and what to do about it."""
    pip = {"optimi": "torch-optimi"}
    return {
        name: f"not installed: pip install {pip.get(name, name)}"
        for name, (module, _) in PACKAGES.items()
        if find_spec(module.partition(".")[0]) is None
    }


def make_strict(optimizer: Any) -> None:
    """Let the Triton kernels of an optimizer that has stepped round as IEEE 754 says, as C does without being asked."""
    for launcher in optimizer._launchers().values():
        if "strict" in inspect.signature(launcher.again).parameters:
            launcher.again = partial(launcher.again, strict=True)  # which a step that is no repeated one calls, too
