"""Meaning: what equations and steps compute, in 200-bit arithmetic, read one node at a time.

A value is a list of arrays of mpmath numbers, one array (batch, rows, cols) for each tensor of the model; an axis that
a value lacks has length 1. Where a result does not exist it is a NaN.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import reduce
from typing import Any

import mpmath
import numpy as np
import sympy
from sympy import Add, And, Indexed, Mul, Not, Or, Pow, S, Symbol

from optgen.dsl import t
from optgen.dsl.functions import REDUCTIONS, Max, Min, amax, matmul, mean, norm, rms, transpose
from optgen.ir import BATCH, COLS, ROWS, TENSOR, Map, MatMul, Op, Phase, Place, Reduce, Role, Statement, Step, Var

mp = mpmath.mp.clone()
mp.prec = 200
NAN = mp.nan
CLOSE = mp.mpf("1e-25")

Value = list[np.ndarray[Any, Any]]
Values = dict[str, Value]

ORDER: dict[Any, Callable[[Any, Any], Any]] = {
    sympy.Le: operator.le, sympy.Lt: operator.lt, sympy.Ge: operator.ge, sympy.Gt: operator.gt, sympy.Eq: operator.eq,
    sympy.Ne: operator.ne,
}
PLACES = {BATCH: 0, ROWS: 1, COLS: 2}


def array(values: Any) -> np.ndarray[Any, Any]:
    """An array of mpmath numbers from floats, ints or bools, with three axes."""
    made = np.array(values, dtype=object)
    made = made.reshape((1,) * (3 - made.ndim) + made.shape)
    return each(lambda value: value if isinstance(value, (bool, np.bool_)) else mp.mpf(value), made)


def each(f: Callable[..., Any], *arrays: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """f of elements, broadcast."""
    grid = np.broadcast(*arrays)
    made = np.empty(grid.shape, dtype=object)
    made.flat = [f(*elements) for elements in grid]
    return made


def evaluate(expr: Any, values: Mapping[str, Value]) -> Value:
    """The value of an expression. Every branch is computed; where a condition is undefined so is the result."""
    with mp.workprec(200):
        return _of(sympy.sympify(expr), values)


def _of(expr: Any, values: Mapping[str, Value]) -> Value:
    if isinstance(expr, Symbol):
        return values[expr.name]
    if isinstance(expr, Indexed):
        return values[indexed_name(expr)]
    if isinstance(expr, (sympy.logic.boolalg.BooleanAtom, sympy.Number, sympy.NumberSymbol)):
        return [np.full((1, 1, 1), _constant(expr), dtype=object)] * len(next(iter(values.values())))
    if isinstance(expr, REDUCTIONS):
        return _reduction(expr, values)
    parts = [part for pair in expr.args for part in pair.args] if isinstance(expr, sympy.Piecewise) else expr.args
    args = [_of(part, values) for part in parts]
    if isinstance(expr, transpose):
        return [np.swapaxes(a, 1, 2) for a in args[0]]
    if isinstance(expr, matmul):
        return [a @ b for a, b in zip(*args, strict=True)]
    return [each(_operation(expr), *arrays) for arrays in zip(*args, strict=True)]


def _constant(expr: Any) -> Any:
    if isinstance(expr, sympy.logic.boolalg.BooleanAtom):
        return bool(expr)
    if expr == S.Pi:
        return mp.pi
    return mp.mpf(int(expr.p)) / int(expr.q) if isinstance(expr, sympy.Rational) else mp.mpf(float(expr))


def _operation(expr: Any) -> Callable[..., Any]:
    match expr:
        case Add():
            return lambda *terms: reduce(operator.add, terms)
        case Mul():
            return lambda *factors: reduce(operator.mul, factors)
        case Pow():
            return power
        case sympy.Piecewise():
            return _first_that_holds
        case And():
            return lambda *parts: all(parts)
        case Or():
            return lambda *parts: any(parts)
        case Not():
            return operator.not_
        case Max():
            return lambda a, b: a + b if mp.isnan(a) or mp.isnan(b) else max(a, b)
        case Min():
            return lambda a, b: a + b if mp.isnan(a) or mp.isnan(b) else min(a, b)
    if expr.func in ORDER:
        return ORDER[expr.func]
    return {"exp": mp.exp, "log": lambda a: mp.log(a) if a > 0 else NAN, "Abs": abs, "sign": mp.sign, "cos": mp.cos,
            "sin": mp.sin, "tanh": mp.tanh, "floor": mp.floor}[expr.func.__name__]


def _first_that_holds(*parts: Any) -> Any:
    return next((value for value, holds in zip(parts[::2], parts[1::2], strict=True) if holds), NAN)


def power(base: Any, exponent: Any) -> Any:
    """base**exponent among the reals, a NaN if there is none."""
    if exponent == -1:
        return 1 / base if base else NAN
    if (base < 0 and exponent != int(exponent)) or (base == 0 and exponent < 0):
        return NAN
    return base**exponent


def _reduction(expr: Any, values: Mapping[str, Value]) -> Value:
    arg, axis = _of(expr.args[0], values), expr.args[1].name
    over = {"elems": (BATCH, ROWS, COLS), "rows": (ROWS,), "cols": (COLS,), "model": (TENSOR, BATCH, ROWS, COLS)}[axis]
    if isinstance(expr, (norm, rms)):
        square = [each(lambda a: a * a, a) for a in arg]
        return [each(mp.sqrt, a) for a in combined(Op.SUM if isinstance(expr, norm) else Op.MEAN, square, over)]
    return combined(Op.MAX if isinstance(expr, amax) else Op.MEAN if isinstance(expr, mean) else Op.SUM, arg, over)


def combined(op: Op, arg: Value, over: Iterable[Any]) -> Value:
    """The sum, mean or maximum over axes."""
    over = tuple(over)
    places = tuple(PLACES[axis] for axis in over if axis is not TENSOR)
    fold = np.max if op is Op.MAX else np.sum
    made = [np.asarray(fold(a, axis=places, keepdims=True), dtype=object) for a in arg]
    if op is Op.MEAN:
        made = [each(lambda x, n=a.size // b.size: x / n, b) for a, b in zip(arg, made, strict=True)]
    if TENSOR in over:
        made = [reduce(max if op is Op.MAX else operator.add, (b[0, 0, 0] for b in made))] * len(made)
        made = [np.full((1, 1, 1), b, dtype=object) for b in made]
    return made


def indexed_name(quantity: Indexed) -> str:
    """m for m[t], m_prev for m[t - 1], x_2 for x[2]."""
    index = quantity.indices[0]
    suffix = "" if index == t else f"_{index}" if index.is_Integer else "_prev"
    return f"{quantity.base.label}{suffix}"


def statement(done: Statement, values: Mapping[str, Value]) -> Value:
    """What a statement assigns."""
    match done:
        case Map(expr=expr):
            return evaluate(expr, values)
        case Reduce(op=op, arg=arg, over=over):
            return combined(op, evaluate(arg, values), over)
        case MatMul(a=a, b=b, ta=ta, tb=tb):
            left = [np.swapaxes(x, 1, 2) if ta else x for x in values[a]]
            right = [np.swapaxes(x, 1, 2) if tb else x for x in values[b]]
            return [x @ y for x, y in zip(left, right, strict=True)]


def run(step: Step, given: Mapping[str, Value]) -> Values:
    """Every value of a step, the host's first."""
    values = {v.name: given[v.name] for v in step.vars if v.role is not Role.LOCAL}
    for done in (*step.host, *step.body):
        values[done.target] = statement(done, values)
    return values


