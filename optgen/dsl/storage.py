"""Storage: the same rule with its states, or its parameter, kept in another format."""

from __future__ import annotations

from dataclasses import replace

from sympy import Indexed

from optgen.dsl.names import caller, check_identifier, shown
from optgen.dsl.rule import Rule, Schedule
from optgen.dsl.symbols import model, t
from optgen.errors import Loc, RuleError

SMALL = 4096  # elements below which states stay as they are: scales would outweigh what is saved, as users expect


def stored(rule: Rule | Schedule, states: str = "", *, name: str = "", min_numel: int = SMALL, **formats: str) -> Rule:
    """The rule with other storage formats, as `optgen list` names them.

    states: the format of every state with a number for each element; formats: those of single states, by the name of
    the quantity, which go before, and of the parameter, as `param`. name: of the class, which then is described by the
    docstring of its own file.
    min_numel: the states of a parameter with fewer elements stay as they are; but where a rule looks at all tensors
    together, all are stored alike.
    Raises RuleError for what is no rule, and for a name that is no state.
    """
    loc = caller()
    if not isinstance(rule, Rule):
        raise RuleError(f"stored is given {shown(rule)}, not a Rule", loc, 'give it a rule, such as load("adamw")')
    made = _stored(rule, states, min_numel, formats, loc)
    known = {**made.storage, **(made.otherwise.storage if made.otherwise is not None else {})}
    for wrong in formats.keys() - known.keys():
        names = sorted({"param", *_states(rule)})
        raise RuleError(f"the rule has no state {wrong!r} to store as {formats[wrong]!r}", loc,
                        f"it has {', '.join(names)}")
    title = check_identifier(name, "the class", loc) if name else ""
    return replace(made, name=title, doc="", loc=loc) if title else replace(made, loc=loc)


def _stored(rule: Rule, states: str, min_numel: int, formats: dict[str, str], loc: Loc) -> Rule:
    own = _states(rule)
    found = {"states": states} if states and own else {}
    found |= {name: given for name, given in formats.items() if name in own}
    ours = {"param": formats["param"]} if "param" in formats else {}
    rest = rule.otherwise and _stored(rule.otherwise, states, min_numel, formats, loc)
    small = replace(rule, storage=ours, otherwise=rest)
    if not found:
        return small
    together = any(e.has(model) for e in rule.expressions())
    if rule.min_numel is not None or not min_numel or together:
        return replace(rule, storage={**found, **ours}, otherwise=rest)
    return replace(rule, storage={**found, **ours}, min_numel=min_numel, otherwise=small)


def state_names(rule: Rule) -> list[str]:
    """The names of the states of a rule and of those for other shapes."""
    rest = state_names(rule.otherwise) if rule.otherwise is not None else []
    return sorted({*_states(rule), *rest})


def _states(rule: Rule) -> list[str]:
    """The names of the quantities whose past is read, but for the parameter."""
    equations = (*rule.equations, *rule.to_train, *rule.to_eval)
    made = {rule.grad, *(e.lhs.base for e in equations)}
    past = {str(n.base.label) for e in equations for n in e.rhs.atoms(Indexed) if n.base in made and _is_past(n)}
    return sorted(past - {str(rule.param.label)})


def _is_past(node: Indexed) -> bool:
    return any(index.has(t) and index != t for index in node.indices)
