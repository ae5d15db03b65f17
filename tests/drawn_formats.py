"""Drawn formats: in which the states and the parameter of a random rule are stored, as far as its equations allow."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

from random_rules import m

from optgen import stored
from optgen.codecs import check_storage, codecs
from optgen.dsl import Rule
from optgen.dsl.storage import state_names
from optgen.errors import RuleError
from optgen.passes import lower

OF_PARAMS = [name for name, codec in codecs().items() if codec.for_param]
OF_STATES = [name for name, codec in codecs().items() if not codec.for_param]
OWN = str(m.label)  # the state that may have a format of its own


def formats(chance: Random) -> dict[str, str]:
    """Formats of the parameter in half of all cases, of states in half, and of one state another in an eighth."""
    found = {}
    if chance.random() < 1 / 2:
        found["param"] = chance.choice(OF_PARAMS)
    if chance.random() < 1 / 2:
        found["states"] = chance.choice(OF_STATES)
        if chance.random() < 1 / 4:
            found[OWN] = chance.choice(OF_STATES)
    return found


def in_formats(rule: Rule, wanted: Mapping[str, str]) -> Rule:
    """The rule stored so, or nearly so: a state that the format of all cannot hold is in float32, if that can be."""
    names = {"param", "states", *state_names(rule)} if state_names(rule) else {"param"}
    wanted = {name: form for name, form in wanted.items() if name in names}
    common = {name: form for name, form in wanted.items() if name != OWN}
    spared = {**common, **dict.fromkeys(_refused(rule, common), "fp32")}
    alone = {name: form for name, form in wanted.items() if name == "param"}
    return _stored(rule, next(each for each in (wanted, common, spared, alone) if not _refused(rule, each)))


def _stored(rule: Rule, formats: Mapping[str, str]) -> Rule:
    return stored(rule, min_numel=0, **formats) if formats else rule


def _refused(rule: Rule, formats: Mapping[str, str]) -> set[str]:
    """The names of what its format cannot hold."""
    try:
        check_storage(lower(_stored(rule, formats)))
    except RuleError as error:
        return {problem.message.partition(" ")[0] for problem in error.problems}
    return set()