def written(step: Step, values: Mapping[str, Value]) -> Values:
    """What a step leaves in memory."""
    return {write.into: values[write.value] for write in step.writes}


def run_phases(step: Step, phases: Sequence[Phase], given: Mapping[str, Value], everywhere: bool) -> Values:
    """What memory holds after the phases, each of which sees memory, the host and finished reductions only."""
    host = {v.name: given[v.name] for v in step.vars if v.place is Place.HOST and v.role is not Role.LOCAL}
    for done in step.host:
        host[done.target] = statement(done, host)
    memory: Values = {v.name: given[v.name] for v in step.vars
                      if v.role in (Role.PARAM, Role.GRAD, Role.STATE) and v.place is Place.DEVICE}
    stored: dict[str, str] = {}  # value -> what it overwrote
    finished: Values = {}
    for phase in phases:
        seen = {**host, **finished}
        for name in phase.loads:
            assert name not in stored.values(), f"{name} is loaded after it was overwritten"
            seen[name] = memory[stored.get(name, name)]
        ready: Values = {}
        for done in phase.body:
            assert done.target not in seen, f"{done.target} is computed although it is there"
            value = statement(done, seen)
            cut = isinstance(done, (Reduce, MatMul)) and (everywhere or TENSOR in getattr(done, "over", ()))
            (ready if cut else seen)[done.target] = value
        for write in phase.stores:
            assert write.value not in stored, f"{write.value} is stored twice"
            memory[write.into] = seen[write.value]
            stored[write.value] = write.into
        finished |= ready
    for write in step.writes:
        if step.var(write.into).place is Place.HOST:
            memory[write.into] = host[write.value]
    return {write.into: memory[write.into] for write in step.writes}


