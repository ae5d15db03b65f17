"""Oracle: one step of a whole model, by reading a rule's equations literally. It shares no code with the compiler."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import sympy
from sympy import IndexedBase, Symbol

from optgen.bounds import EXACT, FLOAT, FP32, FP64, MULTI, Bounded, Format, Machine
from optgen.dsl.inputs import Given
from optgen.dsl.rule import Eq, Rule, Schedule
from optgen.dsl.symbols import Declaration, Hyper, Kind, first, t
from optgen.errors import OptgenError
from optgen.oracle.reading import NOW, PAST, RECENT, extents
from optgen.oracle.tensor import Tensor

__all__ = ["among", "as_rule", "decide", "enclose", "factor", "rule_for", "states_in_force", "step", "symbols"]

Array = Any
State = Mapping[str, Any]
Inputs = Mapping[str, Sequence[Array | None]]
Missed = Callable[[str, Array], Array]
_EXACTLY = {reals is MULTI: Machine(EXACT, EXACT, EXACT, reals=reals) for reals in (FLOAT, MULTI)}


def step(rule: Rule, params: Sequence[Array], grads: Sequence[Array | None], state: Sequence[State],
         count: int | Sequence[int], hypers: Mapping[str, Any] | None = None, *, mp: bool = False,
         inputs: Inputs | None = None) -> tuple[list[Array], list[dict[str, Array]]]:
    """The parameters and states after one step, in float64, or in 128-bit mpmath numbers.

    count is the number of this step, from 1, of all parameters or of each. A state that is missing is created. hypers
    are named as the constructor names them; those that are missing take their defaults. inputs: by name, beside grads.
    """
    new, states = enclose(rule, params, grads, state, count, hypers, _EXACTLY[mp], inputs)
    return [p.value for p in new], [{key: s.value for key, s in one.items()} for one in states]


def enclose(rule: Rule, params: Sequence[Array], grads: Sequence[Array | None], state: Sequence[State],
            count: int | Sequence[int], hypers: Mapping[str, Any] | None, machine: Machine,
            inputs: Inputs | None = None, missed: Missed | None = None
            ) -> tuple[list[Bounded], list[dict[str, Bounded]]]:
    """As `step`, with the error that a backend which computes and stores as `machine` does may make.

    missed: given a state's key and the values that it starts at, how far from these what its storage format holds is. A
    parameter without a gradient and an empty one stay as they are. Only states of the variant in force are returned.
    """
    counts = [count] * len(params) if isinstance(count, int) else list(count)
    new: list[Bounded] = [machine.tensor(p) for p in params]
    states: list[dict[str, Bounded]] = [{} for _ in params]
    stepping = {}
    for i, (p, grad) in enumerate(zip(params, grads, strict=True)):
        if grad is not None and np.size(p):
            chosen = rule_for(rule, np.ndim(p))
            stepping[i] = _tensor(chosen, machine, np.shape(p), symbols(chosen, among(rule, chosen, hypers or {})))
            _fill(stepping[i], new[i], machine.tensor(grad), state[i], counts[i], missed)
            _give(stepping[i], {name: of[i] for name, of in (inputs or {}).items()})
    for tensor in stepping.values():
        tensor.together = [other for other in stepping.values() if other.rule is tensor.rule]
        tensor.common = tensor.together[0].common
    with np.errstate(all="ignore"):  # an overflow gives an infinite error, an operation without result a NaN
        for i, tensor in stepping.items():
            new[i] = machine.stored(machine.device(tensor.read((tensor.rule.param, NOW))), machine.param)
            states[i] = {key: machine.stored(tensor.read((q, NOW)), _format(tensor, q)) for q, key in _keys(tensor)}
    return new, states


def factor(schedule: Schedule, count: int, hypers: Mapping[str, Any] | None = None,
           machine: Machine | None = None) -> Bounded:
    """The factor of a schedule, at t = count."""
    machine, rule = machine or _EXACTLY[False], as_rule(schedule)
    tensor = Tensor(rule, machine, _values(symbols(rule, hypers or {}), machine), {t: machine.scalar(count)})
    with np.errstate(all="ignore"):
        return tensor.evaluate(schedule.value)


def as_rule(schedule: Schedule) -> Rule:
    """The schedule as a rule that makes its factor the parameter."""
    theta, g = IndexedBase("theta"), IndexedBase("g")
    return Rule(param=theta, grad=g, equations=[Eq(theta[t], schedule.value)], requires=schedule.requires,
                name=schedule.name)


def rule_for(rule: Rule, ndim: int) -> Rule:
    """The rule that a tensor of so many axes follows."""
    fits = (rule.ndim is None or ndim == rule.ndim) and (rule.min_ndim is None or ndim >= rule.min_ndim)
    if not fits and rule.otherwise is None:
        raise OptgenError(f"rule {rule.name!r} is not for tensors with {ndim} axes, and names no other rule for them")
    return rule if fits or rule.otherwise is None else rule_for(rule.otherwise, ndim)


def states_in_force(rule: Rule, shape: tuple[int, ...], hypers: Mapping[str, Any]) -> dict[str, bool]:
    """The keys of the states that one parameter holds, and whether each is a scalar on the host."""
    chosen = rule_for(rule, len(shape))
    tensor = _tensor(chosen, _EXACTLY[False], shape, symbols(chosen, among(rule, chosen, hypers)))
    host = tensor.on_host()
    return {key: quantity in host for quantity, key in _keys(tensor)}


def common_states(rule: Rule, shape: tuple[int, ...], hypers: Mapping[str, Any]) -> frozenset[str]:
    """The keys of the states of one parameter that have one value for the whole model."""
    chosen = rule_for(rule, len(shape))
    tensor = _tensor(chosen, _EXACTLY[False], shape, symbols(chosen, among(rule, chosen, hypers)))
    common = tensor.of_model()
    return frozenset(key for quantity, key in _keys(tensor) if quantity in common)


def decide(rule: Rule, condition: Any, hypers: Mapping[str, Any]) -> bool | None:
    """Whether a condition on hyperparameters holds; None if it depends on more."""
    return _tensor(rule, _EXACTLY[False], None, symbols(rule, hypers)).decide(condition)


def symbols(rule: Rule, hypers: Mapping[str, Any]) -> dict[Symbol, Any]:
    """The value of each hyperparameter's symbol, from values by the constructor's names.

    Raises OptgenError for a name that the rule does not declare.
    """
    declared, standing = _declared(tuple(rule.expressions()))
    strangers = sorted(set(hypers) - set(declared))
    if strangers:
        raise OptgenError(f"rule {rule.name!r} has no hyperparameter {', '.join(strangers)}")
    given: dict[str, Any] = {}
    for declaration in declared.values():
        value = hypers.get(declaration.name, declaration.default)
        elements = value if declaration.is_tuple else [value]
        given.update(zip(declaration.names, elements, strict=True))
    return {symbol: given[symbol.name] for symbol in standing}


def among(rule: Rule, chosen: Rule, hypers: Mapping[str, Any]) -> Mapping[str, Any]:
    """The values that `chosen`, one of the rules that `rule` joins, takes: what both name is declared by `rule`.

    Raises OptgenError for a name that none of them declares.
    """
    if rule.otherwise is None:
        return hypers
    declared: dict[str, Declaration] = {}
    part = rule
    while part is not None:
        declared = {**_declared(tuple(part.expressions()))[0], **declared}
        part = part.otherwise
    strangers = sorted(set(hypers) - set(declared))
    if strangers:
        raise OptgenError(f"rule {rule.name!r} has no hyperparameter {', '.join(strangers)}")
    values = {**{name: d.default for name, d in declared.items()}, **hypers}
    return {name: values[name] for name in _declared(tuple(chosen.expressions()))[0]}


@lru_cache(RECENT)
def _declared(expressions: tuple[Any, ...]) -> tuple[dict[str, Declaration], list[Hyper]]:
    """The declarations of hyperparameters by name, and the symbols that stand for them, in the order of declaration."""
    found = {atom for expression in expressions for atom in expression.atoms(Hyper)}
    standing = sorted(found, key=lambda s: s.declaration.order)
    return {s.declaration.name: s.declaration for s in standing}, standing


def _values(given: Mapping[Symbol, Any], machine: Machine) -> dict[Symbol, bool | Bounded]:
    stood = {s: _standing(s, machine) if v is None else v for s, v in given.items()}
    return {s: bool(v) if _is_flag(s) else machine.scalar(v) for s, v in stood.items() if v is not None}


def _standing(symbol: Symbol, machine: Machine) -> float | None:
    """What None is for a hyperparameter: the machine epsilon of the parameter's format, or no value."""
    none_is_eps = isinstance(symbol, Hyper) and symbol.declaration.none_is_eps
    return 2 * (machine.param.unit or FP64.unit) if none_is_eps else None


