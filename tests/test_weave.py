"""Weave: running the woven text is running the lines of one variant, whatever they are."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optgen.weave import PYTHON, C, Item, Variant, weave

Lines = dict[Variant, list[Item]]
TEXTS = ("flag", "x != 0", "y <= 2", "z > 5")  # what a language makes of conditions, and values that decide them


def values_of(variant: Variant) -> dict[str, Any]:
    """Values of the names in TEXTS that make a variant."""
    truths = dict(zip(TEXTS, variant, strict=False))
    return {"flag": truths.get("flag", False), "x": int(truths.get("x != 0", False)),
            "y": 2 if truths.get("y <= 2", False) else 3, "z": 6 if truths.get("z > 5", False) else 5}


def run_python(text: Sequence[str], variant: Variant) -> list[str]:
    """What the woven Python does: each line notes itself."""
    done: list[str] = []
    source = "\n".join(text) or "pass"
    exec(compile(source, "woven", "exec"), {"note": done.append, **values_of(variant)})
    return done


def run_c(text: Sequence[str], variant: Variant) -> list[str]:
    """What is left of the woven C after its preprocessor; a condition reads as Python's."""
    names, done = values_of(variant), []
    live, taken = [True], [True]
    for line in (part.strip() for part in text):
        if line == "#endif":
            live.pop()
            taken.pop()
        elif line == "#else":
            live[-1] = live[-2] and not taken[-1]
        elif line.startswith("#if "):
            condition = line.removeprefix("#if ").replace("&&", " and ").replace("||", " or ")
            condition = condition.replace("!=", "<>").replace("!", " not ").replace("<>", "!=").strip()
            taken.append(bool(eval(condition, dict(names))))
            live.append(live[-1] and taken[-1])
        elif live[-1]:
            done.append(line)
    assert live == [True], "an #if is left open"
    return done


@st.composite
def lines(draw: Callable[..., Any], syntax: str = "note('{}')") -> tuple[Lines, list[str]]:
    """Lines of all variants, or of some: subsequences of common ones in different orders, of one or two lines each."""
    count = draw(st.integers(0, len(TEXTS)))
    names = "abcdefgh"
    items = [tuple(syntax.format(f"{name}{k}") for k in range(draw(st.integers(1, 2)))) for name in names]
    every = list(itertools.product((False, True), repeat=count))
    chosen = draw(st.lists(st.sampled_from(every), min_size=1, unique=True)) if draw(st.booleans()) else every
    made: Lines = {}
    for variant in chosen:
        kept = [item for item in items if draw(st.integers(0, 3))]
        if draw(st.integers(0, 3)) == 0:
            kept = draw(st.permutations(kept))
        made[variant] = list(kept)
    return made, list(TEXTS[:count])


def flat(items: Sequence[Item]) -> list[str]:
    return [line for item in items for line in item]


@given(lines())
@settings(max_examples=200)
def test_running_the_woven_python_runs_the_lines_of_the_variant(drawn: tuple[Lines, list[str]]) -> None:
    made, conditions = drawn
    text = weave(made, conditions)
    for variant, items in made.items():
        assert run_python(text, variant) == [line[len("note('") : -len("')")] for line in flat(items)], text


@given(lines("{};"))
@settings(max_examples=200)
def test_running_the_woven_c_runs_the_lines_of_the_variant(drawn: tuple[Lines, list[str]]) -> None:
    made, conditions = drawn
    text = weave(made, conditions, C)
    for variant, items in made.items():
        assert run_c(text, variant) == flat(items), text


@given(lines())
@settings(max_examples=100)
def test_the_order_in_which_variants_are_given_changes_nothing(drawn: tuple[Lines, list[str]]) -> None:
    made, conditions = drawn
    assert weave(dict(reversed(made.items())), conditions) == weave(made, conditions)


def two(**by_truth: str) -> Mapping[Variant, Sequence[Item]]:
    """Lines of the variants of one condition, a letter each."""
    return {(False,): [(c,) for c in by_truth["no"]], (True,): [(c,) for c in by_truth["yes"]]}


