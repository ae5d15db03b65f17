"""Maps: the codes that formats are made of, as lines of a computation from `x` to a code, and from `code` back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from sympy import Add, Float, Function, Mul, Piecewise, Symbol, sqrt

from optgen.codecs import Code, Lines
from optgen.dsl.functions import Abs, Max, Min, sign
from optgen.dsl.load import literal

x, code, size, count, root, value, low, near, above = (
    Symbol(name, real=True) for name in "x code size count root value low near above".split()
)


class copysign(Function):  # called as in every language
    """The size of the first with the sign of the second."""

    nargs = 2
    is_extended_real = True


class float_place(Function):  # called as in every language
    """Which of the floats from 0 on, counted from there, is nearest to a number that is not negative.

    After the number: how many binary digits follow the first of such a float, how many times as large 1 is as the
    least of those that have all of them, below which they are evenly spaced, and the least place that is given. Of two
    that are equally near it is the higher one.
    """

    nargs = 4
    is_extended_real = True


def linear_above_zero(levels: int) -> Code:
    """Evenly spaced from 1 / levels to 1: without 0, so that nothing divides by it."""
    with literal():
        position, number = Add(Mul(levels, x), Float(-0.5)), Mul(Add(code, 1), Float(1 / levels))
        return Code(levels, (("", position),), (("", number),))


def square(levels: int) -> Code:
    """Squares of evenly spaced numbers from -1 to 1, with their signs: close together around 0."""
    half = levels // 2
    with literal():
        position = Add(Mul(half - 1, copysign(sqrt(Abs(x)), x)), Float(half + 0.5))
        number = (("root", Mul(Add(code, -half), Float(1 / (half - 1)))), ("", Mul(root, Abs(root))))
        return Code(levels, (("", position),), number)


def fourth_power_above_zero(levels: int) -> Code:
    """Fourth powers of evenly spaced numbers from 1 / levels to 1."""
    with literal():
        squared = Mul(root, root)
        number = (("root", Mul(Add(code, 1), Float(1 / levels))), ("", Mul(squared, squared)))
        return Code(levels, (("", Add(Mul(levels, sqrt(sqrt(x))), Float(-0.5))),), number)


def dynamic(bits: int, decades: int, signed: bool) -> Code:
    """Dettmers' dynamic map: each of `decades` decades below 1 holds twice as many numbers as the one below it.

    Within a decade they are the middles of equal parts; 0 and 1 are numbers too. Codes go up with the numbers.
    Dettmers, Lewis, Shleifer & Zettlemoyer, 8-bit Optimizers via Block-wise Quantization, ICLR 2022,
    https://arxiv.org/abs/2110.02861, section 2.2.
    """
    least = 2 ** (bits - signed - decades)  # numbers in the lowest decade, which are counted from there on
    middle = 2 ** (bits - 1) - 1 if signed else 0  # the code of 0
    lows = [least * 2**i for i in range(decades)]
    with literal():
        encode, decode = _encoded(lows), _decoded(lows)
        if not signed:
            total, counted = Add(count, Float(1.5 - least)), Add(code, least - 1) if least != 1 else code
            return Code(2**bits, (("size", x), *encode, ("", total)), (("count", counted), *decode, ("", value)))
        assert least == 1, "a signed map has one number in its lowest decade"
        from_middle = Add(code, -middle)
        return Code(
            2**bits,
            (("size", Abs(x)), *encode, ("", Add(copysign(count, x), Float(middle + 0.5)))),
            (("count", Abs(from_middle)), *decode, ("", Mul(sign(from_middle), value))),
        )


def _number(at: int, lows: Sequence[int]) -> float:
    """The number that has a count. lows: the first count of each decade."""
    if at < lows[0] or at == 2 * lows[-1]:
        return float(at >= lows[0])
    i = max(i for i, low in enumerate(lows) if low <= at)
    return _scale(i, lows) * (0.9 * (at + 0.5) / lows[i] - 0.8)


def _scale(i: int, lows: Sequence[int]) -> float:
    """Where a decade ends."""
    return float(10.0 ** (i + 1 - len(lows)))


def _encoded(lows: Sequence[int]) -> Lines:
    """Half less than what has as its whole part the count of the number that is nearest to `size`.

    `near` is `size` moved to the highest decade, `low` the first count of its own, from which `above` leads on. The
    first number begins a fifth of a step after a tenth of the decade's end, the second a step after it: between these
    is a steeper line, which is below the other there alone. A border a bit below the tenth is as good, and safe from
    rounding. The first number of all and the last, 1, begin elsewhere: what is nearest to them is moved to where they
    are found.
    """
    assert lows[0] <= 4, "what is below the lowest decade is counted as the last before it"
    top = 2 * lows[-1]
    first, last = (_tidy((_number(at - 1, lows) + _number(at, lows)) / 2) for at in (lows[0], top))
    borders = [(_tidy(0.0995 * 10.0 ** (1 - k)), 10.0**k, partial(Mul, Float(0.5**k))) for k in _shifts(len(lows) - 1)]
    beyond = _tidy(1 + 0.36 / lows[-1])  # where 1 is found, by four tenths of a step
    moved = (beyond, size >= last), (Max(size, _tidy(_number(lows[0], lows))), size >= first)
    return (
        ("size", Piecewise(*moved, (size, True), evaluate=False)),
        *_scaled(borders, Float(lows[-1])),
        ("above", Add(Mul(low, Add(Mul(_tidy(1 / 0.9), near), _tidy(-1 / 9))), Float(-0.5))),
        ("count", Add(low, Min(above, Add(Mul(Float(1.25), above), Float(-0.125))))),
    )


def _shifts(most: int) -> list[int]:
    """Numbers, larger ones first, some of which add up to any number from 0 to `most`, but to none above."""
    return [-(-most // 2), *_shifts(most // 2)] if most else []


def _decoded(lows: Sequence[int]) -> Lines:
    """The `value` of a count."""
    numbers: list[Any] = [
        Add(Mul(_tidy(0.9 * _scale(i, lows) / low), count), _tidy(_scale(i, lows) * (0.45 / low - 0.8)))
        for i, low in enumerate(lows)
    ]
    at_least = [count >= low for low in (*lows, 2 * lows[-1])]
    return _steps("value", Float(0.0), [*zip(at_least, [*numbers, Float(1.0)], strict=True)])


def _scaled(steps: Sequence[tuple[float, float, Callable[[Any], Any]]], start: Any) -> Lines:
    """Lines that make `near` of `size`, and `low` of `start`.

    steps: below which number it is multiplied, by what, and what then becomes of `low`.
    """
    before, of_low, lines = size, start, []
    for border, factor, change in steps:
        small = before < border
        changed = change(of_low) if of_low is low else Float(float(change(of_low)))
        lines.append(("low", Piecewise((changed, small), (of_low, True), evaluate=False)))
        lines.append(("near", Piecewise((Mul(Float(factor), before), small), (before, True), evaluate=False)))
        before, of_low = near, low
    return tuple(lines)


def _tidy(number: float) -> Any:
    """The number without the last digits, which are noise of how it was computed."""
    return Float(float(f"{number:.14g}"))


def _steps(name: str, start: Any, pairs: list[tuple[Any, Any]]) -> Lines:
    """Lines after which the name has the value of the last pair whose condition holds."""
    before, lines = start, []
    for condition, found in pairs:
        lines.append((name, Piecewise((found, condition), (before, True), evaluate=False)))
        before = Symbol(name, real=True)
    return tuple(lines)


def e4m3(signed: bool) -> Code:
    """The finite numbers of 8-bit floats with four bits of exponent and three of mantissa, over the largest, 448.

    Codes are the bits of the format. What is never negative has the same codes, without the sign, but nothing is
    rounded to 0, so that nothing is divided by it.
    Micikevicius et al., FP8 Formats for Deep Learning, 2022, https://arxiv.org/abs/2209.05433, table 1.
    """
    octaves = range(1, 16)  # the highest starts at 256 / 448, the lowest goes on down to 0
    span = Float(448.0 * 2**6)  # over the least float that has all digits
    with literal():
        numbers = [Mul(Add(count, -8 * (e - 1)), Float(2.0 ** (e - 10) / 448)) for e in octaves]
        decode = [("value", Max(value, line) if k else line) for k, line in enumerate(numbers)]
        if not signed:
            position = float_place(x, 3, span, 1)
            return Code(127, (("", position),), (("count", code), *decode, ("", value)))
        encode = ("count", float_place(Abs(x), 3, span, 0))
        above = Piecewise((Add(code, -128), code >= 128), (code, True), evaluate=False)
        signs = Piecewise((-1, code >= 128), (1, True), evaluate=False)
        return Code(
            255,
            (encode, ("", Piecewise((Add(128, count), x < 0), (count, True), evaluate=False))),
            (("count", above), *decode, ("", Mul(signs, value))),
        )
