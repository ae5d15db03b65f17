"""RuleOptimizer: everything of a torch.optim.Optimizer that no update rule changes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, overload

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.optimizer import ParamsT

from . import _checkpoints, _fused
from ._checkpoints import Group
from ._hypers import Hyper, Scalar, read
from ._rule import (
    State,
    UpdateRule,
    answer,
    from_grad,
    from_param,
    largest,
    per_col,
    per_element,
    per_row,
    per_tensor,
    total,
)
from ._scalars import cos, exp, floor, log, maximum, minimum, sign, sin, sqrt, tanh
from ._step import Stepped, compute_scalars, real, run, tell_time

__all__ = [
    "Hyper", "RuleOptimizer", "Scalar", "State", "UpdateRule", "cos", "exp", "floor", "from_grad", "from_param",
    "largest", "log", "maximum", "minimum", "per_col", "per_element", "per_row", "per_tensor", "sign", "sin", "sqrt",
    "tanh", "total",
]


class RuleOptimizer(Optimizer):
    """An optimizer that steps as its class attribute `rule` says. All settings live in the parameter groups."""

    rule: ClassVar[UpdateRule]

    def __init__(self, params: ParamsT, defaults: dict[str, Any]) -> None:
        self._check_options(defaults)
        super().__init__(params, defaults)
        if self.rule.state_at_construction:
            for group in self.param_groups:
                hypers = self._hypers(group)
                for param in group["params"]:
                    self._state_of(param, param, group, hypers)

    @property
    def _step_supports_amp_scaling(self) -> bool:
        """Whether a GradScaler leaves it to `step` to unscale gradients and to skip a step with infinities."""
        return any(group.get("fused") for group in self.param_groups)

    def add_param_group(self, param_group: Group) -> None:
        """Add a parameter group. Raises ValueError for options out of bounds and parameters that cannot be updated."""
        if isinstance(param_group, dict):
            self._check_options({**self.defaults, **param_group})
        super().add_param_group(param_group)
        try:
            for position, param in enumerate(param_group["params"]):
                where = _checkpoints.named([param_group], 0, position).removesuffix(" of group 0")
                _check_param(type(self), where, param, self.rule)
        except ValueError:
            self.param_groups.pop()
            raise

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        fallback = self._fallback()
        for group in self.param_groups:
            for name, value in fallback.items():
                group.setdefault(name, value)
            for param in group["params"]:
                if param in self.state:
                    self.state[param] = _checkpoints.unpacked(self.state[param], param, group)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load the state dict of this class or of torch's. States keep their dtype; names decide, if both have them.

        Raises ValueError if a state is missing, is of another rule or has another shape than its parameter asks for.
        """

        def prepare(_: Optimizer, loaded: dict[str, Any]) -> dict[str, Any]:
            return _checkpoints.prepared(self.rule, self._fallback(), self.param_groups, loaded)

        # Registered last, so that it sees what the user's own hooks made of the dict.
        handle = self.register_load_state_dict_pre_hook(prepare)
        try:
            super().load_state_dict(state_dict)
        finally:
            handle.remove()
        self._launchers().clear()

    @overload
    def step(self, closure: None = None) -> None: ...

    @overload
    def step(self, closure: Callable[[], float]) -> float: ...

    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Update every parameter that has a gradient. A closure is called first; its value is returned."""
        if "capturable" in self.defaults:
            self._accelerator_graph_capture_health_check()
        loss = None
        with torch.set_grad_enabled(bool(self.defaults.get("differentiable"))):
            if closure is not None:
                with torch.enable_grad():
                    loss = closure()
            found_inf = getattr(self, "found_inf", None)  # set by a GradScaler, as grad_scale is
            if found_inf is None or not found_inf.item():
                self._step()
        return loss

    def _step(self) -> None:
        work = [(group, self._hypers(group), list(self._gradients(number, group)))
                for number, group in enumerate(self.param_groups)]
        stepped = [self._begin(group, hypers, *found) for group, hypers, gradients in work for found in gradients]
        tell_time(stepped)
        compute_scalars(stepped)
        run(_fused.launch(stepped, self._launchers()))

    def _gradients(self, number: int, group: Group) -> Iterator[tuple[UpdateRule, Tensor, Tensor]]:
        """The parameters of a group that have a gradient: their rule, themselves, the gradient as a strided tensor."""
        scale = getattr(self, "grad_scale", None)
        for position, param in enumerate(group["params"]):
            grad = param.grad
            if grad is None:
                continue
            if grad.layout is not torch.strided:
                grad = _dense(type(self), self.rule, group, grad)
            if grad.shape != param.shape or grad.device != param.device or grad.is_complex() != param.is_complex():
                where = _checkpoints.named(self.param_groups, number, position)
                raise ValueError(f"{where} is {_shown(param)}, but its gradient is {_shown(grad)}")
            rule = self.rule.for_ndim(param.dim())
            assert rule is not None  # refused at construction otherwise
            yield rule, param, grad if scale is None else grad / scale.to(grad.device)

    def _begin(self, group: Group, hypers: dict[str, Any], rule: UpdateRule, param: Tensor, grad: Tensor) -> Stepped:
        """Fetches or creates the state of one parameter and counts the step."""
        states = rule.states(**answer(rule.states, hypers))
        old = self.state.get(param, {})
        first = any(old.get(key) is None for key in states)
        state = self._state_of(param, grad, group, hypers)
        count = state.get("step") if "step" in rule.keys else None
        t = None
        if count is not None:
            count += 1
            t = int(count.item()) if count.device.type == "cpu" else None
        stored = {key: real(state[key]) for key in states}
        return Stepped(rule, group, real(param), real(grad), states, stored, hypers, first, count, t)

    def _state_of(self, param: Tensor, grad: Tensor, group: Group, hypers: dict[str, Any]) -> dict[str, Any]:
        """The state of a parameter, created where the variant in force lacks it."""
        rule = self.rule.for_ndim(param.dim()) or self.rule
        states = rule.states(**answer(rule.states, hypers))
        if not states and "step" not in rule.keys:
            return {}
        state: dict[str, Any] = self.state[param]
        if "step" in rule.keys and "step" not in state:
            device = param.device if _checkpoints.on_device(group) else None
            state["step"] = torch.zeros((), dtype=_checkpoints.count_dtype(group), device=device)
        for key, kind in states.items():
            if state.get(key) is None:
                state[key] = _new_state(kind, param, grad, group)
        return state

    def _hypers(self, group: Group) -> dict[str, Any]:
        """The hyperparameters of a group by symbol. Raises ValueError for what a scheduler may have put there."""
        keep = group.get("differentiable") or group.get("capturable")
        hypers = read(self.rule.hypers, group, keep_tensors=bool(keep))
        message = self.rule.requires(**answer(self.rule.requires, hypers)) if self.rule.requires else ""
        if message:
            raise ValueError(message)
        return hypers

    def _check_options(self, options: dict[str, Any]) -> None:
        self._hypers({**options, "differentiable": False, "capturable": False})
        if options.get("foreach") and options.get("capturable") is False and "fused" in options:
            for hyper in self.rule.hypers:
                for symbol, part in hyper.symbols(options[hyper.name]):
                    if isinstance(part, Tensor):
                        shown = f"{hyper.name}[{hyper.names.index(symbol)}]" if hyper.names else symbol
                        raise ValueError(f"{shown} as a Tensor is not supported for capturable=False and foreach=True")
        if options.get("fused") and options.get("differentiable"):
            raise RuntimeError("`fused` does not support `differentiable`")
        if options.get("fused") and options.get("foreach"):
            raise RuntimeError("`fused` and `foreach` cannot be `True` together.")

    def _fallback(self) -> dict[str, Any]:
        """The constructor's defaults: what a group saved by an older version lacks."""
        owner = next(cls for cls in type(self).__mro__ if "rule" in vars(cls))
        arguments = inspect.signature(owner).parameters.values()
        return {**self.defaults, **{one.name: one.default for one in arguments if one.default is not one.empty}}

    def _launchers(self) -> dict[Any, Any]:
        launchers: dict[Any, Any] = self.__dict__.setdefault("_fused_launchers", {})
        return launchers


