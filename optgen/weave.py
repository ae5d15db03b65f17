"""Weave: lines of straight-line variants become one text with `if`s; running it is running any one variant.

The merged sequence holds each variant's lines in their order, so it is right by construction; the rest is for looks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from sympy import Symbol, evaluate
from sympy.logic.boolalg import Boolean, SOPform, false, true

Variant = tuple[bool, ...]
Item = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Syntax:
    """How a language writes a branch: `if_` takes the condition's text, `end` closes (empty in Python).

    else_if: what before an `if` makes it all that is done otherwise; empty where a branch has to be closed.
    """

    if_: str
    else_: str
    not_: str
    and_: str
    or_: str
    end: str = ""
    comment: str = "#"
    else_if: str = ""


PYTHON = Syntax("if {}:", "else:", "not {}", " and ", " or ", else_if="el")
C = Syntax("#if {}", "#else", "!{}", " && ", " || ", "#endif", "//")  # each variant is straight-line


def weave(lines: Mapping[Variant, Sequence[Item]], conditions: Sequence[str], syntax: Syntax = PYTHON) -> list[str]:
    """One list of lines from those of all variants. An item is one or more lines that stay together.

    lines: variant (a truth value for each condition) -> items.
    conditions: their texts in the language, one name or comparison each.
    """
    merged = _merge(lines)
    return _emit(merged, frozenset(lines), [*conditions], syntax)


def _merge(lines: Mapping[Variant, Sequence[Item]]) -> list[tuple[Item, frozenset[Variant]]]:
    """A common supersequence; each item with the variants that have it."""
    merged: list[tuple[Item, set[Variant]]] = []
    for variant in sorted(lines, key=lambda v: (-len(lines[v]), [not value for value in v])):
        new = list(lines[variant])
        matcher = SequenceMatcher(a=[item for item, _ in merged], b=new, autojunk=False)
        result: list[tuple[Item, set[Variant]]] = []
        for tag, a0, a1, b0, b1 in matcher.get_opcodes():
            if tag == "equal":
                result += [(item, held | {variant}) for item, held in merged[a0:a1]]
            else:
                result += merged[a0:a1]
                result += [(item, {variant}) for item in new[b0:b1]]
        merged = result
    return [(item, frozenset(held)) for item, held in merged]


def _emit(
    items: Sequence[tuple[Item, frozenset[Variant]]],
    universe: frozenset[Variant],
    conditions: list[str],
    syntax: Syntax,
) -> list[str]:
    """Items under the branches that they need; `universe` holds the variants that reach this place."""
    out: list[str] = []
    at = 0
    while at < len(items):
        guard = items[at][1]
        if guard == universe:
            out += items[at][0]
            at += 1
            continue
        end, inside, text = _branch(items, at, universe, conditions, syntax)
        if _only_comments(items[at:end], syntax):  # a branch needs code; the comment is as true beside it
            out += [line for item, _ in items[at:end] for line in item]
            at = end
            continue
        then = _emit([(i, g & inside) for i, g in items[at:end]], inside, conditions, syntax)
        out += [syntax.if_.format(text), *_indent(then)]
        outside = universe - inside
        other = _run(items, end, outside.issuperset)
        if other > end and not _only_comments(items[end:other], syntax):
            out += _otherwise(then, _emit(items[end:other], outside, conditions, syntax), syntax)
            end = other
        out += [syntax.end] if syntax.end else []
        at = end
    return out


def _otherwise(then: list[str], lines: list[str], syntax: Syntax) -> list[str]:
    """The lines as the other branch: one `if` goes on at this level, unless it is the twin of one in the first."""
    opens = syntax.if_.partition("{")[0]
    goes_on = (" ", syntax.else_.format(), syntax.else_if + opens)
    is_one = lines[0].startswith(opens) and all(line.startswith(goes_on) for line in lines[1:])
    if syntax.else_if and is_one and not any(line.startswith(opens) for line in then):
        return [syntax.else_if + lines[0], *lines[1:]]
    return [syntax.else_.format(), *_indent(lines)]


def _only_comments(items: Sequence[tuple[Item, frozenset[Variant]]], syntax: Syntax) -> bool:
    return all(line.lstrip().startswith(syntax.comment) for item, _ in items for line in item)


def _branch(
    items: Sequence[tuple[Item, frozenset[Variant]]],
    at: int,
    universe: frozenset[Variant],
    conditions: list[str],
    syntax: Syntax,
) -> tuple[int, frozenset[Variant], str]:
    """The end of the longest run that one literal guards, with its variants and text; else the run in the first guard.

    A literal that covers no more than the items of that guard would only nest a second `if` inside.
    """
    best: tuple[int, int, frozenset[Variant], str] | None = None
    for i, condition in enumerate(conditions):
        for value in (True, False):
            inside = frozenset(v for v in universe if v[i] is value)
            end = _run(items, at, lambda g, inside=inside: g <= inside)  # type: ignore[misc]  # mypy cannot type a default in a lambda
            if end > at and inside != universe and (best is None or (end, value) > (best[0], best[1])):
                best = (end, int(value), inside, condition if value else _negate(condition, syntax))
    guard = items[at][1]
    end = _run(items, at, guard.issuperset)
    if best is not None and (best[0] > end or best[2] == guard):
        return best[0], best[2], best[3]
    return end, guard, _text(guard, universe, conditions, syntax)


def _run(items: Sequence[tuple[Item, frozenset[Variant]]], at: int, holds: Callable[[frozenset[Variant]], bool]) -> int:
    while at < len(items) and holds(items[at][1]):
        at += 1
    return at


def _text(guard: frozenset[Variant], universe: frozenset[Variant], conditions: list[str], syntax: Syntax) -> str:
    """The shortest sum of products that is true for the guard's variants among the universe's."""
    names = [Symbol(f"c{i}") for i in range(len(conditions))]
    size = 2 ** len(names)
    every = [tuple(bool(n >> (len(names) - 1 - i) & 1) for i in range(len(names))) for n in range(size)]
    with evaluate(True):
        form = SOPform(
            names,
            [list(map(int, v)) for v in every if v in guard],
            [list(map(int, v)) for v in every if v not in universe],
        )
    return _boolean(form, dict(zip(names, conditions, strict=True)), syntax)


def _boolean(form: Boolean, texts: Mapping[Any, str], syntax: Syntax) -> str:
    assert form not in (true, false), "a guard that always or never holds needs no branch"
    if form in texts:
        return texts[form]
    if form.func.__name__ == "Not":
        return _negate(texts[form.args[0]], syntax)
    joiner = syntax.and_ if form.func.__name__ == "And" else syntax.or_
    other = syntax.or_ if form.func.__name__ == "And" else syntax.and_
    parts = [_boolean(arg, texts, syntax) for arg in sorted(form.args, key=str)]
    return joiner.join(f"({part})" if other in part else part for part in parts)


def _negate(condition: str, syntax: Syntax) -> str:
    opposite = (" != ", " == "), (" == ", " != "), (" <= ", " > "), (" >= ", " < "), (" < ", " >= "), (" > ", " <= ")
    for sign, other in opposite:
        if sign in condition:
            return condition.replace(sign, other)
    return syntax.not_.format(condition)


def _indent(lines: list[str]) -> list[str]:
    return ["    " + line if line else line for line in lines]
