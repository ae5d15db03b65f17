"""Transformed rules without a reduction step as the oracle on every backend, Triton and C among them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from agreement import TURNS, agree
from workshop import Workshop

from optgen.dsl import Rule, average_weights, decay_weights, load, lookahead


@pytest.mark.parametrize("name", ["adan", "sgd"])
def test_a_transformed_elementwise_rule_agrees_with_the_oracle(name: str, tmp_path: Path) -> None:
    rule, workshop = load(name), Workshop(tmp_path)
    assert isinstance(rule, Rule)
    made, seen = average_weights(lookahead(decay_weights(rule, 0.1, prefix="more_"), k=2)), Counter[str]()
    for turn in range(0, TURNS, 6):
        agree(made, turn, True, workshop, seen)
    assert seen["comparisons on triton"]
    assert seen["comparisons on c"]
    assert seen["decided"] > 0.9 * seen["elements"] > 0, seen
