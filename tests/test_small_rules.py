"""Small rules that each show one thing agree with the oracle on NumPy and PyTorch, in every variant and dtype."""

from __future__ import annotations

from collections import Counter

import pytest
from agreement import TURNS, agree
from small_rules import SMALL, named
from workshop import Workshop


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    return Workshop(tmp_path_factory.mktemp("small"))


@pytest.mark.parametrize("name", SMALL)
def test_a_small_rule_agrees_with_the_oracle(name: str, workshop: Workshop) -> None:
    seen: Counter[str] = Counter()
    for turn in range(TURNS):
        agree(named(name), turn, False, workshop, seen)
    assert seen["decided"] >= 0.9 * seen["elements"] > 0, seen