def _new_state(kind: State, param: Tensor, grad: Tensor, group: Group) -> Tensor:
    dtype = (None if param.is_complex() else group.get("state_dtype")) or param.dtype
    shape = kind.shape(param.shape)
    if kind.host:
        return torch.full((), kind.init, dtype=_checkpoints.count_dtype(group))  # type: ignore[arg-type]  # host states start at a number
    if tuple(shape) == tuple(param.shape):
        state = torch.zeros_like(param, dtype=dtype, memory_format=torch.preserve_format)
    else:
        state = torch.zeros(shape, dtype=dtype, device=param.device)
    if callable(kind.init):
        start = kind.init(param, -grad if group.get("maximize") else grad)
        return state.copy_(start)
    if kind.init != 0:
        real(state).fill_(kind.init)
    return state


def _check_param(cls: type, where: str, param: Tensor, rule: UpdateRule) -> None:
    if not (param.is_floating_point() or param.is_complex()):
        raise ValueError(f"{cls.__name__} cannot update {where}: its dtype is {param.dtype}")
    if param.is_complex() and not rule.supports_complex:
        raise ValueError(f"{cls.__name__} does not support complex parameters: {where}")
    if rule.for_ndim(param.dim()) is None:
        shapes = f"{rule.ndim}D parameters" if rule.ndim is not None else f"parameters of {rule.min_ndim} axes or more"
        raise ValueError(f"{cls.__name__} only supports {shapes} whereas we found a parameter with size: {param.shape}")
    if param.layout is torch.strided and _overlaps(param):
        raise ValueError(f"{cls.__name__} cannot update {where}: its elements share memory (an expanded tensor)")


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


def _dense(cls: type, rule: UpdateRule, group: Group, grad: Tensor) -> Tensor:
    if not rule.sparse:
        who = cls.__name__
        told = ("Adam", ", please consider SparseAdam instead") if who in ("Adam", "AdamW") else (who, "")
        raise RuntimeError(f"{told[0]} does not support sparse gradients{told[1]}")
    if group.get("weight_decay"):
        raise RuntimeError("weight_decay option is not compatible with sparse gradients")
    return grad.to_dense()