def four(ff: str, ft: str, tf: str, tt: str) -> Mapping[Variant, Sequence[Item]]:
    """Lines of the variants of two conditions, a letter each."""
    keys = itertools.product((False, True), repeat=2)
    return {key: [(c,) for c in letters] for key, letters in zip(keys, (ff, ft, tf, tt), strict=True)}


@pytest.mark.parametrize(("made", "conditions", "text"), [
    (two(no="ab", yes="ab"), ["c"], "a|b"),
    (two(no="ab", yes="acb"), ["c"], "a|if c:|    c|b"),
    (two(no="acb", yes="ab"), ["c"], "a|if not c:|    c|b"),
    (two(no="axb", yes="ayb"), ["c"], "a|if c:|    y|else:|    x|b"),
    (two(no="axb", yes="ayb"), ["c > 0"], "a|if c > 0:|    y|else:|    x|b"),
    (two(no="axb", yes="ab"), ["c > 0"], "a|if c <= 0:|    x|b"),
    (two(no="axb", yes="ab"), ["c != 0"], "a|if c == 0:|    x|b"),
    (two(no="x", yes=""), ["c >= 0"], "if c < 0:|    x"),
    (two(no="x", yes=""), ["c < 0"], "if c >= 0:|    x"),
    (two(no="x", yes=""), ["c <= 0"], "if c > 0:|    x"),
    (two(no="x", yes=""), ["c == 0"], "if c != 0:|    x"),
    (four("ab", "ab", "ab", "axb"), ["c", "d"], "a|if c and d:|    x|b"),
    (four("ab", "axb", "axb", "axb"), ["c", "d"], "a|if c or d:|    x|b"),
    (four("ab", "axb", "axb", "ab"), ["c", "d"], "a|if (c and not d) or (d and not c):|    x|b"),
    (four("ab", "ayb", "axb", "axyb"), ["c", "d"], "a|if c:|    x|if d:|    y|b"),
    (four("ab", "ab", "axb", "axyb"), ["c", "d"], "a|if c:|    x|    if d:|        y|b"),
    (four("axb", "ayb", "azb", "azb"), ["c", "d"], "a|if c:|    z|elif d:|    y|else:|    x|b"),
    (four("ab", "ayb", "azb", "azb"), ["c", "d"], "a|if c:|    z|elif d:|    y|b"),
    (four("axb", "axyb", "azwub", "azwub"), ["c", "d"],
     "a|if c:|    z|    w|    u|else:|    x|    if d:|        y|b"),
    (four("axb", "ayb", "azb", "awb"), ["c", "d"],
     "a|if c:|    if d:|        w|    else:|        z|else:|    if d:|        y|    else:|        x|b"),
])
def test_the_woven_text_is_what_one_would_write(made: Lines, conditions: list[str], text: str) -> None:
    written = weave(made, conditions)
    assert "|".join(written) == text


def test_a_condition_of_all_lines_stands_around_what_only_some_ask_besides() -> None:
    """Two of three conditions, either of which makes the function; the third one adds a line to it."""
    every = itertools.product((False, True), repeat=3)
    made = {(c, d, e): [("a",), *([("x",)] if e else []), ("b",)] if c or d else [] for c, d, e in every}
    assert weave(made, ["c", "d", "e"]) == ["if c or d:", "    a", "    if e:", "        x", "    b"]


def test_an_item_of_several_lines_stays_together() -> None:
    made = {(False,): [("a",), ("x", "  y")], (True,): [("x", "  z")]}
    assert weave(made, ["c"]) == ["if not c:", "    a", "    x", "      y", "else:", "    x", "      z"]


def test_c_closes_what_it_opens() -> None:
    assert weave(two(no="axb", yes="ayb"), ["c"], C) == ["a", "#if c", "    y", "#else", "    x", "#endif", "b"]
    assert weave(two(no="axb", yes="ab"), ["c"], C) == ["a", "#if !c", "    x", "#endif", "b"]


def test_python_is_what_is_written_if_nothing_is_said() -> None:
    made = two(no="a", yes="b")
    assert weave(made, ["c"]) == weave(made, ["c"], PYTHON)
