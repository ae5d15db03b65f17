"""RuleOptimizer: everything of a torch.optim.Optimizer that no update rule changes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, overload

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.optimizer import ParamsT

from . import _checkpoints, _common, _exchange, _faults, _fused, _inputs, _repeat, _run
from ._checkpoints import Group
from ._hypers import Fixed, Hyper, Scalar, read
from ._inputs import Given, Inputs
from ._rounding import to_bfloat16
from ._rule import (
    Input,
    State,
    UpdateRule,
    check_together,
    cols_by_cols,
    cols_by_rows,
    from_grad,
    from_param,
    largest,
    per_col,
    per_element,
    per_matrix,
    per_row,
    per_tensor,
    rows_by_rows,
    total,
)
from ._scalars import choose, cos, exp, floor, log, maximum, minimum, negated, sign, sin, sqrt, tanh
from ._start import new_state
from ._step import Stepped, compute_scalars, parts_of, tell_time, unread
from ._storage import real

__all__ = [
    "Fixed", "Hyper", "Input", "Inputs", "RuleOptimizer", "Scalar", "State", "UpdateRule", "choose", "cols_by_cols",
    "cols_by_rows", "cos", "exp", "floor", "from_grad", "from_param", "largest", "log", "maximum", "minimum", "negated",
    "per_col", "per_element", "per_matrix", "per_row", "per_tensor", "rows_by_rows", "sign", "sin", "sqrt", "tanh",
    "to_bfloat16", "total",
]


class RuleOptimizer(Optimizer):
    """An optimizer that steps as its class attribute `rule` says. All settings live in the parameter groups."""

    rule: ClassVar[UpdateRule]
    _last: _repeat.Repeat | None = None  # the last step, where it can be made again

    def __init__(self, params: ParamsT, defaults: dict[str, Any]) -> None:
        self._check_options(defaults)
        super().__init__(params, defaults)
        if self.rule.state_at_construction:
            for group, param, rule, states in self._each():
                self._state_of(param, real(param), rule, states, group)

    @property
    def _step_supports_amp_scaling(self) -> bool:
        """Whether a GradScaler leaves it to `step` to unscale gradients and to skip a step with infinities."""
        return any(group.get("fused") for group in self.param_groups)

    def add_param_group(self, param_group: Group) -> None:
        """Add a parameter group. Raises ValueError for options out of bounds and parameters that cannot be updated."""
        if isinstance(param_group, dict):
            self._check_options({**self.defaults, **param_group})
        super().add_param_group(param_group)
        for position, param in enumerate(param_group["params"]):
            where = _checkpoints.named(self.param_groups, len(self.param_groups) - 1, position)
            fault = _faults.in_param(type(self), where, param, self.rule)
            if fault:
                self.param_groups.pop()
                raise ValueError(fault)

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
            return _checkpoints.prepared(type(self).__name__, self.rule, self._fallback(), self.param_groups, loaded)

        # Registered last, so that it sees what the user's own hooks made of the dict.
        handle = self.register_load_state_dict_pre_hook(prepare)
        try:
            super().load_state_dict(state_dict)
        finally:
            handle.remove()
        for launcher in self._launchers().values():
            launcher.reset()
        self._last = None

    def state_dict_fp32(self) -> dict[str, Any]:
        """The state dict as torch's class of the rule loads it: states with a storage format as float32 numbers."""
        return _exchange.exported(self.state_dict(), self._each(), _exchange.as_numbers)

    def state_dict_bitsandbytes(self) -> dict[str, Any]:
        """The state dict as bitsandbytes' class of the rule loads it: 8-bit states in its layout, others in 32 bits.

        Raises ValueError for a rule whose states or hyperparameters bitsandbytes has no place for.
        """
        saved = _exchange.exported(self.state_dict(), self._each(), _exchange.to_bitsandbytes)
        return _exchange.in_groups_of_bitsandbytes(type(self).__name__, saved)

    def _each(self) -> Iterator[tuple[Group, Tensor, UpdateRule, dict[str, State]]]:
        """Each parameter with its group, its rule and its states, in the order of a state dict."""
        for group in self.param_groups:
            hypers = self._hypers(group)
            for param in group["params"]:
                rule = self.rule.fitting(param) or self.rule
                yield group, param, rule, rule.kept(hypers, param)

    def share_memory(self) -> None:
        """Move the states to memory that other processes share, as torch's Adagrad can for Hogwild training."""
        for state in self.state.values():
            for value in state.values():
                value.share_memory_()

    @overload
    def step(self, closure: None = None) -> None: ...

    @overload
    def step(self, closure: Callable[[], float]) -> float: ...

    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Update every parameter that has a gradient. A closure is called first; its value is returned."""
        return self._make_step(closure, {})

    def _make_step(self, closure: Callable[[], float] | None, inputs: Mapping[str, Inputs | None]) -> float | None:
        if "capturable" in self.defaults:
            self._accelerator_graph_capture_health_check()
        loss = None
        with torch.set_grad_enabled(bool(self.defaults.get("differentiable"))):
            if closure is not None:
                with torch.enable_grad():
                    loss = closure()
            # Set by a GradScaler, if it leaves to a step what it would else do before it.
            scale, found_inf = getattr(self, "grad_scale", None), getattr(self, "found_inf", None)
            given = _inputs.told(type(self).__name__, self.param_groups, inputs)
            left = self._step_again(scale, found_inf) if not given else None
            if left is not None and not left:
                return loss
            self._step(scale, found_inf, left, given)
        return loss

    def _step_again(self, scale: Tensor | None, found_inf: Tensor | None) -> list[Tensor] | None:
        """The last step once more, if it was fused and little has changed: those left to step, or None for all."""
        last, self._last = self._last, None
        if last is None or torch.compiler.is_compiling() or not last.holds(self.param_groups, self.state):
            return None
        if not (last.reads(scale) and last.reads(found_inf)):
            return None
        last.read([hyper.name for hyper in self.rule.hypers], self._hypers)
        left = last.step(grad_scale=scale, found_inf=found_inf)
        self._last = last if left == [] else None
        return left

    def _step(
        self, scale: Tensor | None, found_inf: Tensor | None, only: list[Tensor] | None, given: Given
    ) -> None:
        self._last = None
        # All is looked at before anything changes, so that an error leaves everything as it was.
        chosen = None if only is None else {*map(id, only)}
        numbers = range(len(self.param_groups))
        stepped = [one for number in numbers for one in self._found(number, scale, chosen, given)]
        _inputs.check_together(type(self).__name__, given, stepped)
        bunches, rest = _fused.choose(stepped, self._launchers(), self.state)
        if found_inf is not None and not _fused.can_skip(bunches, rest, found_inf):
            if found_inf.item():
                return
            found_inf = None
        for one in stepped:
            self._begin(one)
        _common.take_over(stepped, self.state)
        for bunch in bunches:
            if bunch.is_timed:
                rest += bunch.step(found_inf)
        if found_inf is not None and rest and found_inf.item():
            return
        untimed = [one for bunch in bunches if not bunch.is_timed for one in bunch.ones] + rest
        tell_time(untimed)
        compute_scalars(untimed)
        for bunch in bunches:
            if not bunch.is_timed:
                rest += bunch.step(None)
        for one in rest:
            one.unscale()
        _run.run(rest)
        is_whole = not _common.hand_out(stepped, self.state) and only is None
        if is_whole and bunches and _repeat.is_repeatable(bunches, rest):
            self._last = _repeat.Repeat(self.param_groups, self.state, bunches)

    def _found(self, number: int, scale: Tensor | None, only: set[int] | None, given: Given) -> Iterator[Stepped]:
        """The parameters of a group that have a gradient, or some. Raises ValueError for what cannot be stepped."""
        group = self.param_groups[number]
        hypers = self._hypers(group)
        kept: dict[tuple[int, torch.dtype], dict[str, State]] = {}
        first = sum(len(each["params"]) for each in self.param_groups[:number])
        known: dict[tuple[bool, ...], dict[str, Any]] = {}
        for position, param in enumerate(group["params"]):
            grad = param.grad
            if grad is None or (only is not None and id(param) not in only):
                continue
            rule = self.rule.fitting(param)
            assert rule is not None  # refused at construction otherwise
            if (id(rule), param.dtype) not in kept:
                kept[id(rule), param.dtype] = rule.kept(hypers, param)
            states = kept[id(rule), param.dtype]
            fault = _faults.in_step(param, grad, states, self.state.get(param, {})) or _inputs.fault(rule, given, param)
            if fault:
                raise ValueError(f"{_checkpoints.named(self.param_groups, number, position)}: {fault}")
            if group.get("capturable"):
                _faults.check_capturable(param)
            grad = grad if grad.layout is torch.strided else _faults.dense(type(self), rule, hypers, grad)
            inputs = _inputs.of_param(rule, given, param, real(param))
            there = _inputs.presence(rule, inputs)
            mine = known.setdefault((*there.values(),), {**hypers, **there}) if there else hypers
            one = Stepped(rule, group, mine, states, param, real(param), real(grad), first + position, scale, inputs)
            one.first = self._is_first(one)
            if any(state.init is from_grad for state in states.values()):
                one.unscale()
            yield one

    def _begin(self, one: Stepped) -> None:
        """Fetches or creates the state of a parameter. One that is given twice has its first step once."""
        one.first = self._is_first(one)
        state = self._state_of(one.owner, one.grad, one.rule, one.states, one.group)
        one.stored = parts_of(one.states, state)
        one.count = state["step"] if "step" in one.rule.keys else None

    def _is_first(self, one: Stepped) -> bool:
        kept = self.state.get(one.owner, {})
        return any(kept.get(key) is None for key, state in one.states.items() if not state.is_beside)

    def _state_of(
        self, param: Tensor, grad: Tensor, rule: UpdateRule, states: Mapping[str, State], group: Group
    ) -> dict[str, Any]:
        """The state of a parameter, created where the variant in force lacks it. `grad` is a real view."""
        if not states and "step" not in rule.keys:
            return {}
        state: dict[str, Any] = self.state[param]
        if "step" in rule.keys and "step" not in state:
            device = param.device if _checkpoints.on_device(group) else None
            state["step"] = torch.zeros((), dtype=_checkpoints.count_dtype(group), device=device)
        for key, kind in states.items():
            names = kind.keys(key)
            if any(state.get(name) is None for name in names):
                state.update(zip(names, new_state(kind, param, grad, group), strict=True))
        return state

    def _hypers(self, group: Group) -> dict[str, Any]:
        """The hyperparameters of a group by symbol. Raises ValueError for what a scheduler may have put there."""
        blind = unread(group)
        hypers = read(self.rule.hypers, group, blind or bool(group.get("differentiable")), blind)
        check_together(type(self).__name__, self.rule, group, hypers)
        return {**hypers, **_inputs.none_given(self.rule)}

    def _check_options(self, options: dict[str, Any]) -> None:
        hypers = self._hypers({**options, "differentiable": False, "capturable": False})
        if options.get("foreach") and options.get("capturable") is False and "fused" in options:
            for hyper in self.rule.hypers:
                for symbol, part in hyper.symbols(options[hyper.name]):
                    if isinstance(part, Tensor):
                        shown = f"{hyper.name}[{hyper.names.index(symbol)}]" if hyper.names else symbol
                        raise ValueError(f"{shown} as a Tensor is not supported for capturable=False and foreach=True")
        fault = _faults.in_formats(self.rule, hypers, options)
        if fault:
            raise RuntimeError(fault)
        if options.get("fused") and options.get("differentiable"):
            raise RuntimeError("`fused` does not support `differentiable`")
        if options.get("fused") and options.get("foreach"):
            raise RuntimeError("`fused` and `foreach` cannot be `True` together.")

    def _fallback(self) -> dict[str, Any]:
        """The constructor's defaults: what a group saved by an older version lacks."""
        owner = next(cls for cls in type(self).__mro__ if "rule" in vars(cls))
        arguments = inspect.signature(owner).parameters
        own = {one.name: one.default for one in arguments.values() if one.default is not one.empty}
        added = {"differentiable"} - set(own)  # by torch, when it loads, to the defaults of any class
        return {**{name: value for name, value in self.defaults.items() if name not in added}, **own}

    def _launchers(self) -> dict[Any, Any]:
        launchers: dict[Any, Any] = self.__dict__.setdefault("_fused_launchers", {})
        return launchers
