"""Faults: what no step can take, told by the parameter it concerns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import _get_capturable_supported_devices

from ._rule import Part, State, UpdateRule, answer
from ._storage import Blockwise


def in_param(cls: type, where: str, param: Tensor, rule: UpdateRule) -> str:
    """What is wrong with a parameter for this rule; empty if nothing is."""
    if not (param.is_floating_point() or param.is_complex()):
        return f"{cls.__name__} cannot update {where}: its dtype is {param.dtype}"
    fitting = rule.fitting(param)
    if param.is_complex() and not (fitting or rule).elementwise:
        return f"{cls.__name__} does not support complex parameters: {where}"
    if fitting is None:
        return f"{cls.__name__} only supports {_shapes(rule)} whereas we found a parameter with size: {param.shape}"
    if param.layout is torch.strided and _overlaps(param):
        return f"{cls.__name__} cannot update {where}: its elements share memory, as those of an expanded tensor do"
    return ""


def in_step(param: Tensor, grad: Tensor, states: Mapping[str, State], stored: Mapping[str, Any]) -> str:
    """What is wrong with the gradient or the state of a parameter; empty if nothing is."""
    if grad.shape != param.shape or grad.device != param.device or not _alike(grad, param):
        return f"the gradient is {_shown(grad)}, the parameter {_shown(param)}"
    for key, state in states.items():
        if state.format is not None:
            fault = _in_format(state.parts(key, param), param, stored)
            if fault:
                return fault
            continue
        value = stored.get(key)
        if value is None or state.host:
            continue
        if not isinstance(value, Tensor):
            return f"the state {key!r} is a {type(value).__name__}, the parameter {_shown(param)}"
        if value.shape != state.shape(param.shape) or value.device != param.device or not _alike(value, param):
            return f"the state {key!r} is {_shown(value)}, the parameter {_shown(param)}"
    return ""


def in_formats(rule: UpdateRule, hypers: Mapping[str, Any], options: Mapping[str, Any]) -> str:
    """What of a group's options does not go with the storage formats; empty if all does."""
    kinds = [kind for one in rule.chain for kind in one.states(**answer(one.states, hypers)).values() if not kind.host]
    if options.get("differentiable") and any(isinstance(kind.format, Blockwise) for kind in kinds):
        return "`differentiable` is not possible where states are stored as codes, which have no gradient"
    if options.get("differentiable") and rule.param is not None:
        return "`differentiable` is not possible where parameters have a storage format, whose bits have no gradient"
    if options.get("state_dtype") is not None and kinds and all(kind.format for kind in kinds):
        return "`state_dtype` is not possible where every state has a storage format, which decides its dtype"
    return ""


def _in_format(parts: Mapping[str, Part], param: Tensor, stored: Mapping[str, Any]) -> str:
    """What is wrong with a state that has a format; empty if nothing is."""
    for key, part in parts.items():
        value = stored.get(key)
        if value is None:
            continue
        if not isinstance(value, Tensor):
            return f"the state {key!r} is a {type(value).__name__}, but must be a tensor"
        if value.shape != part.shape or value.dtype != part.dtype or value.device != param.device:
            return f"the state {key!r} is {_shown(value)}, but must be {part.dtype} of shape {part.shape}"
    return ""


def dense(cls: type, rule: UpdateRule, hypers: Mapping[str, Any], grad: Tensor) -> Tensor:
    """A sparse gradient with its zeros. Raises RuntimeError, in torch's words, where they would count."""
    if not rule.sparse:
        raise RuntimeError(rule.sparse_refusal or f"{cls.__name__} does not support sparse gradients")
    if hypers.get("weight_decay"):
        raise RuntimeError("weight_decay option is not compatible with sparse gradients")
    return grad.to_dense()


def check_capturable(param: Tensor) -> None:
    """Raises AssertionError, as torch does, for a parameter whose step cannot be captured."""
    devices = _get_capturable_supported_devices()
    if param.device.type not in devices and not torch.compiler.is_compiling():
        raise AssertionError(f"If capturable=True, params and state_steps must be on supported devices: {devices}.")


def _shapes(rule: UpdateRule) -> str:
    """The shapes that a rule is for."""
    if rule.ndim is not None:
        return f"{rule.ndim}D parameters"
    if rule.min_ndim is not None:
        return f"parameters of {rule.min_ndim} axes or more"
    return f"parameters of {rule.min_numel} elements or more"


def _alike(x: Tensor, param: Tensor) -> bool:
    """Whether both are complex, or both real and not whole."""
    return x.is_complex() if param.is_complex() else x.is_floating_point()


def _shown(x: Tensor) -> str:
    return f"{x.dtype} of shape {tuple(x.shape)} on {x.device}"


def _overlaps(x: Tensor) -> bool:
    """Whether two elements may lie at one address."""
    reach = 1
    for stride, size in sorted(zip(x.stride(), x.shape, strict=True)):
        if size > 1:
            if stride < reach:
                return x.numel() > 0
            reach += stride * (size - 1)
    return False