def _is_flag(symbol: Symbol) -> bool:
    return isinstance(symbol, Hyper) and symbol.declaration.kind is Kind.FLAG


def _tensor(rule: Rule, machine: Machine, shape: tuple[int, ...] | None, given: Mapping[Symbol, Any]) -> Tensor:
    sizes = {symbol: machine.scalar(size) for symbol, size in extents(shape).items()} if shape is not None else {}
    return Tensor(rule, machine, {**_values(given, machine), **sizes})


def _keys(tensor: Tensor) -> list[tuple[Any, str]]:
    named = {q: key for q, key in tensor.rule.state_keys.items() if isinstance(q, IndexedBase)}
    return [(q, named.get(q, str(q.label))) for q in tensor.states()]


def _format(tensor: Tensor, quantity: Any) -> Format:
    """What a state is stored as: few digits of one number would save nothing."""
    form = tensor.machine.state
    return FP32 if form.unit > FP32.unit and quantity in tensor.single() else form


def _fill(tensor: Tensor, param: Bounded, grad: Bounded, state: State, count: int,
          missed: Missed | None) -> None:
    """What is known before the step: t, the gradient, and the past of the parameter and of every state."""
    rule, machine, keys = tensor.rule, tensor.machine, _keys(tensor)
    tensor.known |= {t: machine.scalar(count), (rule.param, PAST): param, (rule.grad, NOW): grad}
    tensor.known[first] = any(key not in state for _, key in keys)
    host = tensor.on_host()
    for quantity, key in keys:
        if key not in state:
            past = _start(tensor, quantity, param, grad, quantity in host)
            if missed and rule.storage and quantity not in host:
                past = replace(past, error=past.error + missed(key, past.value))
        elif quantity in host:
            past = machine.scalar(float(state[key]))
        else:
            past = machine.tensor(state[key])
        tensor.known[quantity, PAST] = past


def _give(tensor: Tensor, inputs: Mapping[str, Array | None]) -> None:
    """What the step is given besides, and what it is not."""
    for quantity, name in tensor.rule.inputs.items():
        value = inputs.get(name)
        tensor.known[Given(quantity)] = value is not None
        if value is not None:
            tensor.known[quantity, NOW] = tensor.machine.tensor(value)


def _start(tensor: Tensor, quantity: Any, param: Bounded, grad: Bounded, host: bool) -> Bounded:
    value = tensor.rule.init.get(quantity, 0)
    if value in (tensor.rule.param, tensor.rule.grad):
        return tensor.machine.stored(param if value == tensor.rule.param else grad, tensor.machine.state)
    made = tensor.evaluate(sympy.sympify(value))
    return made if host else tensor.machine.stored(tensor.machine.device(made), _format(tensor, quantity))
