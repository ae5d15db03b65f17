"""Runners: one generated module each, stepped like a user would, its parameters and states read back in float64."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import ModuleType
from typing import Any, Protocol

import numpy as np
import torch
from torch.optim import Optimizer

from optgen.bounds import BF16, FLOAT, FP16, FP32, FP64, MULTI, Format, Machine
from optgen.verify.cases import lay
from optgen.verify.storage import BESIDE, Decoder, as_bits, decoder

Array = Any
States = list[dict[str, Any]]
Inputs = Mapping[str, Sequence[Array | None]]
NUMPY = {FP32: np.float32, FP64: np.float64}
TORCH = {FP32: torch.float32, FP64: torch.float64, FP16: torch.float16, BF16: torch.bfloat16}


@dataclass(frozen=True, slots=True)
class Storage:
    """The formats of parameters (and gradients) and of states; arithmetic is float32, or float64 for float64."""

    param: Format
    state: Format

    def __str__(self) -> str:
        return self.param.name if self.param is self.state else f"{self.param.name}, {self.state.name} states"

    def machine(self, host_scalar: Format = FP64) -> Machine:
        """The arithmetic that a correct backend does at least as well as."""
        compute = FP64 if self.param is FP64 else FP32
        return Machine(compute, self.param, self.state, host_scalar, reals=MULTI if compute is FP64 else FLOAT)

    def round(self, values: Array) -> Array:
        """The values that the format of parameters holds, in float64."""
        return double(torch.from_numpy(np.asarray(values, np.float64)).to(TORCH[self.param]))


def machine_of(storage: Storage, runner: Runner, read: Decoder) -> Machine:
    """The arithmetic of a runner. What a parameter in a format loses on the way to memory is told by its decoder."""
    machine = storage.machine(runner.host_scalar)
    return replace(machine, param=FP32) if read.param is not None and storage.param is BF16 else machine


class Runner(Protocol):
    """A backend that holds one model."""

    host_scalar: Format
    shares: bool  # whether all parameters have what is common to the model, whichever are stepped
    decoder: Decoder  # of what is stored in formats
    missed: States  # for each parameter how far it, as "param", and its states in formats may be from what was to be
    # stored, at the last read

    def step(self, grads: Sequence[Array | None], counts: Sequence[int], inputs: Inputs) -> None:
        """Makes one step, the counts[i]-th of parameter i. Gradients and what is given besides are float64 that the
        storage format holds."""

    def read(self) -> tuple[list[Array], States]:
        """Parameters and states as they are stored, in float64; what is stored in codes, as what these stand for."""

    def complaint(self) -> str:
        """What is wrong beside numbers, such as inputs that were modified; empty if nothing."""

    def note(self) -> str:
        """What a reader of the report should know; empty if nothing."""


@dataclass(slots=True)
class NumpyRunner:
    """`init` and `step` of a NumPy module. Each step is also made in place, which must give the same bits."""

    module: ModuleType
    params: list[Array]
    hypers: Mapping[str, Any]
    layout: str
    decoder: Decoder = field(default_factory=Decoder)
    state: States = field(default_factory=list)
    missed: States = field(default_factory=list)
    wrong: str = ""
    shares: bool = False
    host_scalar: Format = FP64

    def __post_init__(self) -> None:
        self.state = self.module.init(self.params, **self.hypers)

    def step(self, grads: Sequence[Array | None], counts: Sequence[int], inputs: Inputs) -> None:
        given, *values = (
            [None if x is None else lay(x.astype(_computed(param)), self.layout)
             for x, param in zip(of, self.params, strict=True)]
            for of in (grads, *inputs.values())
        )
        besides = dict(zip(inputs, values, strict=True))
        before = _bits([self.params, self.state, given, besides])
        copies = [np.array(p) for p in self.params], [{k: np.copy(v)[()] for k, v in s.items()} for s in self.state]
        params, state = self.module.step(self.params, given, self.state, list(counts), **besides, **self.hypers)
        if _bits([self.params, self.state, given, besides]) != before:
            self.wrong = "step modified its arguments"
        in_place = self.module.step(copies[0], given, copies[1], list(counts), **besides, **self.hypers, out=True)
        if _bits(in_place) != _bits((params, state)) or _bits([copies[0]]) != _bits([params]):
            self.wrong = "out=True gives other numbers"
        if any(new.dtype != old.dtype or new.shape != old.shape for new, old in zip(params, self.params, strict=True)):
            self.wrong = "a parameter changed its dtype or shape"
        self.params, self.state = [lay(p, self.layout) for p in params], state

    def read(self) -> tuple[list[Array], States]:
        read = [self.decoder.read(s, p.shape, range(p.ndim)) for s, p in zip(self.state, self.params, strict=True)]
        self.missed = [missed for _, missed in read]
        if self.decoder.param is None:
            return [p.astype(np.float64) for p in self.params], [values for values, _ in read]
        held = [self.decoder.read_param(p, s) for p, s in zip(self.params, self.state, strict=True)]
        self.missed = [{**missed, "param": own} for missed, (_, own) in zip(self.missed, held, strict=True)]
        return [numbers for numbers, _ in held], [values for values, _ in read]

    def complaint(self) -> str:
        return self.wrong

    def note(self) -> str:
        return ""


def _computed(param: Array) -> Any:
    """The dtype that NumPy computes a parameter in; it takes bfloat16 as bits."""
    return np.float32 if param.dtype == np.uint16 else param.dtype


def _bits(tree: Any) -> Any:
    """Nested lists and dicts of arrays as values that compare bit for bit."""
    if isinstance(tree, Mapping):
        return {key: _bits(value) for key, value in tree.items()}
    if isinstance(tree, (list, tuple)):
        return [_bits(value) for value in tree]
    return None if tree is None else np.asarray(tree).tobytes()


@dataclass(slots=True)
class TorchRunner:
    """The optimizer class of a PyTorch module, eager or fused."""

    optimizer: Optimizer
    params: list[torch.Tensor]
    layout: str
    stored: Format
    eager_calls: list[str]
    fused: bool = False
    decoder: Decoder = field(default_factory=Decoder)
    missed: States = field(default_factory=list)
    wrong: str = ""
    shares: bool = True
    host_scalar: Format = FP32  # torch keeps step counts, and so we keep host scalars, in float32

    def step(self, grads: Sequence[Array | None], counts: Sequence[int], inputs: Inputs) -> None:
        for param, grad, count in zip(self.params, grads, counts, strict=True):
            param.grad = None if grad is None else tensor(grad, param.dtype, self.layout, param.device)
            state = self.optimizer.state.get(param, {})
            if "step" in state:
                state["step"].fill_(count - 1)
            elif count > 1 and "step" in self.optimizer.rule.keys:  # type: ignore[attr-defined]  # of RuleOptimizer
                self.optimizer.state[param]["step"] = torch.tensor(float(count - 1), device=param.device)
        pairs = {name: list(zip(self.params, of, strict=True)) for name, of in inputs.items()}
        besides = {
            name: [None if x is None else tensor(x, p.dtype, self.layout, p.device) for p, x in of]
            for name, of in pairs.items()
        }
        make_step: Callable[..., Any] = self.optimizer.step
        make_step(**besides)
        for param, grad, count in zip(self.params, grads, counts, strict=True):
            told = self.optimizer.state.get(param, {}).get("step")
            if told is not None and int(told) != (count - 1 if grad is None else count):
                self.wrong = f"the step count of a parameter is {int(told)} after step {count}"
            self._check_dtypes(param)

    def _check_dtypes(self, param: torch.Tensor) -> None:
        for key, value in self.optimizer.state.get(param, {}).items():
            is_own = key.removesuffix("_absmax") in self.decoder.formats or key in BESIDE
            if value.ndim and value.dtype != TORCH[self.stored] and not is_own:
                self.wrong = f"state {key} is stored as {value.dtype}"

    def read(self) -> tuple[list[Array], States]:
        states = [self.optimizer.state.get(param, {}) for param in self.params]
        arrays = [{k: _array(v) for k, v in s.items() if k != "step"} for s in states]
        read = [self.decoder.read(kept, param.shape, _order(param))
                for kept, param in zip(arrays, self.params, strict=True)]
        self.missed = [missed for _, missed in read]
        params = [double(p) for p in self.params]
        for i, kept in enumerate(arrays):
            if self.decoder.param is not None and self.params[i].dtype is torch.bfloat16:
                params[i], self.missed[i]["param"] = self.decoder.read_param(as_bits(params[i]), kept)
        return params, [values for values, _ in read]

    def complaint(self) -> str:
        return self.wrong

    def note(self) -> str:
        return "not fused: stepped eagerly" if self.fused and self.eager_calls else ""


def _array(x: torch.Tensor) -> Array:
    """Whole numbers as they are, all else in float64."""
    return double(x) if x.is_floating_point() else x.detach().cpu().numpy()


def _order(x: torch.Tensor) -> list[int]:
    """The axes of a tensor, from the outermost in memory."""
    return sorted(range(x.dim()), key=lambda axis: (-int(x.stride()[axis]), axis))


def optimizer_class(module: ModuleType) -> type[Optimizer]:
    """The optimizer that a generated module defines."""
    return next(c for c in vars(module).values()
                if isinstance(c, type) and issubclass(c, Optimizer) and c.__module__ == module.__name__)


def numpy_runner(module: ModuleType, values: Sequence[Array], hypers: Mapping[str, Any], layout: str,
                 storage: Storage, read: Decoder | None = None) -> NumpyRunner:
    """A model for a NumPy module. read: how what it stores in formats is read, that of the module if not given."""
    read = read or decoder(module)
    made = [as_bits(storage.round(v)) if read.param is not None else v.astype(NUMPY[storage.param]) for v in values]
    return NumpyRunner(module, [lay(v, layout) for v in made], hypers, layout, read)


def torch_runner(module: ModuleType, values: Sequence[Array], hypers: Mapping[str, Any], layout: str, storage: Storage,
                 fused: bool | None = False, device: str = "cpu", read: Decoder | None = None) -> TorchRunner:
    """A model for a PyTorch module, or for its fused steps; None is the default of a user, C on a CPU.

    read: how its states are read, where they are stored in codes.
    """
    params = [torch.nn.Parameter(tensor(v, TORCH[storage.param], layout, device)) for v in values]
    make: Any = optimizer_class(module)  # which may create the state at once, so that its dtype is in the group
    group = {"params": params, "fused": fused}
    try:
        optimizer = make([{**group, "state_dtype": TORCH[storage.state]}], **hypers)
    except RuntimeError as error:
        if "`state_dtype` is not possible" not in str(error):
            raise
        optimizer = make([group], **hypers)  # every state has a format, which decides its dtype
    calls: list[str] = []
    counted = tuple(_Counted(update, calls) for update in optimizer.rule.updates)
    optimizer.rule = replace(optimizer.rule, updates=counted)
    is_fused, reads = fused is not False, read or Decoder()
    return TorchRunner(optimizer, list(params), layout, storage.state, calls, is_fused, reads)


def missing_step(module: ModuleType, hypers: Mapping[str, Any], shape: tuple[int, ...]) -> str:
    """Why the optimizer of a module cannot step a parameter of a shape fused on the CPU, or nothing."""
    param = torch.nn.Parameter(torch.zeros(shape))
    param.grad = torch.zeros(shape)
    optimizer: Any = optimizer_class(module)
    try:
        made = optimizer([{"params": [param], "fused": True}], **hypers)
        made.step(**{name: [torch.zeros(shape)] for name in _inputs_of(made.rule)})
    except RuntimeError as error:
        return str(error)
    return ""


def _inputs_of(rule: Any) -> list[str]:
    """The names of what a rule, or that of other shapes, is given besides the gradient."""
    return [one.name for one in rule.inputs] + (_inputs_of(rule.otherwise) if rule.otherwise else [])


class _Counted:
    """An update function that writes down its calls. The runtime reads parameter names off `__code__`."""

    def __init__(self, update: Any, calls: list[str]) -> None:
        self.update, self.calls, self.__code__ = update, calls, update.__code__

    def __call__(self, *args: Any, **given: Any) -> Any:
        self.calls.append(self.update.__name__)
        return self.update(*args, **given)


def tensor(values: Array, dtype: torch.dtype, layout: str, device: torch.device | str = "cpu") -> torch.Tensor:
    """A tensor of this dtype and layout in memory."""
    laid = lay(np.asarray(values, np.float64), layout)
    strides = [s // laid.itemsize for s in laid.strides]
    room = 1 + sum((n - 1) * s for n, s in zip(laid.shape, strides, strict=True)) if laid.size else 0
    made = torch.zeros(room, dtype=dtype, device=device).as_strided(laid.shape, strides)
    return made.copy_(torch.from_numpy(np.ascontiguousarray(laid)).reshape(laid.shape).to(dtype))


def double(x: torch.Tensor) -> Array:
    """The values of a tensor in float64."""
    return x.detach().to("cpu", torch.float64).numpy().copy()
