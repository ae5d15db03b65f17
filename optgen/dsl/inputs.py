"""Inputs: tensors besides the gradient that a step is given by name, and the question whether it was."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sympy import IndexedBase, Symbol

from optgen.dsl.names import caller, name_problem, shown
from optgen.dsl.symbols import Recurrence, Undecided
from optgen.errors import Loc, Problem, RuleError


class Given(Undecided):
    """Whether a step is given an input, as a condition: has_H of the input H."""

    __slots__ = ("quantity",)
    quantity: Any

    def __new__(cls, quantity: Any) -> Given:
        symbol: Given = Symbol.__xnew__(cls, f"has_{quantity.label}")
        symbol.quantity = quantity
        return symbol


def given(quantity: Any) -> Any:
    """Whether this step is given the input, to stand as a condition in a Piecewise; it may differ by parameter.

    Raises RuleError for what is no quantity, or one at an index.
    """
    if type(quantity) is not Recurrence:
        found = str(quantity) if isinstance(quantity, (Symbol, IndexedBase)) else shown(quantity)
        raise RuleError(f"given is asked of {found}, which is no quantity", caller(),
                        'write given(H) without quotes or index, where H = tensors("H")')
    return Given(quantity)


def input_problems(inputs: Mapping[Any, Any], taken: Mapping[Any, str], loc: Loc) -> Iterator[Problem]:
    """What is wrong with the inputs of a rule. taken: what else its quantities are."""
    names: dict[Any, Any] = {}
    for quantity, name in inputs.items():
        told = str(quantity) if isinstance(quantity, (Symbol, IndexedBase)) else shown(quantity)
        problem = name_problem(name, "input", loc)
        if not isinstance(quantity, IndexedBase):
            hint = 'write inputs={H: "hessian"}, where H = tensors("H")'
            yield Problem(f"inputs names {told}, which is no quantity", loc, hint)
        elif quantity in taken:
            yield Problem(f"{told} is both an input and {taken[quantity]}", loc, "declare a quantity for each")
        elif problem:
            yield problem
        elif name in names:
            yield Problem(f"the input name {name!r} is given to both {names[name]} and {told}", loc,
                          "give each input a name of its own")
        else:
            names[name] = told
