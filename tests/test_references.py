"""Agreement with published packages for the rules that torch has not, in float64 over 50 steps."""

from __future__ import annotations

from typing import Any

import lion_pytorch
import pytest
import torch
from every_class import stored_in

from bench.accuracy import difference, trained
from bench.references import REFERENCES
from optgen import optim

CASES = [(name, settings) for name, reference in REFERENCES.items() for settings in reference.settings]


@pytest.mark.parametrize(("name", "settings"), CASES, ids=[f"{name}-{settings}" for name, settings in CASES])
def test_it_computes_what_the_published_package_computes(name: str, settings: dict[str, Any]) -> None:
    assert difference(name, REFERENCES[name], settings) <= REFERENCES[name].close


def test_every_rule_that_torch_has_not_has_a_reference() -> None:
    """One with storage formats is another's rule, whose numbers test_storage_torch.py compares with its own."""
    alone = {name for name in optim.__all__ if not stored_in(getattr(optim, name))}
    assert {name for name in alone if not hasattr(torch.optim, name)} == REFERENCES.keys()


def test_betas_in_the_wrong_order_would_be_seen() -> None:
    (mine, *_), (theirs, *_) = (
        trained(make, {"betas": betas}, REFERENCES["Lion"])
        for make, betas in ((optim.Lion, (0.9, 0.99)), (lion_pytorch.Lion, (0.99, 0.9)))
    )
    assert (mine - theirs).abs().max() > REFERENCES["Lion"].close
