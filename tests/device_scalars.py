"""Device scalars: what the host block of a step computes, and how far from it a prologue in float64 may be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import sympy

from optgen.bounds import FP64, MULTI, Bounded, Machine, magnitude
from optgen.bounds.bounded import FUNCTION
from optgen.dsl import Rule, literal
from optgen.ir import Step, symbol
from optgen.oracle.tensor import Tensor
from optgen.printers import taken_from_one

MACHINE = Machine(FP64, FP64, FP64, reals=MULTI)


def roundings(z: Any) -> Any:
    """Of 1 - x**y by way of exp(z), z = y log|x|: 1 + max(z, 0) times those in z, then those of exp, log and three
    operations."""
    return (FUNCTION + 1) * (1 + np.maximum(z, 0)) + 2 * FUNCTION + 3


def scalars(rule: Rule, step: Step, given: Mapping[str, float]) -> dict[str, Bounded | bool]:
    """The value of each target of the host block, with its bound; a truth value without one.

    given: numbers and truth values that are not computed there. Raises ValueError for a truth value that is in doubt.
    """
    known = {symbol(name): MACHINE.tensor(value) for name, value in given.items() if not isinstance(value, bool)}
    static = {symbol(name, boolean=True): value for name, value in given.items() if isinstance(value, bool)}
    tensor = Tensor(rule, MACHINE, static, known)
    found: dict[str, Bounded | bool] = {}
    for statement in step.host:
        target = step.var(statement.target).symbol
        if step.var(statement.target).boolean:
            condition = tensor.condition(statement.expr)
            if condition.doubtful:
                raise ValueError(f"{statement.target} is in doubt")
            found[statement.target] = static[target] = bool(condition.holds)
        else:
            with literal():
                expr = statement.expr.replace(_is_taken_from_one, lambda node: _named(tensor, node))
            found[statement.target] = tensor.known[target] = tensor.evaluate(expr)
    return found


def _is_taken_from_one(node: Any) -> bool:
    return isinstance(node, sympy.Add) and taken_from_one(node) is not None


def _named(tensor: Tensor, node: Any) -> Any:
    """A symbol for 1 - x**y, whose value the tensor then knows."""
    name = sympy.Dummy()
    power = tensor.evaluate(taken_from_one(node))
    base, exponent = (tensor.evaluate(part).value for part in taken_from_one(node).args)
    value = MULTI.array(1) - power.value
    log = magnitude(exponent) * np.log(np.maximum(magnitude(base), 1e-300)) * np.sign(float(exponent))
    tensor.known[name] = MACHINE.tensor(value)
    error = (roundings(log) * MACHINE.device_unit) * magnitude(value) + FP64.tiny
    tensor.known[name] = Bounded(value, error, np.asarray(False), np.asarray(bool(value >= error)))
    return name
