"""Common states: what a rule has one of for the whole model. Each parameter keeps a copy, and all copies are alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from ._step import Stepped

States = Mapping[Tensor, Mapping[str, Any]]


def take_over(stepped: Sequence[Stepped], states: States) -> None:
    """Give parameters that have their first step what those have that had it before."""
    new = {id(one.owner): one for one in stepped if one.first and one.rule.common}
    if not new:
        return
    old = [entry for param, entry in states.items() if id(param) not in new]
    for one in new.values():
        for key in one.stored.keys() & {*one.rule.common}:
            known = next((entry[key] for entry in old if key in entry), None)
            if known is not None:
                one.stored[key].copy_(known)


def hand_out(stepped: Sequence[Stepped], states: States) -> bool:
    """Give what a step has made of common states to parameters that it left out. Returns whether there are any."""
    made = {key: one.stored[key] for one in reversed(stepped) for key in one.rule.common if key in one.stored}
    if not made:
        return False
    there = {id(one.owner) for one in stepped}
    left = [entry for param, entry in states.items() if id(param) not in there and made.keys() & entry.keys()]
    for entry in left:
        for key in made.keys() & entry.keys():
            entry[key].copy_(made[key])
    return bool(left)