def differences(a: Mapping[str, Value], b: Mapping[str, Value]) -> list[str]:
    """The names whose values differ by more than 1e-25 of their size, or in shape."""
    assert a.keys() == b.keys(), f"{sorted(a)} and {sorted(b)}"
    return [name for name in a if not all(map(agree, a[name], b[name]))]


def agree(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> bool:
    """Whether two arrays are equal up to rounding, NaN where the other has one."""
    return bool(np.all(each(_near, a, b)))


def _near(a: Any, b: Any) -> bool:
    if isinstance(a, (bool, np.bool_)) or isinstance(b, (bool, np.bool_)):
        return bool(a) == bool(b)
    if mp.isnan(a) or mp.isnan(b):
        return bool(mp.isnan(a) and mp.isnan(b))
    return bool(abs(a - b) <= CLOSE * max(abs(a), abs(b)))


# 70 elements; no axis has length 1, or one could be lost unseen.
SHAPES = ((2, 3, 4), (2, 2, 3), (2, 4, 2), (3, 3, 2))


def random_inputs(variables: Iterable[Var], seed: int, t: int = 0) -> Values:
    """Random values of everything that is not computed, with hyperparameters and t common to all tensors."""
    random = np.random.default_rng(seed)
    t = t or int(random.integers(1, 20))
    given: Values = {}
    for var in variables:
        if var.role is Role.LOCAL:
            continue
        if var.name == "t":
            given["t"] = [array(t)] * len(SHAPES)
        elif var.role is Role.EXTENT:
            given[var.name] = [array(_extent(var.name, shape)) for shape in SHAPES]
        elif var.boolean:
            given[var.name] = [array(bool(random.integers(2)))] * len(SHAPES)
        elif var.place is Place.HOST:
            given[var.name] = [array(float(random.uniform(0.05, 0.95)))] * len(SHAPES)
        else:
            given[var.name] = _random_tensors(var, random)
    return given


def _random_tensors(var: Var, random: np.random.Generator) -> Value:
    if TENSOR not in var.axes:
        return [array(float(random.standard_normal()))] * len(SHAPES)
    return [array(random.standard_normal(shape_of(var, shape)).tolist()) for shape in SHAPES]


def shape_of(var: Var, shape: tuple[int, int, int]) -> tuple[int, int, int]:
    """The shape of a variable for a tensor of this shape."""
    batch = shape[0] if BATCH in var.axes else 1
    extents = [axis.extent for axis in var.axes if axis.extent in ("rows", "cols")]
    length = {"rows": shape[1], "cols": shape[2]}
    match extents:
        case [a, b]:
            return batch, length[a], length[b]
        case ["rows"]:
            return batch, shape[1], 1
        case ["cols"]:
            return batch, 1, shape[2]
    return batch, 1, 1


def _extent(name: str, shape: tuple[int, int, int]) -> int:
    return {"rows": shape[1], "cols": shape[2], "numel": shape[0] * shape[1] * shape[2]}[name]
