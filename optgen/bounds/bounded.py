"""Bounded: numbers that carry how far from them any correct backend may be, operation by operation.

A value is exact (float64, or mpmath where the backend itself computes in float64); its error is an absolute bound on
|backend - value| for each element. The rules are those of running error analysis (Higham, Accuracy and Stability of
Numerical Algorithms, 2002, section 3.3). They hold for every evaluation that optgen's compiler may choose: multiply and
add contracted or not, the scalar factors of a product gathered on the host, a division by a scalar replaced by a
multiplication by its reciprocal. Where an operation is discontinuous and its operand lies within its error of the edge,
the error covers both outcomes and the element is marked in `edge`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from optgen.bounds.formats import FP64, Format
from optgen.bounds.reals import FLOAT, Reals

Array = Any  # an ndarray of float64, or of mpmath numbers

# Roundings of one call, in units u of |result|, for the worst of NumPy, torch and Triton. An ulp is at most 2u.
POWER = 8.0  # four ulp; pow by way of exp2(y*log2(x)) adds |y*log(x)| roundings, counted where it is used
FUNCTION = 8.0  # four ulp: NumPy's AVX-512 log has 3.83, SLEEF and libdevice at most 2
# The oracle's own float64 result is off by a few 2**-53 per operation, which is this much of the float32 unit or less.
SLACK = 1 + 2.0**-20


@dataclass(frozen=True, slots=True)
class Bounded:
    """Values and their errors.

    edge: a guard was in doubt. nonnegative: no backend finds a negative number. host: a float64 scalar on the host.
    exact: a constant that the compute format holds.
    """

    value: Array
    error: Any
    edge: Any
    nonnegative: Any
    host: bool = False
    exact: bool = False


@dataclass(frozen=True, slots=True)
class Machine:
    """How a backend computes and stores.

    host_scalar: the format of host scalars in a checkpoint. division, root: roundings of `/` and sqrt, 1 for IEEE.
    flush: subnormals may become 0.
    """

    compute: Format
    param: Format
    state: Format
    host_scalar: Format = FP64
    division: float = 1.0
    root: float = 1.0
    flush: bool = False
    reals: Reals = FLOAT

    @property
    def device_unit(self) -> float:
        """The relative error of one rounding on the device."""
        return self.compute.unit * SLACK

    # making

    def tensor(self, values: Any) -> Bounded:
        """An array that the backend holds exactly."""
        value = self.reals.array(values)
        return Bounded(value, np.zeros(value.shape), np.zeros(value.shape, bool), _compare(value >= 0))

    def scalar(self, number: Any, error: float = 0.0, exact: bool = False) -> Bounded:
        """A number on the host."""
        value = self.reals.array(number)
        return Bounded(value, np.asarray(error), np.asarray(False), _compare(value >= error), True, exact)

    def constant(self, numerator: Any, denominator: int = 1) -> Bounded:
        """A number that stands in an equation: one rounding unless the compute format holds it."""
        number = float(numerator) / denominator
        exact = denominator & (denominator - 1) == 0 and bool(self.compute.holds(number))
        value = self.reals.array(float(numerator)) / self.reals.array(float(denominator))
        return self.scalar(value, 0.0 if exact or denominator == 1 else self._unit(True) * abs(number), exact)

    def pi(self) -> Bounded:
        """The circle's constant."""
        return self.scalar(self.reals.pi, self._unit(True) * np.pi)

    def device(self, a: Bounded) -> Bounded:
        """A host scalar as the device reads it: rounded to the compute format."""
        if not a.host:
            return a
        if a.exact:
            return replace(a, host=False)
        return self._rounded(replace(a, host=False), 1.0)

    def stored(self, a: Bounded, form: Format) -> Bounded:
        """What is read back after a store: one rounding more in a format narrower than the compute format."""
        form = self.host_scalar if a.host else form
        if form.unit <= (FP64.unit if a.host else self.compute.unit) or not self.compute.unit:
            return a
        reach = magnitude(a.value) + a.error
        error = a.error + form.unit * SLACK * reach + form.tiny
        error = np.where(reach + error > form.huge, np.inf, error)
        held = (a.error == 0) & form.holds(a.value.astype(np.float64))
        return replace(a, error=np.where(held, 0.0, error))

    # arithmetic

    def add(self, a: Bounded, b: Bounded) -> Bounded:
        """a + b."""
        a, b = self._meet(a, b)
        made = _joined(a, b, a.value + b.value, a.error + b.error, a.nonnegative & b.nonnegative)
        return self._rounded(made, 1.0, underflows=False)

    def gathered(self, a: Bounded, scalars: list[Bounded]) -> Bounded:
        """A sum whose host terms may have been added on the host first, and then rounded as one."""
        if len(scalars) < 2:
            return a
        reach = sum(magnitude(scalar.value) for scalar in scalars)
        return replace(a, error=a.error + self.device_unit * reach)

    def negate(self, a: Bounded) -> Bounded:
        """-a, which is exact."""
        return replace(a, value=np.asarray(-a.value), nonnegative=_compare(-a.value >= a.error))

    def multiply(self, a: Bounded, b: Bounded) -> Bounded:
        """a * b; exact but for underflow if one of them is a power of two."""
        same = a is b
        power_of_two = any(x.exact and _is_power_of_two(x.value) for x in (a, b))
        a, b = self._meet(a, b)
        size_a, size_b = magnitude(a.value), magnitude(b.value)
        error = size_a * b.error + size_b * a.error + a.error * b.error
        made = _joined(a, b, a.value * b.value, error, (a.nonnegative & b.nonnegative) | same)
        zero = (_is_zero(a) & np.isfinite(b.error)) | (_is_zero(b) & np.isfinite(a.error))
        return _where_zero(zero, self._rounded(made, 0.0 if power_of_two else 1.0))

    def divide(self, a: Bounded, b: Bounded) -> Bounded:
        """a / b. A host divisor may instead be inverted on the host, rounded, and multiplied by: one rounding more."""
        power_of_two = b.exact and _is_power_of_two(b.value)
        inverted = b.host and not a.host
        a, b = self._meet(a, b)
        value, size = self.reals.divide(a.value, b.value), magnitude(b.value)
        gap = size - b.error
        error = np.where(gap > 0, (a.error + magnitude(value) * b.error) / gap, np.inf)
        made = _joined(a, b, value, error, a.nonnegative & b.nonnegative & (gap > 0))
        made = replace(made, edge=made.edge | (gap <= 0))
        roundings = 1.0 if made.host else self.division + inverted
        return _where_zero(_is_zero(a) & (gap > 0), self._rounded(made, 0.0 if power_of_two else roundings))

    def power(self, a: Bounded, exponent: Bounded) -> Bounded:
        """a ** exponent, by multiplication, square root or pow."""
        plain = float(exponent.value) if exponent.exact else None
        if plain == 0.5:
            return self.sqrt(a)
        if plain is not None and plain < 0:
            return self.divide(self.constant(1), self.power(a, self.constant(-plain)))
        if plain == 1:
            return a
        if plain == 2:
            return self.multiply(a, a)
        if plain is not None and plain == int(plain):
            return self._whole_power(a, int(plain))
        return self._real_power(a, exponent)

    def _whole_power(self, a: Bounded, n: int) -> Bounded:
        error = n * a.error * (magnitude(a.value) + a.error) ** (n - 1)
        even = np.asarray(n % 2 == 0) | a.nonnegative
        made = replace(a, value=np.asarray(a.value**n), error=error, nonnegative=even, exact=False)
        return _where_zero(_is_zero(a), self._rounded(made, POWER if a.host else max(POWER, n - 1.0)))

    def _real_power(self, a: Bounded, b: Bounded) -> Bounded:
        a, b = self._meet(a, b)
        value = self.reals.power(a.value, b.value)
        low = np.where(_compare(a.value > a.error), a.value - a.error, a.value * 0)
        ends = [(x, y) for x in (low, a.value + a.error) for y in (b.value - b.error, b.value + b.error)]
        error = np.max([_finite(magnitude(self.reals.power(x, y) - value)) for x, y in ends], axis=0)
        unsafe = (magnitude(a.value) <= a.error) & (a.error > 0) & ~a.nonnegative
        made = _joined(a, b, value, np.where(unsafe, np.inf, error), np.asarray(True))
        exponent = np.abs(magnitude(b.value) * np.log(np.maximum(magnitude(a.value), 1e-300)))
        return self._rounded(replace(made, edge=made.edge | unsafe), 2.0 if made.host else POWER + 2 * exponent)

    def sqrt(self, a: Bounded) -> Bounded:
        """The square root; unknown where the operand may be negative."""
        value = self.reals.call("sqrt", a.value)
        size = magnitude(a.value)
        spread = a.error + (self.compute.smallest_normal if self.flush and not a.host else 0.0)
        low = np.sqrt(np.maximum(size - spread, 0))
        error = np.where(size > 0, spread / (np.sqrt(np.where(size > 0, size, 1.0)) + low), np.sqrt(spread))
        unsafe = _compare(a.value < a.error) & (a.error > 0) & ~a.nonnegative
        made = replace(a, value=value, error=np.where(unsafe, np.inf, error), edge=a.edge | unsafe,
                       nonnegative=~unsafe, exact=False)
        return self._rounded(made, 1.0 if a.host else self.root, underflows=False)

    # functions

    def call(self, name: str, a: Bounded) -> Bounded:
        """exp, log, tanh (monotone: the error at the ends of the interval), sin or cos (slope at most 1)."""
        value = self.reals.call(name, a.value)
        if name in ("sin", "cos"):
            error = np.minimum(a.error, 2.0)
        else:
            ends = [self.reals.call(name, a.value + side * a.error) for side in (-1, 1)]
            error = np.maximum(*(_finite(magnitude(end - value)) for end in ends))
            error = np.where(a.error > 0, error, 0.0)
        more = 2 * magnitude(a.value) if name == "exp" and not a.host else 0.0
        edge = a.edge | ~np.isfinite(error)
        made = replace(a, value=value, error=error, edge=edge, nonnegative=np.asarray(name == "exp"), exact=False)
        return self._rounded(made, 2.0 if a.host else FUNCTION + more)

    def absolute(self, a: Bounded) -> Bounded:
        """|a|, which is exact."""
        return replace(a, value=np.asarray(abs(a.value)), nonnegative=np.ones(np.shape(a.value), bool))

    def larger(self, a: Bounded, b: Bounded) -> Bounded:
        """The larger of two, which is exact: as uncertain as the one that certainly wins, else as the worse of both.

        A NaN in either is kept.
        """
        a, b = self._meet(a, b)
        wins = _compare(a.value - a.error > b.value + b.error)
        loses = _compare(b.value - b.error > a.value + a.error)
        error = np.where(wins, a.error, np.where(loses, b.error, np.maximum(a.error, b.error)))
        value = np.where(_compare(a.value >= b.value) | is_nan(a.value), a.value, b.value)
        return _joined(a, b, value, error, a.nonnegative | b.nonnegative)

    def smaller(self, a: Bounded, b: Bounded) -> Bounded:
        """The smaller of two, which is exact."""
        most = self.negate(self.larger(self.negate(a), self.negate(b)))
        return replace(most, nonnegative=a.nonnegative & b.nonnegative)

    def step_function(self, name: str, a: Bounded) -> Bounded:
        """sign or floor: exact away from the steps, both sides of a step within the error of it."""
        value, low, high = (self.reals.call(name, a.value + side * a.error) for side in (0, -1, 1))
        error = _finite(np.maximum(magnitude(high - value), magnitude(value - low)))
        nonnegative = _compare(value >= error) | (a.nonnegative if name == "floor" else False)
        return replace(a, value=value, error=error, edge=a.edge | (error > 0), nonnegative=nonnegative, exact=False)

    # rounding

    def _unit(self, host: bool) -> float:
        # In float64 the oracle errs as much as the host: both are charged.
        return FP64.unit * (2 if self.reals is FLOAT else 1) if host else self.device_unit

    def _meet(self, a: Bounded, b: Bounded) -> tuple[Bounded, Bounded]:
        return (a, b) if a.host and b.host else (self.device(a), self.device(b))

    def _rounded(self, a: Bounded, roundings: Any, underflows: bool = True) -> Bounded:
        """The error after `roundings` roundings of the result, which may underflow or overflow."""
        form = FP64 if a.host else self.compute
        if not self.compute.unit:
            return replace(a, error=np.zeros(np.shape(a.value)), edge=np.zeros(np.shape(a.value), bool))
        reach = _finite(magnitude(a.value) + a.error)
        error = a.error + roundings * self._unit(a.host) * reach
        if self.flush and not a.host:
            error = error + form.smallest_normal
        elif underflows:
            error = error + form.tiny
        error = np.where(reach + error > form.huge, np.inf, _finite(error))
        return replace(a, error=error, nonnegative=a.nonnegative | _compare(a.value >= error), exact=False)


def magnitude(value: Array) -> Any:
    """|value| as float64."""
    return np.abs(value).astype(np.float64) if np.ndim(value) else np.asarray(float(abs(value)))


def is_nan(value: Array) -> Any:
    """Where the value is no number."""
    return _compare(value != value)


def _compare(outcome: Any) -> Any:
    return np.asarray(outcome).astype(bool)


def _finite(error: Any) -> Any:
    return np.where(np.isnan(error), np.inf, error)


def _is_zero(a: Bounded) -> Any:
    return _compare(a.value == 0) & (a.error == 0)


def _where_zero(zero: Any, a: Bounded) -> Bounded:
    return replace(a, error=np.where(zero, 0.0, a.error)) if np.any(zero) else a


def _is_power_of_two(value: Array) -> bool:
    return bool(value) and abs(float(np.frexp(float(value))[0])) == 0.5


def _joined(a: Bounded, b: Bounded, value: Array, error: Any, nonnegative: Any) -> Bounded:
    return Bounded(np.asarray(value), np.asarray(error), a.edge | b.edge, nonnegative, a.host and b.host)
